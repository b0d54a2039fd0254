/** From a group of stored tensors to the kernels that compute it. */
import { invariant } from "../../base/errors.js";
import { sizeOf, stridesOf, type TensorType } from "../../base/shape.js";
import type { Tensor } from "../../graph/tensor.js";
import type { Access, Combine, GemmKernel, GemmOperand, Kernel, LoopKernel } from "../plan.js";
import { planContraction } from "./contraction.js";
import { type Group, isReduction } from "./groups.js";
import { convolutionKernel, poolKernel } from "./images.js";
import { type BodyOptions, buildBody } from "./loopBody.js";
import { isGiven, storedNode } from "./materialize.js";
import { lowerProcessSum } from "./processSums.js";
import { viewOf } from "./views.js";

/** @param needed stored nodes that someone reads from memory; the others of the group stay in registers */
export function lowerGroup(
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
      const own: GemmKernel = {
        ...product,
        name: "dot",
        ...(root.attributes.precision && { precision: root.attributes.precision }),
        accumulate: false,
        a: place("a", 0),
        b: place("b", 1),
        c: { ...product.c, buffer: memory.bufferOf(root) },
      };
      const divided = memory.joint.divided.get(root);
      return [divided ? jointProduct(own, divided, memory.ranks) : own];
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
    case "conv2d":
    case "conv2dInput":
    case "conv2dKernel":
      return [convolutionKernel(root, (node) => memory.bufferOf(storedNode(node)))];
    case "maxPool2d":
    case "argmaxPool2d":
    case "unpool2d":
    case "pickPool2d":
    case "sumPool2d":
    case "spreadPool2d":
      return [poolKernel(root, (node) => memory.bufferOf(storedNode(node)))];
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
    case "allReduceSum":
      return group.extents ? nonEmpty(loopOf(group, memory, needed)) : lowerProcessSum(root, memory);
    default:
      return nonEmpty(loopOf(group, memory, needed));
  }
}

/** The product of the rows of all ranks in place of one rank's, divided among them. */
function jointProduct(own: GemmKernel, divided: "rows" | "columns", ranks: number): GemmKernel {
  const ofAll = (operand: GemmOperand): GemmOperand => ({ ...operand, peer: 0 });
  const a = ofAll(own.a);
  return divided === "rows"
    ? { ...own, divided, k: own.k * ranks, a, b: ofAll(own.b) }
    : { ...own, divided, m: own.m * ranks, a, c: ofAll(own.c) };
}

/** A loop over nothing is no kernel, unless a reduction has to write its identity. */
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

/** Copies a tensor's memory to another place. */
export function copyKernel(name: string, { shape, dtype }: TensorType, from: number, to: number): LoopKernel {
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
