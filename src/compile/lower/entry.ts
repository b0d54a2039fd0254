/** From the optimized graph of one entry to kernels over buffers. */

import { bytesOf } from "../../base/dtype.js";
import { invariant } from "../../base/errors.js";
import { sizeOf, stridesOf, type TensorType } from "../../base/shape.js";
import { permute } from "../../graph/operations/movement.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import { rewrite, topologicalOrder } from "../../graph/traverse.js";
import type { Access, Combine, Kernel, LoopKernel } from "../plan.js";
import { canonicalOrder, planContraction } from "./contraction.js";
import { formGroups, type Group, isReduction } from "./groups.js";
import { type BodyOptions, buildBody } from "./loopBody.js";
import { isComputed, isGiven, materialize, storedNode } from "./materialize.js";
import { schedule } from "./schedule.js";
import { viewOf } from "./views.js";

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

/** A piece of memory: a variable's own, a constant's, or a temporary for the kernels `first` to `last`. */
export type Slot =
  | { readonly kind: "variable"; readonly node: Node<"variable"> }
  | { readonly kind: "constant"; readonly node: Node<"constant"> }
  | {
      readonly kind: "temporary";
      readonly node: Tensor;
      readonly bytes: number;
      first: number;
      last: number;
    };

export function lowerEntry(entry: EntryGraph): LoweredEntry {
  const values = [...entry.updates.map(({ value }) => value), ...entry.traces.map(({ value }) => value)];
  const outputs = copyUnfitOperands(values);
  const order = topologicalOrder(outputs);
  const required = outputs.map(storedNode);
  const stored = materialize(
    order,
    required.filter((node) => !isGiven(node)),
  );
  const groups = formGroups(order, stored);
  const variables = entry.updates.map(({ variable }, i): [Tensor, Tensor] => [variable, outputs[i]]);
  const groupOf = new Map(
    groups.flatMap((group) => group.roots.map((root): [Tensor, Group] => [root, group])),
  );
  const { groups: scheduled, inPlace } = schedule(groups, groupOf, variables);
  const slots = new Slots(inPlace);
  const needed = neededOutside(scheduled, outputs);
  const isStored = (node: Tensor) => stored.has(node);
  const kernels: Kernel[] = [];
  for (const group of scheduled) kernels.push(...lowerGroup(group, { isStored, bufferOf: slots.of }, needed));

  // Traces of given values are copied before anything changes them; updates that could not be in place, last.
  const before: Kernel[] = [];
  const traces = entry.traces.map(({ name }, i) => {
    const value = storedNode(outputs[entry.updates.length + i]);
    if (!isGiven(value)) return { name, slot: slots.of(value) };
    const slot = slots.add(value);
    before.push(copyKernel(`keep ${name}`, value, slots.of(value), slot));
    return { name, slot };
  });
  const after: Kernel[] = [];
  entry.updates.forEach(({ name, variable }, i) => {
    const value = storedNode(outputs[i]);
    if (inPlace.get(value) === variable || value === variable) return;
    let source = slots.of(value);
    if (isGiven(value)) {
      // The source may be a variable that changes too: keep what it holds now.
      const kept = slots.add(value);
      before.push(copyKernel(`keep ${name}`, value, source, kept));
      source = kept;
    }
    after.push(copyKernel(`update ${name}`, value, source, slots.of(variable)));
  });
  const all = [...before, ...kernels, ...after];
  const slotList = slots.withLifetimes(
    all,
    traces.map(({ slot }) => slot),
  );
  return { kernels: all, slots: slotList, traces };
}

/** Contractions whose operands no library reads as they lie get a copy in an order that it does. */
function copyUnfitOperands(outputs: readonly Tensor[]): Tensor[] {
  return rewrite(outputs, (node) => {
    if (node.op !== "dot") return node;
    // An operand that is computed will be stored contiguous; a view of memory keeps its strides.
    const assumed = (operand: Tensor) =>
      viewOf(operand, isComputed) ?? { base: operand, offset: 0, strides: stridesOf(operand.shape) };
    const fits = (operands: readonly Tensor[], candidate: Node<"dot">) =>
      planContraction(candidate, assumed(operands[0]), assumed(operands[1]));
    if (fits(node.inputs, node)) return node;
    for (const sides of [[0], [1], [0, 1]] as const) {
      const reordered = reorder(node, sides);
      const views = ([0, 1] as const).map((side) =>
        (sides as readonly number[]).includes(side)
          ? { base: reordered.inputs[side], offset: 0, strides: stridesOf(reordered.inputs[side].shape) }
          : assumed(reordered.inputs[side]),
      );
      if (planContraction(reordered, views[0], views[1])) return reordered;
    }
    invariant(false, "a contraction of contiguous operands is a product");
  });
}

