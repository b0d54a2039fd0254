/**
 * A training of lanes at one step, whole: every variable with a history, and what the loop remembers of each lane. A
 * loop that goes on from it makes the same numbers as one that was never interrupted.
 */
import { SlalomError } from "../base/errors.js";
import { formatType, type HostTensor, sameShape } from "../base/shape.js";
import type { Program } from "../compile/program.js";
import type { BestEvaluation } from "./bestParameters.js";
import type { LaneSnapshot } from "./lane.js";
import { lifeOf } from "./laneProgram.js";

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

export const bestTensorName = (lane: number, variable: string): string => `${bestPrefix}${lane}/${variable}`;

/** The values of a lane's best evaluation, by variable. */
export function bestValues({ tensors }: LoopSnapshot, lane: number): Map<string, HostTensor["data"]> {
  const prefix = bestTensorName(lane, "");
  return new Map(
    Object.entries(tensors).flatMap(([name, { data }]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), data] as const] : [],
    ),
  );
}
