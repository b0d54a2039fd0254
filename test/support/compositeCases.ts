/** Random valid uses of the functions that are made of several operations. */
import fc from "fast-check";
import { type HostTensor, type Shape, sizeOf } from "../../src/base/shape.js";
import * as f from "../../src/graph/index.js";
import { constant } from "../../src/graph/operations/leaves.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { unitsFrom } from "./numbers.js";
import type { OperationCase } from "./operationCases.js";

/** A function of float operands whose shapes are drawn, with values in (-2, 2). */
function composite(
  draws: fc.Arbitrary<{
    readonly shapes: readonly Shape[];
    readonly build: (...operands: Tensor[]) => Tensor;
  }>,
): OperationCase {
  return {
    dtypes: ["float32", "float64"],
    differentiable: [0, 1, 2],
    instances: (dtype) =>
      fc.tuple(draws, fc.integer({ min: 0, max: 2 ** 30 })).map(([{ shapes, build }, seed]) => {
        const redraw = (other: number): HostTensor[] => {
          const next = unitsFrom(other);
          return shapes.map((shape) => {
            const data =
              dtype === "float32" ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape));
            return { shape, dtype, data: data.map(() => 2 * next()) };
          });
        };
        return { inputs: redraw(seed), redraw, build: (tensors) => build(...tensors) };
      }),
  };
}

const extents = fc.integer({ min: 1, max: 3 });
const shapes = fc.array(extents, { maxLength: 3 });
const shapesWithAxes = fc.array(extents, { minLength: 1, maxLength: 3 });

const onAnyShape = (build: (x: Tensor) => Tensor): OperationCase =>
  composite(shapes.map((shape) => ({ shapes: [shape], build })));

const alongAxis = (build: (x: Tensor, axis: number) => Tensor): OperationCase =>
  composite(
    shapesWithAxes.chain((shape) =>
      fc.integer({ min: -shape.length, max: shape.length - 1 }).map((axis) => ({
        shapes: [shape],
        build: (x: Tensor) => build(x, axis),
      })),
    ),
  );

const overAxes = (build: (x: Tensor, options: f.ReductionOptions) => Tensor): OperationCase =>
  composite(
    shapesWithAxes.chain((shape) =>
      fc
        .record({
          axis: fc.option(fc.subarray(shape.map((_, axis) => axis)), { nil: undefined }),
          keepDims: fc.boolean(),
        })
        .map((options) => ({ shapes: [shape], build: (x: Tensor) => build(x, options) })),
    ),
  );

/** Two shapes that broadcast: some axes cut to 1, some leading axes left out. */
const broadcasting = fc
  .tuple(
    shapes,
    fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    fc.tuple(fc.nat(3), fc.nat(3), fc.boolean()),
  )
  .map(([shape, thin, [dropped, , first]]) => {
    const cut = (from: number) => shape.map((extent, i) => (thin[from + i] ? 1 : extent));
    const pair = [cut(0), cut(3).slice(Math.min(dropped, shape.length))];
    return first ? pair : pair.reverse();
  });

const pairwise = (build: (a: Tensor, b: Tensor) => Tensor): OperationCase =>
  composite(broadcasting.map((pair) => ({ shapes: pair, build })));

/** Every form of a matrix product: vectors, matrices, stacks on either side, stacks that broadcast. */
const products = fc
  .tuple(broadcasting, extents, extents, extents, fc.constantFrom("both", "left vector", "right vector"))
  .map(([[a, b], m, k, n, form]) => ({
    shapes: [form === "left vector" ? [k] : [...a, m, k], form === "right vector" ? [k] : [...b, k, n]],
    build: f.matmul,
  }));

/** Images, filters and a bias, in two layers' worth of options. */
const images = fc
  .record({
    images: extents,
    extent: fc.integer({ min: 3, max: 5 }),
    channels: extents,
    filters: extents,
    padding: fc.constantFrom("same" as const, 1),
    stride: fc.constantFrom(1, 2),
  })
  .map(({ images: count, extent, channels, filters, ...options }) => ({
    shapes: [[count, extent, extent, channels], [filters, 3, 3, channels], [filters]],
    options,
  }));

export const compositeCases = {
  addBroadcast: pairwise(f.add),
  mulBroadcast: pairwise(f.mul),
  divBroadcast: pairwise((a, b) => f.div(a, f.add(f.square(b), 1))),
  square: onAnyShape(f.square),
  // The limits are no multiples of a random double, so no value is at a kink.
  clip: onAnyShape((x) => f.clip(x, -0.7, 0.9)),
  gelu: onAnyShape(f.gelu),
  softplus: onAnyShape(f.softplus),
  mean: overAxes(f.mean),
  maxOfAxes: overAxes(f.max),
  minOfAxes: overAxes(f.min),
  logSumExp: overAxes(f.logSumExp),
  softmax: alongAxis(f.softmax),
  logSoftmax: alongAxis(f.logSoftmax),
  matmul: composite(products),
  // Sums over nothing are 0, and of nothing there is nothing.
  matmulOfNothing: composite(
    fc
      .tuple(fc.subarray([2]), extents, extents, extents, fc.constantFrom(0, 1, 2))
      .map(([batch, m, k, n, empty]) => {
        const [rows, inner, columns] = [m, k, n].map((extent, i) => (i === empty ? 0 : extent));
        return {
          shapes: [
            [...batch, rows, inner],
            [...batch, inner, columns],
          ],
          build: f.matmul,
        };
      }),
  ),
  // A tensor that is used in several places collects all its gradients.
  matmulWithItself: composite(
    extents.map((n) => ({
      shapes: [[n, n]],
      build: (x: Tensor) => f.matmul(f.matmul(x, x), f.transpose(x)),
    })),
  ),
  crossEntropyWithOneHot: composite(
    fc.tuple(extents, fc.array(fc.nat(2), { minLength: 1, maxLength: 4 })).map(([, labels]) => ({
      shapes: [[labels.length, 3]],
      build: (logits: Tensor) =>
        f.neg(
          f.mean(
            f.sum(f.mul(f.logSoftmax(logits), f.oneHot(constant(labels, "int32"), 3, logits.dtype)), {
              axis: 1,
            }),
          ),
        ),
    })),
  ),
  // One call of a library where it has them, or one pass.
  convolutionWithBias: composite(
    images.map(({ shapes, options }) => ({
      shapes,
      build: (x: Tensor, w: Tensor, b: Tensor) => f.relu(f.add(f.conv2d(x, w, options), b)),
    })),
  ),
  convolutionThenPool: composite(
    images.map(({ shapes, options }) => ({
      shapes,
      build: (x: Tensor, w: Tensor, b: Tensor) =>
        f.mul(f.maxPool2d(f.relu(f.add(f.conv2d(x, w, options), b)), { size: 2, stride: 1 }), 0.5),
    })),
  ),
  averagePool: composite(
    images.map(({ shapes, options }) => ({
      shapes: shapes.slice(0, 1),
      build: (x: Tensor) => f.averagePool2d(x, { size: 2, ...options }),
    })),
  ),
  where: composite(
    broadcasting.map((pair) => ({
      shapes: pair,
      build: (a: Tensor, b: Tensor) => f.where(f.less(a, 0.1), f.mul(a, b), f.sub(b, a)),
    })),
  ),
  stepped: composite(
    fc.constant({
      shapes: [[7, 2]],
      build: (x: Tensor) => f.exp(f.slice(x, { axis: 0, start: 1, stop: -1, step: 2 })),
    }),
  ),
} satisfies Record<string, OperationCase>;