/** The same contraction with the operands of `sides` copied into canonical order. */
function reorder(node: Node<"dot">, sides: readonly (0 | 1)[]): Node<"dot"> {
  const inputs = [...node.inputs];
  const batch: [readonly number[], readonly number[]] = [...node.attributes.batch];
  const contract: [readonly number[], readonly number[]] = [...node.attributes.contract];
  for (const side of sides) {
    const order = canonicalOrder(node, side);
    // Adding zero-width padding is the copy: a node with memory of its own, in its own order.
    const moved = permute(inputs[side], order);
    inputs[side] = {
      op: "pad",
      inputs: [moved],
      attributes: { low: order.map(() => 0), high: order.map(() => 0), value: 0 },
      shape: moved.shape,
      dtype: moved.dtype,
    };
    batch[side] = batch[side].map((axis) => order.indexOf(axis));
    contract[side] = contract[side].map((axis) => order.indexOf(axis));
  }
  return { ...node, inputs, attributes: { batch, contract } };
}

/** Stored nodes that another kernel reads or that leave the entry: the others live in registers alone. */
function neededOutside(groups: readonly Group[], outputs: readonly Tensor[]): Set<Tensor> {
  const needed = new Set(outputs.map(storedNode));
  for (const group of groups) {
    for (const node of group.reads.keys()) if (!group.roots.includes(node)) needed.add(node);
  }
  return needed;
}

function lowerGroup(
  group: Group,
  memory: Omit<BodyOptions, "extents">,
  needed: ReadonlySet<Tensor>,
): Kernel[] {
  const [root] = group.roots;
  switch (root.op) {
    case "dot": {
      const hasMemory = (node: Tensor): boolean =>
        memory.isStored(node) || isGiven(node) || (node.op === "reshape" && hasMemory(node.inputs[0]));
      const views = root.inputs.map((operand) => viewOf(operand, hasMemory));
      const product = views[0] && views[1] && planContraction(root, views[0], views[1]);
      invariant(product, "the operands of a product lie in memory as a library reads them");
      const place = (side: "a" | "b", i: number) => ({
        ...product[side],
        buffer: memory.bufferOf(storedNode(views[i]!.base)),
      });
      return [
        {
          ...product,
          name: "dot",
          accumulate: false,
          a: place("a", 0),
          b: place("b", 1),
          c: { ...product.c, buffer: memory.bufferOf(root) },
        },
      ];
    }
    case "scatterAdd": {
      const { axis, extent } = root.attributes;
      const [updates, indices] = root.inputs;
      return [
        {
          kind: "scatterAdd",
          name: "scatterAdd",
          dtype: root.dtype,
          outer: sizeOf(root.shape.slice(0, axis)),
          count: sizeOf(indices.shape),
          extent,
          inner: sizeOf(root.shape.slice(axis + 1)),
          updates: memory.bufferOf(storedNode(updates)),
          indices: memory.bufferOf(storedNode(indices)),
          target: memory.bufferOf(root),
        },
      ];
    }
    case "pad": {
      const { low, value } = root.attributes;
      const fill =
        sizeOf(root.shape) === sizeOf(root.inputs[0].shape)
          ? []
          : [fillKernel(root, value, memory.bufferOf(root))];
      return [...fill, ...part(root, root.inputs[0], low, memory)];
    }
    case "concat": {
      let from = 0;
      return root.inputs.flatMap((input) => {
        const start = root.shape.map((_, i) => (i === root.attributes.axis ? from : 0));
        from += input.shape[root.attributes.axis];
        return part(root, input, start, memory);
      });
    }
    default:
      return nonEmpty(loopOf(group, memory, needed));
  }
}

const nonEmpty = (kernel: LoopKernel): Kernel[] =>
  kernel.extents.includes(0) && kernel.reductions.length === 0 ? [] : [kernel];

function loopOf(group: Group, memory: Omit<BodyOptions, "extents">, needed: ReadonlySet<Tensor>): LoopKernel {
  const extents = group.extents!;
  const body = buildBody({ ...memory, extents });
  const own = stridesOf(extents);
  const stores: { value: number; access: Access }[] = [];
  const reductions: { value: number; combine: Combine; access: Access }[] = [];
  for (const root of group.roots) {
    if (isReduction(root)) {
      const { axes } = root.attributes as { axes: readonly number[] };
      const kept = stridesOf(root.shape);
      let next = 0;
      const strides = extents.map((_, d) => (axes.includes(d) ? 0 : kept[next++]));
      reductions.push({
        value: body.value(root.inputs[0]),
        combine: combineOf(root),
        access: { buffer: memory.bufferOf(root), offset: 0, strides },
      });
    } else {
      const value = body.compute(root);
      body.define(root, value);
      if (needed.has(root))
        stores.push({ value, access: { buffer: memory.bufferOf(root), offset: 0, strides: own } });
    }
  }
  const operations = body.instructions
    .filter(({ op }) => op !== "load" && op !== "literal" && op !== "index")
    .map(({ op }) => op);
  const name = [...new Set([...operations, ...reductions.map(({ combine }) => combine)])].join(" ") || "copy";
  return {
    kind: "loop",
    name,
    extents,
    reduced: extents.map((_, d) => group.reducedAxes?.includes(d) ?? false),
    body: body.instructions,
    stores,
    reductions,
  };
}

