/** From the optimized graph of one entry to kernels over slots of memory, in the order in which they run. */
import { SlalomError } from "../../base/errors.js";
import type { Tensor } from "../../graph/tensor.js";
import { topologicalOrder } from "../../graph/traverse.js";
import { kernelEffects } from "../kernelEffects.js";
import type { Kernel, PlanBuffer } from "../plan.js";
import { type Arranged, arrangeForRanks } from "./barriers.js";
import { inBuckets } from "./buckets.js";
import type { DividedUpdates, WholeUpdates } from "./dividedUpdates.js";
import { formGroups, type Group, variesByRank } from "./groups.js";
import { joinKernels } from "./join.js";
import { jointProducts, noJointProducts } from "./jointProducts.js";
import { copyKernel, lowerGroup } from "./kernels.js";
import { isGiven, materialize, storedNode } from "./materialize.js";
import { sumsInPlace } from "./processSums.js";
import { type Schedule, schedule } from "./schedule.js";
import { type Slot, Slots } from "./slots.js";
import { copyUnfitOperands } from "./unfitOperands.js";
import { arrangeInWaves } from "./waves.js";

/** What an entry computes after the passes: its updates by variable, its traces by name. */
export interface EntryGraph {
  readonly updates: readonly { readonly name: string; readonly variable: Tensor; readonly value: Tensor }[];
  readonly traces: readonly { readonly name: string; readonly value: Tensor }[];
}

/** The ranks that run an entry, of each of some processes, and which variables exist once for all of a process. */
export interface RankSharing {
  readonly ranks: number;
  readonly processes: number;
  readonly isShared: (variable: Tensor) => boolean;
  /** Whether a rank that is alone runs kernels that wait for nothing of one another at once. */
  readonly inWaves: boolean;
}

/** Kernels whose accesses name memory slots; the planner turns slots into buffers. */
export interface LoweredEntry {
  readonly kernels: readonly Kernel[];
  readonly slots: readonly Slot[];
  /** The slot that holds each trace when the step is done. */
  readonly traces: readonly { readonly name: string; readonly slot: number }[];
  readonly inParts: readonly number[];
}

/** An entry before its kernels meet other ranks. */
export interface EntryKernels extends WholeUpdates {
  readonly traces: LoweredEntry["traces"];
}

/** Throws a SlalomError "internal" for an update that differs between ranks. */
export function entryKernels(entry: EntryGraph, { ranks, processes, isShared }: RankSharing): EntryKernels {
  const { updates, traces } = withFitOperands(entry);
  const outputs = [...updates, ...traces].map(({ value }) => value);
  const order = topologicalOrder(outputs);
  if (ranks * processes > 1) checkUpdates(updates, order);
  // Within a process readers add up what ranks stored; over processes sums travel, from memory to memory.
  const travelling = new Set(processes === 1 ? [] : order.filter(({ op }) => op === "allReduceSum"));
  const stored = materialize(order, [
    ...outputs.map(storedNode).filter((node) => !isGiven(node)),
    ...travelling,
  ]);
  const plan = schedule(
    formGroups(order, stored, travelling),
    updates.flatMap(({ variable, value }) =>
      travelling.has(storedNode(value)) ? [] : [[variable, value] as const],
    ),
    travelling,
  );
  const isStored = (node: Tensor): boolean => stored.has(node);
  const ends = new Set(outputs.map(storedNode));
  const joint = ranks === 1 ? noJointProducts : jointProducts(order, isStored, ends, { ranks, isShared });
  const inPlace = sumsInPlace(order, travelling, ends, { isStored, ranks, joint });
  const scopeOf = (node: Tensor): PlanBuffer["scope"] => {
    if (ranks === 1) return "private";
    if (joint.divided.get(node) === "rows" || travelling.has(node)) return "shared";
    return joint.stacked.has(node) ? "stacked" : "private";
  };
  const slots = new Slots(new Map([...plan.inPlace, ...inPlace]), scopeOf);
  const needed = neededOutside(plan.groups, outputs);
  const memory = { isStored, bufferOf: slots.of, ranks, joint };
  const computing = plan.groups.flatMap((group) => lowerGroup(group, memory, needed));
  const kept = keepTraces(traces, slots);
  const moved = moveUpdates(updates, plan, slots);
  const outside = new Set([
    ...kept.traces.map(({ slot }) => slot),
    ...[...kept.before, ...moved.before, ...moved.after].flatMap((kernel) => {
      const { reads, writes } = kernelEffects(kernel);
      return [...reads, ...writes];
    }),
  ]);
  const joined = joinKernels(computing, (slot) => slots.isTemporary(slot) && !outside.has(slot));
  return {
    kernels: [...kept.before, ...moved.before, ...joined, ...moved.after],
    slots,
    kept: new Set(kept.traces.map(({ slot }) => slot)),
    traces: kept.traces,
  };
}

