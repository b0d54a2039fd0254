/**
 * Where a loop nest reads: for each axis of a tensor an affine function of the loop indices. Movement
 * operations are changes of this map, so they cost nothing.
 */
import { invariant } from "../../base/errors.js";
import { type Shape, sizeOf, stridesOf } from "../../base/shape.js";
import type { Node, Tensor } from "../../graph/tensor.js";

/** offset + sum over loop dimensions of index * coefficient. */
export interface Affine {
  readonly offset: number;
  readonly coefficients: readonly number[];
}

/** One affine function for each axis of the tensor that is read. */
export type IndexMap = readonly Affine[];

/** Every axis is the loop dimension of the same number. */
export const identityMap = (rank: number): IndexMap =>
  Array.from({ length: rank }, (_, axis) => ({
    offset: 0,
    coefficients: Array.from({ length: rank }, (_, d) => (d === axis ? 1 : 0)),
  }));

/** sum of function * weight. */
export function combine(map: IndexMap, weights: readonly number[], loopRank: number): Affine {
  const coefficients = new Array<number>(loopRank).fill(0);
  let offset = 0;
  map.forEach((axis, i) => {
    offset += axis.offset * weights[i];
    axis.coefficients.forEach((coefficient, d) => {
      coefficients[d] += coefficient * weights[i];
    });
  });
  return { offset, coefficients };
}

export type MovementNode = Node<"reshape"> | Node<"transpose"> | Node<"slice"> | Node<"broadcast">;

export const isMovement = (node: Tensor): node is MovementNode =>
  node.op === "reshape" || node.op === "transpose" || node.op === "slice" || node.op === "broadcast";

/** The map of a movement's input from the map of its output; undefined where a reshape's is not affine. */
export function mapThrough(node: MovementNode, map: IndexMap, extents: Shape): IndexMap | undefined {
  const [x] = node.inputs;
  switch (node.op) {
    case "transpose": {
      const { permutation } = node.attributes;
      const moved = new Array<Affine>(map.length);
      permutation.forEach((axis, i) => {
        moved[axis] = map[i];
      });
      return moved;
    }
    case "broadcast":
      return node.attributes.axes.map((axis) => map[axis]);
    case "slice":
      return map.map(({ offset, coefficients }, axis) => ({
        offset: offset * node.attributes.step[axis] + node.attributes.start[axis],
        coefficients: coefficients.map((coefficient) => coefficient * node.attributes.step[axis]),
      }));
    case "reshape":
      return unflatten(combine(map, stridesOf(node.shape), extents.length), x.shape, extents);
  }
}

/**
 * Splits a flat index into one for each axis, outermost first: loop dimensions whose coefficient is a multiple of
 * the axis' stride belong to it, and what is left must stay below that stride.
 */
function unflatten(flat: Affine, shape: Shape, extents: Shape): IndexMap | undefined {
  const strides = stridesOf(shape);
  let rest = flat;
  const result: Affine[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const stride = strides[axis];
    const belongs = rest.coefficients.map((coefficient) => coefficient % stride === 0);
    const offset = Math.floor(rest.offset / stride);
    result.push({
      offset,
      coefficients: rest.coefficients.map((coefficient, d) => (belongs[d] ? coefficient / stride : 0)),
    });
    rest = {
      offset: rest.offset - offset * stride,
      coefficients: rest.coefficients.map((coefficient, d) => (belongs[d] ? 0 : coefficient)),
    };
    const greatest = rest.coefficients.reduce(
      (sum, coefficient, d) => sum + Math.max(0, coefficient) * (extents[d] - 1),
      rest.offset,
    );
    if (greatest >= stride || rest.coefficients.some((coefficient) => coefficient < 0)) return undefined;
  }
  invariant(rest.offset === 0 || sizeOf(shape) <= 1, "a flat index is split without rest");
  return result;
}

/** Whether a reshape only splits axes or moves axes of extent 1, so that any map passes through it. */
export function splitsOnly(from: Shape, to: Shape): boolean {
  const source = from.filter((extent) => extent !== 1);
  let axis = 0;
  for (const extent of source) {
    let product = 1;
    while (product < extent && axis < to.length) product *= to[axis++];
    if (product !== extent) return false;
  }
  return true;
}
