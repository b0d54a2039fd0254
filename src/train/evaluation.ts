/** What the models in a program's memory give on a split, lane by lane. */
import type { TypedArray } from "../base/dtype.js";
import type { Executable } from "../compile/backend.js";
import type { SplitName } from "../learn/datasets/dataset.js";
import { laneOf } from "./bestParameters.js";
import { finalMetricName, type LaneTraining, metricName } from "./configuration.js";
import type { LaneProgram } from "./laneProgram.js";
import { evaluateEntry, names, statisticsEntry } from "./names.js";

/** A program with models in its memory. */
export interface Evaluated {
  readonly training: LaneTraining;
  readonly program: LaneProgram;
  readonly executable: Executable;
  /** Lanes of the program, those among them that have ended. */
  readonly width: number;
}

/** By metric, as rows name it, one value a lane. */
export type Measured = readonly (readonly [string, Float64Array])[];

/** Mean loss and metrics over a split: "validationAccuracy". */
export const evaluateSplit = (on: Evaluated, split: SplitName): Measured =>
  meansOver(on, split).map(([metric, means]) => [metricName(split, metric), means]);

/** On all training examples, as "finalTrainLoss": the loss is that which training descends. */
export function evaluateTrainingSplit(on: Evaluated): Measured {
  const { dataset, problem } = on.training;
  const factor = problem.reduction === "sum" ? dataset!.train.count : 1;
  return meansOver(on, "train").map(([metric, means]) => [
    finalMetricName(metric),
    metric === "loss" ? means.map((mean) => factor * mean) : means,
  ]);
}

/** What `measure` gives while some places hold other models, by variable; in the end all is as it was. */
export function withModels<T>(
  { program, executable, width }: Evaluated,
  models: ReadonlyMap<number, ReadonlyMap<string, TypedArray>>,
  measure: () => T,
): T {
  const kept = program.model.map(({ variable }) => [variable, executable.read(variable)] as const);
  for (const [name, values] of kept) {
    const replaced = values.slice();
    for (const [place, model] of models) laneOf(replaced, place, width).set(model.get(name)!);
    executable.write(name, replaced);
  }
  const measured = measure();
  for (const [name, values] of kept) executable.write(name, values);
  return measured;
}

/** Takes the statistics that averages of parameters need anew, over so many parts of the training split. */
export function takeStatistics(on: Evaluated, parts: number): void {
  on.executable.write(names.position, [0]);
  runMany(on, statisticsEntry, parts);
}

/** Runs an entry so many times, in as many calls as the program needs; traces are those of the last call. */
export function runMany({ program, executable }: Evaluated, entry: string, times: number): void {
  const { traceCapacity } = program.program;
  for (let left = times; left > 0; left -= traceCapacity)
    executable.run(entry, Math.min(left, traceCapacity));
}

function meansOver(on: Evaluated, split: SplitName): [string, Float64Array][] {
  const { training, program, executable, width } = on;
  const metrics = ["loss", ...program.built.metrics];
  for (const metric of metrics) executable.write(names.total(metric), new Array<number>(width).fill(0));
  executable.write(names.position, [0]);
  const { count } = training.dataset![split]!;
  runMany(on, evaluateEntry(split), Math.ceil(count / program.evaluationBatch[split]!));
  return metrics.map((metric) => {
    const means = Float64Array.from(executable.read(names.total(metric)), (total) => total / count);
    return [metric, means];
  });
}
