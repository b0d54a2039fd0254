/** The body of a loop kernel: expressions of the graph as instructions, reading memory through index maps. */
import { invariant } from "../../base/errors.js";
import { type Shape, stridesOf } from "../../base/shape.js";
import { isElementwise } from "../../graph/operations/index.js";
import type { Node, Tensor } from "../../graph/tensor.js";
import { exactJson } from "../exactJson.js";
import type { Access, ElementwiseInstruction, Instruction } from "../plan.js";
import {
  combine,
  type IndexMap,
  identityMap,
  isMovement,
  type MovementNode,
  mapThrough,
} from "./indexMap.js";
import type { JointProducts } from "./jointProducts.js";
import { isGiven, storedNode } from "./materialize.js";
import { viewOf } from "./views.js";

export interface BodyBuilder {
  /** The instruction that computes `node` at the loop's own index, though it is stored. */
  readonly compute: (node: Tensor) => number;
  /** Makes `node`, where it is read at the loop's own index, the value of that instruction. */
  readonly define: (node: Tensor, value: number) => void;
  /** The instruction that reads or computes `node` at the loop's own index. */
  readonly value: (node: Tensor) => number;
  readonly instructions: Instruction[];
}

export interface BodyOptions {
  readonly extents: Shape;
  readonly isStored: (node: Tensor) => boolean;
  /** The buffer of a stored or given node. */
  readonly bufferOf: (node: Tensor) => number;
  /** Ranks that the program is for. */
  readonly ranks: number;
  /** What they compute together. */
  readonly joint: JointProducts;
}

export function buildBody({ extents, isStored, bufferOf, ranks, joint }: BodyOptions): BodyBuilder {
  const instructions: Instruction[] = [];
  const known = new Map<string, number>();
  const numbers = new Map<Tensor, number>();
  const identity = identityMap(extents.length);
  const hasMemory = (node: Tensor): boolean =>
    isStored(node) || isGiven(node) || (node.op === "reshape" && hasMemory(node.inputs[0]));

  const emit = (instruction: Instruction): number => {
    const key = exactJson(instruction);
    const found = known.get(key);
    if (found !== undefined) return found;
    instructions.push(instruction);
    known.set(key, instructions.length - 1);
    return instructions.length - 1;
  };
  const placeKey = (node: Tensor, map: IndexMap): string => {
    if (!numbers.has(node)) numbers.set(node, numbers.size);
    return `${numbers.get(node)}@${map.map(({ offset, coefficients }) => `${offset}:${coefficients}`).join(";")}`;
  };
  const placed = new Map<string, number>();

  const accessTo = (node: Tensor, map: IndexMap, strides: readonly number[], offset = 0): Access => {
    const flat = combine(map, strides, extents.length);
    return { buffer: bufferOf(storedNode(node)), offset: offset + flat.offset, strides: flat.coefficients };
  };

  const valueAt = (node: Tensor, map: IndexMap): number => {
    const key = placeKey(node, map);
    const found = placed.get(key);
    if (found !== undefined) return found;
    // A reshape of memory reads the same memory, contiguous, by its own shape.
    const result = hasMemory(node)
      ? emit({ op: "load", dtype: node.dtype, access: accessTo(node, map, stridesOf(node.shape)) })
      : computeAt(node, map);
    placed.set(key, result);
    return result;
  };

  const computeAt = (node: Tensor, map: IndexMap): number => {
    const { dtype } = node;
    if (node.op === "full") return emit({ op: "literal", dtype, value: node.attributes.value });
    if (node.op === "iota") {
      const { offset, coefficients } = map[node.attributes.axis];
      return emit({ op: "index", dtype, offset, strides: coefficients });
    }
    if (node.op === "rank") {
      const strides = extents.map(() => 0);
      return emit({ op: "index", dtype, offset: 0, strides, perRank: 1 });
    }
    if (node.op === "allReduceSum") {
      const [part] = node.inputs;
      if (ranks === 1 || isSumOverRanks(part)) return valueAt(part, map);
      const parts = Array.from({ length: ranks }, (_, peer) => peerValueAt(part, map, peer));
      return parts.reduce((a, b) => emit({ op: "add", dtype, inputs: [a, b], attributes: {} }));
    }
    if (isMovement(node)) return valueAt(node.inputs[0], movedMap(node, map));
    if (node.op === "take") return gather(node, map);
    invariant(isElementwise(node.op), `${node.op} has a kernel of its own`);
    const inputs = node.inputs.map((input) => valueAt(input, map));
    return emit({ op: node.op, dtype, inputs, attributes: node.attributes } as {
      dtype: typeof dtype;
    } & ElementwiseInstruction);
  };

  const movedMap = (node: MovementNode, map: IndexMap): IndexMap => {
    const inner = mapThrough(node, map, extents);
    invariant(inner, `${node.op} of a value that is not stored has an affine index`);
    return inner;
  };

  /** Whether `node` is a view of a product that has summed the rows of all ranks already. */
  const isSumOverRanks = (node: Tensor): boolean =>
    hasMemory(node)
      ? joint.divided.get(storedNode(node)) === "rows"
      : isMovement(node) && isSumOverRanks(node.inputs[0]);

  /** What rank `peer` stored of `node`, a view of memory. */
  const peerValueAt = (node: Tensor, map: IndexMap, peer: number): number => {
    if (hasMemory(node)) {
      const access = accessTo(node, map, stridesOf(node.shape));
      return emit({ op: "load", dtype: node.dtype, access: { ...access, peer } });
    }
    invariant(isMovement(node), "what is summed over ranks lies in memory");
    return peerValueAt(node.inputs[0], movedMap(node, map), peer);
  };

  const gather = (node: Node<"take">, map: IndexMap): number => {
    const [x, indices] = node.inputs;
    const { axis } = node.attributes;
    const rank = indices.shape.length;
    const index = valueAt(indices, map.slice(axis, axis + rank));
    const view = viewOf(x, hasMemory);
    invariant(view, "what is gathered from lies in memory");
    const others = [...map.slice(0, axis), ...map.slice(axis + rank)];
    const access = accessTo(view.base, others, view.strides.toSpliced(axis, 1), view.offset);
    return emit({
      op: "gather",
      dtype: node.dtype,
      access,
      index,
      extent: x.shape[axis],
      stride: view.strides[axis],
    });
  };

  return {
    instructions,
    compute: (node) => computeAt(node, identity),
    define: (node, value) => placed.set(placeKey(node, identity), value),
    value: (node) => valueAt(node, identity),
  };
}
