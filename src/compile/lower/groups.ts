/**
 * Which stored tensors one kernel computes together. A group is a loop nest over one index space; tensors join
 * it where one is read by another at the same index, or where both read the same memory at the same index.
 */
import { type Shape, sameShape, sizeOf } from "../../base/shape.js";
import { isElementwise } from "../../graph/operations/index.js";
import type { Tensor } from "../../graph/tensor.js";
import { isGiven, ownKernels, storedNode } from "./materialize.js";

export interface Group {
  /** The stored nodes that it computes, inputs first. */
  readonly roots: Tensor[];
  /** The index space of a loop nest; undefined: a kernel of another kind, with one root. */
  readonly extents: Shape | undefined;
  /** The axes that its reductions fold; undefined: it has none. */
  reducedAxes: readonly number[] | undefined;
  /** What it reads: stored or given nodes, and whether always at the loop's own index. */
  readonly reads: Map<Tensor, { sameIndex: boolean }>;
  /** What ranks must have in common to compute it; see `meetingsOf`. */
  readonly meeting: string;
}

const reductions = new Set(["sum", "reduceMax", "reduceMin"]);
export const isReduction = (node: Tensor): boolean => reductions.has(node.op);

/** The tensor whose index space the root's loops walk. */
const walked = (root: Tensor): Tensor => (isReduction(root) ? root.inputs[0] : root);

/**
 * Groups for the stored nodes of `order` (inputs first), merged where that saves memory traffic.
 * @param alone stored nodes that have kernels of their own, though others of their operation need none
 */
export function formGroups(
  order: readonly Tensor[],
  stored: ReadonlySet<Tensor>,
  alone: ReadonlySet<Tensor>,
): Group[] {
  const groups: Group[] = [];
  const groupOf = new Map<Tensor, Group>();
  const meetings = meetingsOf(order);
  for (const node of order) {
    if (!stored.has(node)) continue;
    const loops = (!ownKernels.has(node.op) || isReduction(node)) && !alone.has(node);
    const single = groupFor(node, stored, loops, meetings.get(node)!);
    const host =
      single.extents &&
      candidates(single, groups, groupOf).find((group) => canMerge(group, single, groups, groupOf));
    if (!host) {
      groups.push(single);
      groupOf.set(node, single);
      continue;
    }
    absorb(host, single);
    groupOf.set(node, host);
    // The newcomer may tie its host to other groups that it reads at the same index.
    mergeNeighbours(host, groups, groupOf);
  }
  const position = new Map(order.map((node, i) => [node, i]));
  for (const group of groups) group.roots.sort((a, b) => position.get(a)! - position.get(b)!);
  return groups;
}

/** Groups that `group` must run after: those that compute what it reads. */
export function dependencies(group: Group, groupOf: ReadonlyMap<Tensor, Group>): Set<Group> {
  const result = new Set<Group>();
  for (const node of group.reads.keys()) {
    const producer = groupOf.get(node);
    if (producer && producer !== group) result.add(producer);
  }
  return result;
}

/** Whether `from` must run after `to`, directly or through others. */
export function dependsOn(
  from: Group,
  to: Group,
  groupOf: ReadonlyMap<Tensor, Group>,
  extra?: (group: Group) => Iterable<Group>,
): boolean {
  const seen = new Set<Group>();
  const stack = [from];
  while (stack.length > 0) {
    const group = stack.pop()!;
    if (group === to) return true;
    if (seen.has(group)) continue;
    seen.add(group);
    stack.push(...dependencies(group, groupOf), ...(extra?.(group) ?? []));
  }
  return false;
}

function groupFor(root: Tensor, stored: ReadonlySet<Tensor>, loops: boolean, meeting: string): Group {
  const reads = new Map<Tensor, { sameIndex: boolean }>();
  collectReads(root, stored, reads);
  return {
    roots: [root],
    extents: loops ? walked(root).shape : undefined,
    reducedAxes: isReduction(root) ? (root.attributes as { axes: readonly number[] }).axes : undefined,
    reads,
    meeting,
  };
}

/**
 * For each node how many sums over ranks came before it, and whether it differs between ranks. A kernel that updates
 * what ranks share must not compute what they don't, and none should wait for a sum that it does not need.
 */
