/**
 * General contraction: every matrix product, batched or not, in one operation. Its output axes are the batch
 * axes, then the free axes of the left operand, then those of the right.
 */
import { allocate, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType, sizeOf, stridesOf } from "../../base/shape.js";
import type { DotAttributes, Tensor } from "../tensor.js";
import { forEachIndex } from "./broadcast.js";
import { type DefinedOperation, defineOperation } from "./define.js";
import { inverse, permute } from "./movement.js";
import { roundedOperand } from "./product.js";

export const dotOperation: DefinedOperation<"dot"> = defineOperation("dot", {
  infer: ([a, b], attributes) => {
    const { batch, contract } = attributes;
    const pairs = [...pairsOf(batch), ...pairsOf(contract)];
    const named = (side: 0 | 1) => new Set([...batch[side], ...contract[side]]).size === pairs.length;
    const fits =
      a.dtype === b.dtype &&
      isFloat(a.dtype) &&
      batch[0].length === batch[1].length &&
      contract[0].length === contract[1].length &&
      named(0) &&
      named(1) &&
      pairs.every(([i, j]) => a.shape[i] !== undefined && a.shape[i] === b.shape[j]);
    if (!fits) {
      throw new SlalomError(
        "shape",
        `dot: ${formatType(a)} x ${formatType(b)}, contracting axes [${contract[0]}] with [${contract[1]}], batch axes [${batch[0]}] with [${batch[1]}]; expected floating point of one dtype and pairs of distinct axes of equal extents.`,
      );
    }
    const extents = (side: 0 | 1) =>
      freeAxes(attributes, [a, b], side).map((axis) => [a, b][side].shape[axis]);
    return {
      shape: [...batch[0].map((axis) => a.shape[axis]), ...extents(0), ...extents(1)],
      dtype: a.dtype,
    };
  },
  gradient: (node, g) => [
    operandGradient(node.inputs, node.attributes, g, 0),
    operandGradient(node.inputs, node.attributes, g, 1),
  ],
  batch: ({ inputs: original, attributes }, inputs) => {
    const shift = (side: 0 | 1) => (axis: number) =>
      inputs[side].axis !== undefined && axis >= inputs[side].axis! ? axis + 1 : axis;
    const batch: [number[], number[]] = [
      attributes.batch[0].map(shift(0)),
      attributes.batch[1].map(shift(1)),
    ];
    const contract: [number[], number[]] = [
      attributes.contract[0].map(shift(0)),
      attributes.contract[1].map(shift(1)),
    ];
    const operands = inputs.map((input) => input.tensor);
    if (inputs[0].axis !== undefined && inputs[1].axis !== undefined) {
      const both: DotAttributes = {
        batch: [
          [inputs[0].axis, ...batch[0]],
          [inputs[1].axis, ...batch[1]],
        ],
        contract,
      };
      return { tensor: dotOperation.apply(operands, both), axis: 0 };
    }
    // One side alone has lanes: they are one more free axis of that side, and the product stays one product.
    const side = inputs[0].axis !== undefined ? 0 : 1;
    const tensor = dotOperation.apply(operands, { batch, contract });
    const free = freeAxes({ batch, contract }, operands, side);
    const before = side === 0 ? 0 : freeAxes(attributes, original, 0).length;
    return { tensor, axis: batch[0].length + before + free.indexOf(inputs[side].axis!) };
  },
  evaluate: (inputs, attributes, output) => {
    const { batch, contract } = attributes;
    const [a, b] = inputs.map((input) => roundedOperand(input, attributes));
    const strides = [stridesOf(a.shape), stridesOf(b.shape)] as const;
    const freeA = freeAxes(attributes, [a, b], 0);
    const freeB = freeAxes(attributes, [a, b], 1);
    const outer = (side: 0 | 1) => [
      ...batch[side].map((axis) => strides[side][axis]),
      ...freeA.map((axis) => (side === 0 ? strides[0][axis] : 0)),
      ...freeB.map((axis) => (side === 1 ? strides[1][axis] : 0)),
    ];
    const inner = contract[0].map((axis) => a.shape[axis]);
    const positionsOf = (shape: readonly number[], by: readonly number[]) => {
      const positions = new Int32Array(sizeOf(shape));
      forEachIndex(shape, by, 0, (position, i) => {
        positions[i] = position;
      });
      return positions;
    };
    const innerA = positionsOf(
      inner,
      contract[0].map((axis) => strides[0][axis]),
    );
    const innerB = positionsOf(
      inner,
      contract[1].map((axis) => strides[1][axis]),
    );
    const outerB = positionsOf(output.shape, outer(1));
    const data = allocate(output.dtype, sizeOf(output.shape));
    forEachIndex(output.shape, outer(0), 0, (position, i) => {
      let total = 0;
      for (let k = 0; k < innerA.length; k++)
        total += a.data[position + innerA[k]] * b.data[outerB[i] + innerB[k]];
      data[i] = total;
    });
    return data;
  },
});

export const dot = (a: Tensor, b: Tensor, attributes: DotAttributes): Tensor =>
  dotOperation.apply([a, b], attributes);

/** Axes of operand `side` that are neither batch nor contracted, ascending. */
export const freeAxes = (
  { batch, contract }: DotAttributes,
  operands: readonly { shape: readonly number[] }[],
  side: 0 | 1,
): number[] =>
  operands[side].shape
    .map((_, axis) => axis)
    .filter((axis) => !batch[side].includes(axis) && !contract[side].includes(axis));

const pairsOf = ([left, right]: readonly [readonly number[], readonly number[]]): [number, number][] =>
  left.map((axis, i) => [axis, right[i]]);

/** The gradient for operand `side`: the output's gradient contracted with the other over the other's free axes. */
function operandGradient(
  operands: readonly Tensor[],
  attributes: DotAttributes,
  g: Tensor,
  side: 0 | 1,
): Tensor {
  const other = (1 - side) as 0 | 1;
  const { batch, contract } = attributes;
  const free = [freeAxes(attributes, operands, 0), freeAxes(attributes, operands, 1)];
  const batchCount = batch[0].length;
  const from = other === 0 ? batchCount : batchCount + free[0].length;
  const product = dot(g, operands[other], {
    batch: [batch[0].map((_, i) => i), batch[other]],
    contract: [free[other].map((_, i) => from + i), free[other]],
  });
  // The product's axes are: batch, this side's free axes, then the other's contracted axes in ascending order.
  const order = contract[other]
    .map((axis, i) => ({ axis, mine: contract[side][i] }))
    .sort((x, y) => x.axis - y.axis);
  return permute(product, inverse([...batch[side], ...free[side], ...order.map(({ mine }) => mine)]));
}
