/**
 * Forecasts of worlds that are not here. A step takes what one rank would take for its share of the batch, and what the
 * all-reduce of the gradients takes beside it:
 *
 *     step(N)   = fixed + perExample ceil(batch / N) + allReduce(N) - hidden(N)
 *     hidden(N) = min(allReduce(N), overlap 2/3 perExample ceil(batch / N))
 *
 * `fixed` and `perExample` are fitted to steps that one rank took at several sizes of batch. The fixed part holds what does
 * not shrink with the share: the start of kernels, and the update, as if every rank made it in full. Processes divide that
 * of large parameters: the steps of one rank do not tell how much of the fixed part that is. Only a backward pass can hide an
 * all-reduce, and it is taken as two thirds of what examples cost: about twice the forward pass. Nothing is known here of
 * ranks that wait for one another, of input, or of memory that ranks share.
 */
import { SlalomError } from "../base/errors.js";
import { allReduceSeconds, type Link } from "./links.js";
import { paysUpTo, type ScalingMode } from "./scaling.js";

/** A step that one rank took. */
export interface StepTime {
  /** Examples. */
  readonly batchSize: number;
  readonly seconds: number;
}

export interface StepModel {
  readonly fixedS: number;
  readonly perExampleS: number;
  /** The largest difference of the model from a step that it was fitted to, relative to that. */
  readonly largestError: number;
}

export interface ForecastPoint {
  readonly ranks: number;
  /** Examples of a step, over all ranks. */
  readonly batchSize: number;
  /** Seconds of a step, the parts of it, and what the backward pass hides. */
  readonly stepS: number;
  readonly computeS: number;
  readonly allReduceS: number;
  readonly hiddenS: number;
  readonly examplesPerS: number;
  /** Over one rank of the forecast. */
  readonly speedup: number;
  readonly efficiency: number;
  /** Where these ranks were measured: the median of a step, and the forecast over it. */
  readonly measured?: { readonly stepS: number; readonly ratio: number };
}

export interface ForecastCurve {
  readonly batchSize: number;
  readonly points: readonly ForecastPoint[];
  /** The most ranks of which each step up gains at least a tenth. */
  readonly paysUpTo: number;
}

export interface Forecast {
  readonly mode: ScalingMode;
  /** What the model was fitted to. */
  readonly steps: readonly StepTime[];
  readonly model: StepModel;
  readonly link: Link;
  /** Summed over ranks in each step. */
  readonly bytes: number;
  /** The share of the backward pass that the all-reduce runs beside: 0 to 1. */
  readonly overlap: number;
  readonly curves: readonly ForecastCurve[];
}

export interface ForecastOptions extends Pick<Forecast, "mode" | "steps" | "link" | "bytes"> {
  /** Numbers of ranks; one rank, and those that were measured, are forecast in any case. */
  readonly ranks: readonly number[];
  /** Over all ranks in strong scaling, of each in weak. */
  readonly batchSizes: readonly number[];
  /** Default 0: the all-reduce begins when the backward pass has ended. */
  readonly overlap?: number;
  /** What to hold the forecast against. */
  readonly measured?: readonly {
    readonly ranks: number;
    readonly batchSize: number;
    readonly stepS: { readonly median: number };
  }[];
}

/** Share of the backward pass in what examples cost. */
const backwardShare = 2 / 3;

/**
 * ```ts
 * const steps = [{ batchSize: 50, seconds: 0.0004 }, { batchSize: 5000, seconds: 0.006 }];
 * forecast({ mode: "strong", steps, link: links[0], bytes: 13e6, ranks: [2, 4, 8], batchSizes: [50, 5000] });
 * ```
 * @throws SlalomError "option" for steps, sizes or an overlap that can't be
 */
