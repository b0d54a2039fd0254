/**
 * The order of kernels, in which sums over processes come as early as they can, and where variables are updated: in place
 * if everything that reads the old value can run before, else through a temporary and a copy at the end of the step.
 */
import type { Tensor } from "../../graph/tensor.js";
import { bucketsOf } from "./buckets.js";
import { dependencies, dependsOn, type Group, isReduction } from "./groups.js";
import { storedNode } from "./materialize.js";

export interface Schedule {
  readonly groups: readonly Group[];
  /** Stored nodes that are computed right into the variable they update. */
  readonly inPlace: ReadonlyMap<Tensor, Tensor>;
}

/**
 * @param updates pairs of a variable and the node of its new value
 * @param travelling stored nodes that are sums over processes
 */
export function schedule(
  groups: readonly Group[],
  updates: readonly (readonly [Tensor, Tensor])[],
  travelling: ReadonlySet<Tensor>,
): Schedule {
  const groupOf = new Map(
    groups.flatMap((group) => group.roots.map((root): [Tensor, Group] => [root, group])),
  );
  const after = new Map<Group, Set<Group>>();
  const extra = (group: Group): Iterable<Group> => after.get(group) ?? [];
  const inPlace = new Map<Tensor, Tensor>();
  for (const [variable, value] of updates) {
    const root = storedNode(value);
    const writer = groupOf.get(root);
    if (!writer || inPlace.has(root)) continue;
    const own = writer.reads.get(variable);
    // Only a loop that computes an element from the same element may overwrite what it reads.
    if (own && !(own.sameIndex && !isReduction(root) && writer.extents)) continue;
    const readers = groups.filter((group) => group !== writer && group.reads.has(variable));
    if (readers.some((reader) => dependsOn(reader, writer, groupOf, extra))) continue;
    inPlace.set(root, variable);
    after.set(writer, new Set([...(after.get(writer) ?? []), ...readers]));
  }
  const before = (group: Group): Group[] => [...dependencies(group, groupOf), ...extra(group)];
  return { groups: sorted(aroundSums(groups, travelling, before), before), inPlace };
}

/**
 * Sums that travel come first, those before others that need fewer groups: the gradients of the last layers before those
 * of the first. What needs them follows in the order in which they leave, so that the first updates hide the last
 * journeys.
 */
function aroundSums(
  groups: readonly Group[],
  travelling: ReadonlySet<Tensor>,
  before: (group: Group) => readonly Group[],
): readonly Group[] {
  if (travelling.size === 0) return groups;
  const needed = (group: Group): number => {
    const seen = new Set([group]);
    for (const one of seen) for (const other of before(one)) seen.add(other);
    return seen.size;
  };
  const sums = groups
    .filter(({ roots }) => roots.some((root) => travelling.has(root)))
    .map((group) => ({ group, needed: needed(group) }))
    .sort((a, b) => a.needed - b.needed)
    .map(({ group }) => group);
  const leaving = new Map(
    bucketsOf(sums.map(({ roots: [root] }) => root)).flatMap((bucket) =>
      bucket.map((i) => [sums[i], bucket[bucket.length - 1]] as const),
    ),
  );
  const lastNeeded = new Map<Group, number>();
  const lastOf = (group: Group): number => {
    const known = lastNeeded.get(group);
    if (known !== undefined) return known;
    const last = Math.max(leaving.get(group) ?? -1, ...before(group).map(lastOf));
    lastNeeded.set(group, last);
    return last;
  };
  return [...sums, ...[...groups].sort((a, b) => lastOf(a) - lastOf(b))];
}

/** Topological order that otherwise keeps the given one. */
function sorted(groups: readonly Group[], before: (group: Group) => Iterable<Group>): Group[] {
  const result: Group[] = [];
  const done = new Set<Group>();
  const visit = (group: Group): void => {
    if (done.has(group)) return;
    done.add(group);
    for (const other of before(group)) visit(other);
    result.push(group);
  };
  for (const group of groups) visit(group);
  return result;
}
