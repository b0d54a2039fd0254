/** What a program of lanes takes in memory, by purpose, read from its plan: nothing is run. */
import { bytesOf } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import { kernelEffects } from "../compile/kernelEffects.js";
import { aligned } from "../compile/lower/memory.js";
import type { Plan, PlanBuffer, PlanEntry } from "../compile/plan.js";
import { lifeOf, purposeOf } from "./names.js";

/** Bytes of the arena, over all ranks. */
export interface ProgramBytes {
  /** Parameters, what models keep beside them, and their averages; of all lanes. */
  readonly parameters: number;
  /** Of the optimizer; of all lanes. */
  readonly slots: number;
  /** Of gradients, where a batch is taken in parts; of all lanes. */
  readonly sums: number;
  /** The data set's splits. */
  readonly data: number;
  /** Activations, gradients and what else lives within a step; all entries share these bytes. */
  readonly temporaries: number;
  /** The entry that needs the most of them. */
  readonly widestEntry: string;
  /** Traces, constants, counters. */
  readonly rest: number;
  /** What a checkpoint holds of it. */
  readonly remembered: number;
}

/** Sums over the plan's buffers; the parts but `remembered` add up to its arena. */
export function programBytes(plan: Plan): ProgramBytes {
  const persistent = plan.buffers.filter(({ role }) => role !== "temporary");
  const total = (chosen: readonly PlanBuffer[]): number =>
    chosen.reduce((sum, buffer) => sum + bytesInArena(buffer) * copiesOf(buffer, plan), 0);
  const ofPurpose = (purpose: ReturnType<typeof purposeOf>): number =>
    total(persistent.filter(({ name, role }) => isVariable(role) && purposeOf(name) === purpose));
  const [parameters, slots, sums, data] = (["parameters", "slots", "sums", "data"] as const).map(ofPurpose);
  const all = total(persistent);
  const entries = Object.entries(plan.entries).map(([name, entry]) => ({
    name,
    bytes: temporariesOf(entry, plan),
  }));
  const widest = entries.reduce((most, entry) => (entry.bytes > most.bytes ? entry : most));
  return {
    parameters,
    slots,
    sums,
    data,
    temporaries: plan.arenaBytes - all,
    widestEntry: widest.name,
    rest: all - parameters - slots - sums - data,
    remembered: persistent
      .filter(({ name, role }) => isVariable(role) && lifeOf(name) !== "written")
      .reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * bytesOf(dtype), 0),
  };
}

const isVariable = (role: PlanBuffer["role"]): boolean => role === "state" || role === "input";

const bytesInArena = ({ shape, dtype }: PlanBuffer, copies = 1): number =>
  aligned(Math.max(1, copies * sizeOf(shape) * bytesOf(dtype)));

const copiesOf = ({ scope }: PlanBuffer, { ranks }: Plan): number => (scope === "private" ? ranks : 1);

/** From the first byte of an entry's temporaries to the last: those of each rank, and those of all together. */
function temporariesOf({ kernels }: PlanEntry, { buffers, ranks }: Plan): number {
  const touched = new Set(kernels.map(kernelEffects).flatMap(({ reads, writes }) => [...reads, ...writes]));
  const span = (isCounted: (buffer: PlanBuffer) => boolean): number => {
    const all = buffers.filter((buffer) => buffer.role === "temporary" && isCounted(buffer));
    const first = Math.min(...all.map(({ offset }) => offset));
    const ends = all
      .filter((buffer) => touched.has(buffers.indexOf(buffer)))
      .map((buffer) => buffer.offset + bytesInArena(buffer, buffer.scope === "stacked" ? ranks : 1));
    return ends.length === 0 ? 0 : Math.max(...ends) - first;
  };
  return ranks * span(({ scope }) => scope === "private") + span(({ scope }) => scope !== "private");
}