export function forecast(options: ForecastOptions): Forecast {
  const { mode, steps, link, bytes, batchSizes, overlap = 0, measured = [] } = options;
  if (!(overlap >= 0 && overlap <= 1)) refuse(`an overlap of ${overlap}`, "a share from 0 to 1");
  for (const [name, values] of Object.entries({ ranks: options.ranks, batch: batchSizes })) {
    if (values.length === 0 || values.some((value) => !(Number.isInteger(value) && value > 0)))
      refuse(`${name} ${values.join(",")}`, "positive integers, such as 1,2,4");
  }
  const model = stepModel(steps);
  const ranks = [...new Set([1, ...options.ranks, ...measured.map((point) => point.ranks)])].sort(
    (a, b) => a - b,
  );
  const curves = batchSizes.map((batchSize): ForecastCurve => {
    const parts = ranks.map((count) => {
      const global = mode === "weak" ? batchSize * count : batchSize;
      // The rank with the most examples is waited for.
      const examplesS = model.perExampleS * Math.ceil(global / count);
      const allReduceS = allReduceSeconds(link, bytes, count);
      const hiddenS = Math.min(allReduceS, overlap * backwardShare * examplesS);
      const computeS = model.fixedS + examplesS;
      const stepS = computeS + allReduceS - hiddenS;
      return {
        ranks: count,
        batchSize: global,
        stepS,
        computeS,
        allReduceS,
        hiddenS,
        examplesPerS: global / stepS,
      };
    });
    const points = parts.map((point): ForecastPoint => {
      const speedup = point.examplesPerS / parts[0].examplesPerS;
      const median = measured.find(
        (other) => other.ranks === point.ranks && other.batchSize === point.batchSize,
      )?.stepS.median;
      return {
        ...point,
        speedup,
        efficiency: speedup / point.ranks,
        ...(median !== undefined && { measured: { stepS: median, ratio: point.stepS / median } }),
      };
    });
    return { batchSize, points, paysUpTo: paysUpTo(points) };
  });
  return { mode, steps, model, link, bytes, overlap, curves };
}

/**
 * The line through steps of several sizes, by least squares of relative errors; neither part is below 0. Of a single size
 * all counts as the examples': the forecast is then the best that ranks could do.
 * @throws SlalomError "option" for no steps, or numbers that are not above 0
 */
export function stepModel(steps: readonly StepTime[]): StepModel {
  if (
    steps.length === 0 ||
    steps.some(
      ({ batchSize, seconds }) => !(batchSize > 0 && seconds > 0 && seconds < Number.POSITIVE_INFINITY),
    )
  )
    refuse(
      `steps ${steps.map(({ batchSize, seconds }) => `${batchSize}=${seconds}`).join(",")}`,
      "some of examples above 0 and seconds above 0, such as 50=0.0004,5000=0.006",
    );
  // Rows (u, v) with u fixed + v perExample = 1.
  const rows = steps.map(({ batchSize, seconds }) => [1 / seconds, batchSize / seconds]);
  const sum = (of: (u: number, v: number) => number): number =>
    rows.reduce((total, [u, v]) => total + of(u, v), 0);
  const [uu, uv, vv] = [sum((u) => u * u), sum((u, v) => u * v), sum((_, v) => v * v)];
  const [u1, v1] = [sum((u) => u), sum((_, v) => v)];
  const isOneSize = steps.every(({ batchSize }) => batchSize === steps[0].batchSize);
  const determinant = uu * vv - uv * uv;
  let [fixedS, perExampleS] = [(vv * u1 - uv * v1) / determinant, (uu * v1 - uv * u1) / determinant];
  if (isOneSize || fixedS < 0) [fixedS, perExampleS] = [0, v1 / vv];
  else if (perExampleS < 0) [fixedS, perExampleS] = [u1 / uu, 0];
  const errors = rows.map(([u, v]) => Math.abs(u * fixedS + v * perExampleS - 1));
  return { fixedS, perExampleS, largestError: Math.max(...errors) };
}

function refuse(received: string, expected: string): never {
  throw new SlalomError("option", `forecast: ${received}; expected ${expected}.`);
}

/** A forecast with what it is of. */
export interface StudyForecast extends Forecast {
  readonly study: string;
  readonly optimizer: string;
  /** Where the steps of one rank come from: a backend that was measured, or "given". */
  readonly stepsFrom: string;
  /** ISO 8601. */
  readonly date: string;
}
