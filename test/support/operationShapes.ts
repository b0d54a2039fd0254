/** Random shapes, axes and contractions that fit together. */
import fc from "fast-check";
import type { Shape } from "../../src/base/shape.js";
import { outputExtents } from "../../src/graph/operations/window.js";
import type { ConvolutionAttributes, Pair, PoolAttributes } from "../../src/graph/tensor.js";

export const seeds = fc.integer({ min: 0, max: 2 ** 30 });
export const extents = fc.integer({ min: 1, max: 3 });
export const shapes = (minLength = 0, maxLength = 3): fc.Arbitrary<number[]> =>
  fc.array(extents, { minLength, maxLength });
/** A shape and one of its axes. */
export const shapeAndAxis = shapes(1).chain((shape) =>
  fc.record({ shape: fc.constant(shape), axis: fc.integer({ min: 0, max: shape.length - 1 }) }),
);
/** A shape and some of its axes, ascending. */
export const shapeAndAxes = shapes(0).chain((shape) =>
  fc.record({
    shape: fc.constant(shape),
    axes: fc.subarray(shape.map((_, axis) => axis)),
  }),
);
export const permutationOf = (length: number): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray(
    Array.from({ length }, (_, i) => i),
    { minLength: length, maxLength: length },
  );

/** One axis of a slice. */
interface Cut {
  readonly extent: number;
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

const cuts: fc.Arbitrary<Cut> = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.nat(5), fc.nat(5), extents)
  .map(([extent, a, b, step]) => ({
    extent,
    start: Math.min(a, b, extent),
    stop: Math.min(Math.max(a, b), extent),
    step,
  }));

function assembleSlice(axes: Cut[]) {
  return {
    shape: axes.map(({ extent }) => extent),
    attributes: {
      start: axes.map(({ start }) => start),
      stop: axes.map(({ stop }) => stop),
      step: axes.map(({ step }) => step),
    },
  };
}

/** Two shapes and how they contract: up to two axes of each role, in any order. */
export const contractions = fc
  .record({
    batch: fc.array(extents, { maxLength: 2 }),
    contract: fc.array(extents, { maxLength: 2 }),
    left: fc.array(extents, { maxLength: 2 }),
    right: fc.array(extents, { maxLength: 2 }),
  })
  .chain((roles) => {
    const shared = roles.batch.length + roles.contract.length;
    return fc.tuple(
      fc.constant(roles),
      permutationOf(shared + roles.left.length),
      permutationOf(shared + roles.right.length),
    );
  })
  .map(([{ batch, contract, left, right }, leftOrder, rightOrder]) => {
    // `order[axis]` is the role at that axis: batch, then contracted, then free.
    const shapeBy = (order: number[], free: number[]) => {
      const roles = [...batch, ...contract, ...free];
      return order.map((role) => roles[role]);
    };
    const placesOf = (order: number[], from: number, count: number) =>
      Array.from({ length: count }, (_, i) => order.indexOf(from + i));
    const pairs = (from: number, count: number) =>
      [placesOf(leftOrder, from, count), placesOf(rightOrder, from, count)] as const;
    return {
      left: shapeBy(leftOrder, left),
      right: shapeBy(rightOrder, right),
      attributes: {
        batch: pairs(0, batch.length),
        contract: pairs(batch.length, contract.length),
      },
    };
  });

/** A shape and what cuts it. */
export const slices = fc.array(cuts, { maxLength: 3 }).map(assembleSlice);

/** A shape and another of as many elements. */
export const reshapings = shapes(0, 4).chain(reshapingsOf);

/** Another shape of as many elements: axes in another order, some joined, some of extent 1 put between. */
function reshapingsOf(shape: number[]): fc.Arbitrary<{ shape: Shape; attributes: { shape: Shape } }> {
  return fc
    .tuple(permutationOf(shape.length), fc.array(fc.nat(2), { minLength: 4, maxLength: 4 }))
    .map(([order, joins]) => {
      const target: number[] = [];
      for (const [i, axis] of order.entries()) {
        if (joins[i] === 0 && target.length > 0) target[target.length - 1] *= shape[axis];
        else if (joins[i] === 1) target.push(1, shape[axis]);
        else target.push(shape[axis]);
      }
      return { shape, attributes: { shape: target } };
    });
}

const small = (min: number, max: number) => fc.integer({ min, max });
const pairs = (min: number, max: number): fc.Arbitrary<Pair> => fc.tuple(small(min, max), small(min, max));

/** Images, filters and outputs of one convolution, with or without lanes on either operand. */
export const convolutions = fc
  .record({
    images: small(1, 2),
    input: pairs(1, 6),
    kernel: pairs(1, 3),
    stride: pairs(1, 2),
    padding: fc.tuple(pairs(0, 2), pairs(0, 2)),
    dilation: pairs(1, 2),
    groups: small(1, 2),
    channels: small(1, 2),
    filters: small(1, 3),
    lanes: fc.constantFrom([false, false], [false, false], [true, false], [false, true], [true, true]),
  })
  .map(({ images, input, kernel, groups, channels, filters, lanes, ...window }) => {
    const attributes: ConvolutionAttributes = { ...window, groups };
    const x = [images, ...input, channels * groups];
    const w = [filters * groups, ...kernel, channels];
    const y = [images, ...outputExtents(input, kernel, attributes), filters * groups];
    return { x, w, y, lanes, attributes };
  })
  .filter(({ y }) => y.every((extent) => extent >= 1));

/** Images, and what pooling makes of their shape. */
export const poolings = fc
  .record({
    images: small(1, 2),
    input: pairs(1, 6),
    size: pairs(1, 3),
    stride: pairs(1, 3),
    padding: fc.tuple(pairs(0, 1), pairs(0, 1)),
    channels: fc.constantFrom(1, 3, 4, 5),
  })
  .map(({ images, input, channels, ...attributes }) => ({
    x: [images, ...input, channels],
    y: [images, ...outputExtents(input, attributes.size, attributes), channels],
    attributes: attributes satisfies PoolAttributes,
  }))
  .filter(
    ({ y, attributes: { size, padding } }) =>
      y.every((extent) => extent >= 1) &&
      padding.every((widths, axis) => widths.every((width) => width < size[axis])),
  );