function meetingsOf(order: readonly Tensor[]): Map<Tensor, string> {
  const sums = new Map<Tensor, number>();
  for (const node of order) {
    const before = Math.max(0, ...node.inputs.map((input) => sums.get(input)!));
    sums.set(node, before + (node.op === "allReduceSum" ? 1 : 0));
  }
  const varying = variesByRank(order);
  return new Map(order.map((node) => [node, `${sums.get(node)} ${varying.has(node)}`]));
}

/** The nodes of `order` (inputs first) that depend on the rank's number other than through a sum over all ranks. */
export function variesByRank(order: readonly Tensor[]): Set<Tensor> {
  const varying = new Set<Tensor>();
  for (const node of order) {
    if (node.op === "rank" || (node.op !== "allReduceSum" && node.inputs.some((input) => varying.has(input))))
      varying.add(node);
  }
  return varying;
}

/** Walks the expression of `root` down to memory; anything but an elementwise step may move the index. */
function collectReads(
  root: Tensor,
  stored: ReadonlySet<Tensor>,
  reads: Map<Tensor, { sameIndex: boolean }>,
): void {
  const seen = new Map<Tensor, boolean>();
  const stack: { node: Tensor; sameIndex: boolean }[] = root.inputs.map((node) => ({
    node,
    sameIndex: isElementwise(root.op) || isReduction(root),
  }));
  while (stack.length > 0) {
    const { node, sameIndex } = stack.pop()!;
    if (seen.get(node) === false || seen.get(node) === sameIndex) continue;
    seen.set(node, sameIndex && (seen.get(node) ?? true));
    const memory = storedNode(node);
    if (stored.has(memory) || isGiven(memory)) {
      const exact = sameIndex && memory === node;
      reads.set(memory, { sameIndex: exact && (reads.get(memory)?.sameIndex ?? true) });
      continue;
    }
    for (const input of node.inputs)
      stack.push({ node: input, sameIndex: sameIndex && isElementwise(node.op) });
  }
}

/** Groups worth joining: producers read at the same index first, then readers of the same large memory. */
function candidates(group: Group, groups: readonly Group[], groupOf: ReadonlyMap<Tensor, Group>): Group[] {
  const producers: Group[] = [];
  const siblings: Group[] = [];
  for (const [node, { sameIndex }] of group.reads) {
    if (!sameIndex) continue;
    const producer = groupOf.get(node);
    if (producer) producers.push(producer);
    if (sizeOf(node.shape) < sizeOf(group.extents!)) continue;
    siblings.push(...groups.filter((other) => other.reads.get(node)?.sameIndex));
  }
  return [...new Set([...producers, ...siblings.reverse()])];
}

function canMerge(
  host: Group,
  guest: Group,
  groups: readonly Group[],
  groupOf: ReadonlyMap<Tensor, Group>,
): boolean {
  if (host === guest || !host.extents || !guest.extents || !sameShape(host.extents, guest.extents))
    return false;
  if (host.meeting !== guest.meeting) return false;
  if (host.reducedAxes && guest.reducedAxes && !sameShape(host.reducedAxes, guest.reducedAxes)) return false;
  // What one computes, the other may read only at the same index, and only if it is complete there.
  const compatible = (reader: Group, producer: Group) =>
    producer.roots.every((root) => {
      const read = reader.reads.get(root);
      return !read || (read.sameIndex && !isReduction(root));
    });
  if (!compatible(guest, host) || !compatible(host, guest)) return false;
  // No third group may have to run between them.
  const between = (from: Group, to: Group) =>
    groups.some(
      (other) =>
        other !== host &&
        other !== guest &&
        dependencies(from, groupOf).has(other) &&
        dependsOn(other, to, groupOf),
    );
  return !between(guest, host) && !between(host, guest);
}

function absorb(host: Group, guest: Group): void {
  host.roots.push(...guest.roots);
  host.reducedAxes ??= guest.reducedAxes;
  for (const [node, { sameIndex }] of guest.reads) {
    host.reads.set(node, { sameIndex: sameIndex && (host.reads.get(node)?.sameIndex ?? true) });
  }
}

function mergeNeighbours(host: Group, groups: Group[], groupOf: Map<Tensor, Group>): void {
  for (const other of candidates(host, groups, groupOf)) {
    if (other === host || !groups.includes(other) || !canMerge(other, host, groups, groupOf)) continue;
    absorb(host, other);
    for (const root of other.roots) groupOf.set(root, host);
    groups.splice(groups.indexOf(other), 1);
  }
}
