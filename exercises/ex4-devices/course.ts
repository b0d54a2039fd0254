/**
 * What the course measured on 1, 2 and 4 GPUs, and what data parallelism would have made of the same GPUs.
 *
 * Its program gave each GPU the same batch in turn and divided the number of epochs by the number of GPUs. So its seconds
 * are of less and less training: they are held against one another here as seconds of an epoch.
 */
import { type Forecast, forecast, links } from "slalom/lab";

export interface CourseTime {
  readonly gpus: number;
  readonly epochs: number;
  readonly seconds: number;
}

export interface CourseTimes {
  readonly batchSize: number;
  readonly times: readonly CourseTime[];
}

const epochs = [300, 150, 75];

const timesOf = (batchSize: number, seconds: readonly number[]): CourseTimes => ({
  batchSize,
  times: seconds.map((value, i) => ({ gpus: 2 ** i, epochs: epochs[i], seconds: value })),
});

export const courseTimes: readonly CourseTimes[] = [
  timesOf(50, [766, 726, 884]),
  timesOf(5000, [285, 233, 204]),
];

export const secondsOfEpoch = ({ seconds, epochs }: CourseTime): number => seconds / epochs;

/** Of MNIST, less 5,000 for validation: the split of the course's loader. */
export const courseImages = 55_000;

/** Gradients of the network's 3,274,634 parameters in float32, and the loss. */
const bytes = 4 * (3_274_634 + 1);

/**
 * The course's GPUs with gradients summed over NVLink, from its own times on one GPU.
 * @param gpus numbers of them
 */
export function courseForecast(gpus: readonly number[]): Forecast {
  return forecast({
    mode: "strong",
    steps: courseTimes.map(({ batchSize, times: [alone] }) => ({
      batchSize,
      seconds: (secondsOfEpoch(alone) * batchSize) / courseImages,
    })),
    link: links.find(({ name }) => name === "nvlink")!,
    bytes,
    ranks: gpus,
    batchSizes: courseTimes.map(({ batchSize }) => batchSize),
  });
}
