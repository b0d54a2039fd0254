/** From the optimized graph of one entry to kernels over slots of memory, in the order in which they run. */
import type { Tensor } from "../../graph/tensor.js";
import { topologicalOrder } from "../../graph/traverse.js";
import { kernelEffects } from "../kernelEffects.js";
import type { Kernel } from "../plan.js";
import { formGroups, type Group } from "./groups.js";
import { joinKernels } from "./join.js";
import { copyKernel, lowerGroup } from "./kernels.js";
import { isGiven, materialize, storedNode } from "./materialize.js";
import { type Schedule, schedule } from "./schedule.js";
import { type Slot, Slots } from "./slots.js";
import { copyUnfitOperands } from "./unfitOperands.js";

/** What an entry computes after the passes: its updates by variable, its traces by name. */
export interface EntryGraph {
  readonly updates: readonly { readonly name: string; readonly variable: Tensor; readonly value: Tensor }[];
  readonly traces: readonly { readonly name: string; readonly value: Tensor }[];
}

/** Kernels whose accesses name memory slots; the planner turns slots into buffers. */
export interface LoweredEntry {
  readonly kernels: readonly Kernel[];
  readonly slots: readonly Slot[];
  /** The slot that holds each trace when the step is done. */
  readonly traces: readonly { readonly name: string; readonly slot: number }[];
}

export function lowerEntry(entry: EntryGraph): LoweredEntry {
  const { updates, traces } = withFitOperands(entry);
  const outputs = [...updates, ...traces].map(({ value }) => value);
  const order = topologicalOrder(outputs);
  const stored = materialize(
    order,
    outputs.map(storedNode).filter((node) => !isGiven(node)),
  );
  const plan = schedule(
    formGroups(order, stored),
    updates.map(({ variable, value }) => [variable, value]),
  );
  const slots = new Slots(plan.inPlace);
  const needed = neededOutside(plan.groups, outputs);
  const memory = { isStored: (node: Tensor) => stored.has(node), bufferOf: slots.of };
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
  const kernels = [...kept.before, ...moved.before, ...joined, ...moved.after];
  return {
    kernels,
    slots: slots.withLifetimes(
      kernels,
      kept.traces.map(({ slot }) => slot),
    ),
    traces: kept.traces,
  };
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