const combineOf = (root: Tensor): Combine =>
  root.op === "sum" ? "sum" : root.op === "reduceMax" ? "max" : "min";

/** Stores `value`, whatever expression it is, into the part of `target` that begins at `start`. */
function part(
  target: Tensor,
  value: Tensor,
  start: readonly number[],
  memory: Omit<BodyOptions, "extents">,
): Kernel[] {
  if (value.shape.includes(0)) return [];
  const body = buildBody({ ...memory, extents: value.shape });
  const strides = stridesOf(target.shape);
  const offset = start.reduce((sum, from, axis) => sum + from * strides[axis], 0);
  const stored = body.value(value);
  return [
    {
      kind: "loop",
      name: target.op,
      extents: value.shape,
      reduced: value.shape.map(() => false),
      body: body.instructions,
      stores: [{ value: stored, access: { buffer: memory.bufferOf(target), offset, strides } }],
      reductions: [],
    },
  ];
}

const fillKernel = (target: Tensor, value: number, buffer: number): LoopKernel => ({
  kind: "loop",
  name: "fill",
  extents: [sizeOf(target.shape)],
  reduced: [false],
  body: [{ op: "literal", dtype: target.dtype, value }],
  stores: [{ value: 0, access: { buffer, offset: 0, strides: [1] } }],
  reductions: [],
});

function copyKernel(name: string, { shape, dtype }: TensorType, from: number, to: number): LoopKernel {
  const access = (buffer: number): Access => ({ buffer, offset: 0, strides: [1] });
  return {
    kind: "loop",
    name,
    extents: [sizeOf(shape)],
    reduced: [false],
    body: [{ op: "load", dtype, access: access(from) }],
    stores: [{ value: 0, access: access(to) }],
    reductions: [],
  };
}

/** Hands out slots for nodes, then finds how long each temporary lives. */
class Slots {
  private readonly list: Slot[] = [];
  private readonly numbers = new Map<Tensor, number>();

  constructor(private readonly inPlace: ReadonlyMap<Tensor, Tensor>) {}

  readonly of = (node: Tensor): number => {
    const owner = this.inPlace.get(node) ?? node;
    const found = this.numbers.get(owner);
    if (found !== undefined) return found;
    const number = this.add(owner, isGiven(owner));
    this.numbers.set(owner, number);
    return number;
  };

  /** A temporary of the node's type, or the given node's own memory. */
  add(node: Tensor, own = false): number {
    if (own && node.op === "variable") this.list.push({ kind: "variable", node });
    else if (own && node.op === "constant") this.list.push({ kind: "constant", node });
    else
      this.list.push({
        kind: "temporary",
        node,
        bytes: sizeOf(node.shape) * bytesOf(node.dtype),
        first: Number.POSITIVE_INFINITY,
        last: -1,
      });
    return this.list.length - 1;
  }

  withLifetimes(kernels: readonly Kernel[], kept: readonly number[]): Slot[] {
    kernels.forEach((kernel, i) => {
      for (const number of slotsOf(kernel)) {
        const slot = this.list[number];
        if (slot.kind !== "temporary") continue;
        slot.first = Math.min(slot.first, i);
        slot.last = Math.max(slot.last, i);
      }
    });
    for (const number of kept) {
      const slot = this.list[number];
      if (slot.kind === "temporary") slot.last = kernels.length;
    }
    return this.list;
  }
}

/** Every slot or buffer that a kernel reads or writes. */
export function slotsOf(kernel: Kernel): number[] {
  switch (kernel.kind) {
    case "gemm":
      return [kernel.a.buffer, kernel.b.buffer, kernel.c.buffer];
    case "scatterAdd":
      return [kernel.updates, kernel.indices, kernel.target];
    case "loop":
      return [
        ...kernel.body.flatMap((instruction) =>
          instruction.op === "load" || instruction.op === "gather" ? [instruction.access.buffer] : [],
        ),
        ...kernel.stores.map(({ access }) => access.buffer),
        ...kernel.reductions.map(({ access }) => access.buffer),
      ];
  }
}