/** The entry as ranks run it: sums that travel, meetings, and how long memory is in use. */
export function arrangeEntry(
  { kernels: whole, slots, kept, traces }: EntryKernels,
  { ranks, processes, isShared, inWaves }: RankSharing,
  { kernels: divided, inParts }: DividedUpdates = { kernels: whole, inParts: [] },
): LoweredEntry {
  const kernels = inBuckets(divided, (slot) => slots.at(slot).node, kept);
  const sharesSlot = (number: number): boolean => {
    const slot = slots.at(number);
    if (slot.kind === "temporary") return slot.scope === "shared";
    return slot.kind === "constant" || isShared(slot.node);
  };
  const arranged =
    ranks === 1
      ? inWaves && processes === 1
        ? arrangeInWaves(kernels, slots.temporaryBytes)
        : inOrder(kernels)
      : arrangeForRanks(kernels, { isShared: sharesSlot, isJoint: slots.isJoint });
  return {
    kernels: arranged.kernels,
    slots: slots.withLifetimes(arranged, kept),
    traces,
    inParts,
  };
}

const inOrder = (kernels: readonly Kernel[]): Arranged => ({
  kernels,
  phases: kernels.map((_, i) => ({ first: i, last: i })),
});

function checkUpdates(updates: EntryGraph["updates"], order: readonly Tensor[]): void {
  const varying = variesByRank(order);
  for (const { name, value } of updates) {
    if (!varying.has(value)) continue;
    throw new SlalomError(
      "internal",
      `update of "${name}": it differs between ranks; expected the same on all. Sum what differs with allReduceSum.`,
    );
  }
}

function withFitOperands({ updates, traces }: EntryGraph): EntryGraph {
  const values = copyUnfitOperands([...updates, ...traces].map(({ value }) => value));
  return {
    updates: updates.map((update, i) => ({ ...update, value: values[i] })),
    traces: traces.map((trace, i) => ({ ...trace, value: values[updates.length + i] })),
  };
}

/** Stored nodes that another kernel reads or that leave the entry: the others live in registers alone. */
function neededOutside(groups: readonly Group[], outputs: readonly Tensor[]): Set<Tensor> {
  const needed = new Set(outputs.map(storedNode));
  for (const group of groups) {
    for (const node of group.reads.keys()) if (!group.roots.includes(node)) needed.add(node);
  }
  return needed;
}

/** Where each trace lies at the end of the step: a given value is copied before anything changes it. */
function keepTraces(
  traces: EntryGraph["traces"],
  slots: Slots,
): { traces: { name: string; slot: number }[]; before: Kernel[] } {
  const before: Kernel[] = [];
  const placed = traces.map(({ name, value }) => {
    const node = storedNode(value);
    if (!isGiven(node)) return { name, slot: slots.of(node) };
    const slot = slots.add(node);
    before.push(copyKernel(`keep ${name}`, node, slots.of(node), slot));
    return { name, slot };
  });
  return { traces: placed, before };
}

/** The copies that bring updates into their variables where they could not be computed there. */
function moveUpdates(
  updates: EntryGraph["updates"],
  { inPlace }: Schedule,
  slots: Slots,
): { before: Kernel[]; after: Kernel[] } {
  const before: Kernel[] = [];
  const after: Kernel[] = [];
  for (const { name, variable, value } of updates) {
    const node = storedNode(value);
    if (inPlace.get(node) === variable || node === variable) continue;
    let source = slots.of(node);
    if (isGiven(node)) {
      // The source may be a variable that changes too: keep what it holds now.
      const kept = slots.add(node);
      before.push(copyKernel(`keep ${name}`, node, source, kept));
      source = kept;
    }
    after.push(copyKernel(`update ${name}`, node, source, slots.of(variable)));
  }
  return { before, after };
}
