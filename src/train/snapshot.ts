/**
 * A training of lanes at one step, whole: every variable with a history, and what the loop remembers of each lane. A
 * loop that goes on from it makes the same numbers as one that was never interrupted.
 */
import { SlalomError } from "../base/errors.js";
import { formatType, type HostTensor, sameShape } from "../base/shape.js";
import type { Executable } from "../compile/backend.js";
import type { Program } from "../compile/program.js";
import type { BestEvaluation, BestParameters } from "./bestParameters.js";
import type { Lane, LaneSnapshot } from "./lane.js";
import { lifeOf } from "./names.js";

export interface LoopSnapshot {
  /** Updates made. */
  readonly step: number;
  /**
   * By place in the program: the number of its lane, and whether it still trains. Places of lanes that ended stay, as
   * products of another width round otherwise.
   */
  readonly places: readonly { readonly lane: number; readonly living: boolean }[];
  /** Of the lanes that still train. */
  readonly lanes: readonly LaneSnapshot[];
  /** By lane, where evaluations rank parameters. */
  readonly best: readonly (Omit<BestEvaluation, "values"> & { readonly lane: number })[];
  /** Variables by name; those of best evaluations as "best/<lane>/<variable>". */
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

/** Variables that a snapshot holds: the others are written before they are read. */
export const rememberedVariables = ({ variables }: Program): string[] =>
  Object.keys(variables).filter((name) => lifeOf(name) !== "written");

export interface SnapshotOptions {
  readonly program: Program;
  readonly executable: Executable;
  readonly step: number;
  /** By place: its lane's number, and the lane while it trains. */
  readonly places: readonly { readonly number: number; readonly lane: Lane | undefined }[];
  readonly best: BestParameters | undefined;
}

export function takeSnapshot({ program, executable, step, places, best }: SnapshotOptions): LoopSnapshot {
  const { variables } = program;
  const tensors: Record<string, HostTensor> = {};
  for (const name of rememberedVariables(program)) {
    const { shape, dtype } = variables[name];
    tensors[name] = { shape, dtype, data: executable.read(name) };
  }
  const living = places.flatMap(({ lane }) => lane ?? []);
  const ranked = living.flatMap(({ number }) => {
    const evaluation = best?.of(number);
    if (!evaluation) return [];
    for (const [name, data] of evaluation.values) {
      const { shape, dtype } = variables[name];
      tensors[bestTensorName(number, name)] = { shape: shape.slice(1), dtype, data };
    }
    const { step: bestStep, value, row } = evaluation;
    return [{ lane: number, step: bestStep, value, row }];
  });
  return {
    step,
    places: places.map(({ number, lane }) => ({ lane: number, living: lane !== undefined })),
    lanes: living.map((lane) => lane.snapshot()),
    best: ranked,
    tensors,
  };
}

/** @throws SlalomError "store" where the snapshot is of another program, with the first difference */
export function checkSnapshot({ tensors }: LoopSnapshot, program: Program, source: string): void {
  const fail = (difference: string): never => {
    throw new SlalomError(
      "store",
      `${source} is a checkpoint of another training: ${difference}. Restore the study as it was, or begin anew with --fresh.`,
    );
  };
  const wanted = rememberedVariables(program);
  for (const name of wanted) {
    const here = program.variables[name];
    const there = tensors[name] ?? fail(`it has no ${name}, which is ${formatType(here)} here`);
    if (there.dtype !== here.dtype || !sameShape(there.shape, here.shape))
      fail(`${name} is ${formatType(there)} there and ${formatType(here)} here`);
  }
  const extra = Object.keys(tensors).find((name) => !name.startsWith(bestPrefix) && !wanted.includes(name));
  if (extra !== undefined) fail(`it has ${extra}, which is not here`);
}

const bestPrefix = "best/";

const bestTensorName = (lane: number, variable: string): string => `${bestPrefix}${lane}/${variable}`;

/** The values of a lane's best evaluation, by variable. */
export function bestValues({ tensors }: LoopSnapshot, lane: number): Map<string, HostTensor["data"]> {
  const prefix = bestTensorName(lane, "");
  return new Map(
    Object.entries(tensors).flatMap(([name, { data }]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), data] as const] : [],
    ),
  );
}
