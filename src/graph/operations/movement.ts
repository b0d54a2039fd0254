/** Operations that move elements and compute nothing: reshape, transpose, slice, pad, concat. */
import { allocate } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType, type Shape, sameShape, sizeOf, stridesOf } from "../../base/shape.js";
import type { Batched, Tensor } from "../tensor.js";
import { broadcastAlong, forEachIndex, gatherStrided } from "./broadcast.js";
import { type DefinedOperation, defineOperation } from "./define.js";

export const reshapeOperation = defineOperation("reshape", {
  infer: ([x], { shape }) => {
    if (!shape.every((extent) => Number.isInteger(extent) && extent >= 0)) {
      throw new SlalomError(
        "shape",
        `reshape: ${formatType(x)} does not become [${shape}]; expected natural numbers as extents.`,
      );
    }
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw new SlalomError(
        "shape",
        `reshape: ${formatType(x)} has ${sizeOf(x.shape)} elements, [${shape}] has ${sizeOf(shape)}; expected equal counts.`,
      );
    }
    return { shape, dtype: x.dtype };
  },
  gradient: ({ inputs: [x] }, g) => [reshapeTo(g, x.shape)],
  batch: ({ attributes: { shape } }, [x]) => {
    // The lane axis may stay where it is if the axes before it and those after it keep their element counts.
    const before = sizeOf(x.tensor.shape.slice(0, x.axis!));
    let at = 0;
    for (let count = 1; at < shape.length && count < before; at++) count *= shape[at];
    const stays = sizeOf(shape.slice(0, at)) === before;
    const source = stays ? x.tensor : moveAxis(x.tensor, x.axis!, 0);
    const to = stays ? at : 0;
    return { tensor: reshapeTo(source, shape.toSpliced(to, 0, x.tensor.shape[x.axis!])), axis: to };
  },
  evaluate: ([x]) => x.data.slice(),
});

export const transposeOperation = defineOperation("transpose", {
  infer: ([x], { permutation }) => {
    if (
      !sameShape(
        [...permutation].sort((a, b) => a - b),
        x.shape.map((_, axis) => axis),
      )
    ) {
      throw new SlalomError(
        "shape",
        `transpose: [${permutation}] is no permutation of the ${x.shape.length} axes of ${formatType(x)}.`,
      );
    }
    return { shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype };
  },
  gradient: ({ attributes: { permutation } }, g) => [permute(g, inverse(permutation))],
  batch: ({ attributes: { permutation } }, [x]) => {
    const shifted = permutation.map((axis) => (axis >= x.axis! ? axis + 1 : axis));
    return { tensor: permute(x.tensor, shifted.toSpliced(x.axis!, 0, x.axis!)), axis: x.axis! };
  },
  evaluate: ([x], { permutation }, output) => {
    const strides = stridesOf(x.shape);
    return gatherStrided(
      x,
      output,
      permutation.map((axis) => strides[axis]),
      0,
    );
  },
});

export const sliceOperation = defineOperation("slice", {
  infer: ([x], { start, stop, step }) => {
    x.shape.forEach((extent, axis) => {
      const whole = [start[axis], stop[axis], step[axis]].every(Number.isInteger);
      if (
        !(whole && 0 <= start[axis] && start[axis] <= stop[axis] && stop[axis] <= extent && step[axis] >= 1)
      ) {
        throw new SlalomError(
          "shape",
          `slice: ${start[axis]}:${stop[axis]}:${step[axis]} on axis ${axis} of ${formatType(x)}; expected integers, 0 <= start <= stop <= ${extent} and step >= 1.`,
        );
      }
    });
    return { shape: start.map((from, axis) => Math.ceil((stop[axis] - from) / step[axis])), dtype: x.dtype };
  },
  gradient: ({ inputs: [x], attributes: { start, step }, shape }, g) => [
    step.every((s) => s === 1)
      ? padBy(
          g,
          start,
          x.shape.map((extent, axis) => extent - start[axis] - shape[axis]),
        )
      : padBy(
          dilate(g, step),
          start,
          x.shape.map(
            (extent, axis) => extent - start[axis] - Math.max(0, (shape[axis] - 1) * step[axis] + 1),
          ),
        ),
  ],
  batch: ({ attributes: { start, stop, step } }, [x]) => ({
    tensor: sliceBetween(
      x.tensor,
      start.toSpliced(x.axis!, 0, 0),
      stop.toSpliced(x.axis!, 0, x.tensor.shape[x.axis!]),
      step.toSpliced(x.axis!, 0, 1),
    ),
    axis: x.axis,
  }),
  evaluate: ([x], { start, step }, output) => {
    const strides = stridesOf(x.shape);
    const offset = start.reduce((sum, from, axis) => sum + from * strides[axis], 0);
    return gatherStrided(
      x,
      output,
      strides.map((stride, axis) => stride * step[axis]),
      offset,
    );
  },
});

export const padOperation: DefinedOperation<"pad"> = defineOperation("pad", {
  infer: ([x], { low, high }) => {
    if (
      low.length !== x.shape.length ||
      high.length !== x.shape.length ||
      ![...low, ...high].every((width) => Number.isInteger(width) && width >= 0)
    ) {
      throw new SlalomError(
        "shape",
        `pad: widths [${low}] and [${high}] for ${formatType(x)}; expected a pair of natural numbers for each axis.`,
      );
    }
    return { shape: x.shape.map((extent, axis) => low[axis] + extent + high[axis]), dtype: x.dtype };
  },
  gradient: ({ inputs: [x], attributes: { low } }, g) => [
    sliceBetween(
      g,
      low,
      low.map((from, axis) => from + x.shape[axis]),
      low.map(() => 1),
    ),
  ],
  batch: ({ attributes: { low, high, value } }, [x]) => ({
    tensor: padOperation.apply([x.tensor], {
      low: low.toSpliced(x.axis!, 0, 0),
      high: high.toSpliced(x.axis!, 0, 0),
      value,
    }),
    axis: x.axis,
  }),
  evaluate: ([x], { low, value }, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape)).fill(value);
    const strides = stridesOf(output.shape);
    const offset = low.reduce((sum, width, axis) => sum + width * strides[axis], 0);
    forEachIndex(x.shape, strides, offset, (position, i) => {
      data[position] = x.data[i];
    });
    return data;
  },
});

export const concatOperation: DefinedOperation<"concat"> = defineOperation("concat", {
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    for (const input of inputs) {
      if (
        input.dtype !== first.dtype ||
        !sameShape(input.shape.toSpliced(axis, 1), first.shape.toSpliced(axis, 1))
      ) {
        throw new SlalomError(
          "shape",
          `concat: ${formatType(input)} does not join ${formatType(first)} along axis ${axis}; expected equal dtypes and extents elsewhere.`,
        );
      }
    }
    const extent = inputs.reduce((sum, input) => sum + input.shape[axis], 0);
    return { shape: first.shape.with(axis, extent), dtype: first.dtype };
  },
  gradient: ({ inputs, attributes: { axis } }, g) => {
    let from = 0;
    return inputs.map((input) => {
      const start = input.shape.map((_, i) => (i === axis ? from : 0));
      from += input.shape[axis];
      return sliceBetween(
        g,
        start,
        input.shape.with(axis, from),
        input.shape.map(() => 1),
      );
    });
  },
  batch: ({ attributes: { axis } }, inputs) => {
    const first = inputs.find((input) => input.axis !== undefined)!;
    const aligned = inputs.map((input) => alignAxis(input, first.axis!, first.tensor.shape[first.axis!]));
    return {
      tensor: concatOperation.apply(aligned, { axis: axis >= first.axis! ? axis + 1 : axis }),
      axis: first.axis,
    };
  },
  evaluate: (inputs, { axis }, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape));
    const strides = stridesOf(output.shape);
    let from = 0;
    for (const input of inputs) {
      forEachIndex(input.shape, strides, from * strides[axis], (position, i) => {
        data[position] = input.data[i];
      });
      from += input.shape[axis];
    }
    return data;
  },
});

export const reshapeTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : reshapeOperation.apply([x], { shape });

/** Output axis i is input axis `permutation[i]`. */
export const permute = (x: Tensor, permutation: readonly number[]): Tensor =>
  permutation.every((axis, i) => axis === i) ? x : transposeOperation.apply([x], { permutation });

export const sliceBetween = (
  x: Tensor,
  start: readonly number[],
  stop: readonly number[],
  step: readonly number[],
): Tensor =>
  sameShape(
    start,
    x.shape.map(() => 0),
  ) &&
  sameShape(stop, x.shape) &&
  step.every((s) => s === 1)
    ? x
    : sliceOperation.apply([x], { start, stop, step });

export const padBy = (x: Tensor, low: readonly number[], high: readonly number[], value = 0): Tensor =>
  low.length === x.shape.length && [...low, ...high].every((width) => width === 0)
    ? x
    : padOperation.apply([x], { low, high, value });

/** `x` with axis `from` moved to place `to`. */
export function moveAxis(x: Tensor, from: number, to: number): Tensor {
  const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  return permute(x, others.toSpliced(to, 0, from));
}

/** The tensor of a batched one with its lane axis at `axis`; one without is repeated along a new axis. */
export function alignAxis({ tensor, axis: from }: Batched, axis: number, extent: number): Tensor {
  if (from !== undefined) return moveAxis(tensor, from, axis);
  const shape = tensor.shape.toSpliced(axis, 0, extent);
  return broadcastAlong(
    tensor,
    shape,
    tensor.shape.map((_, i) => (i >= axis ? i + 1 : i)),
  );
}

export function inverse(permutation: readonly number[]): number[] {
  const result = new Array<number>(permutation.length);
  permutation.forEach((axis, i) => {
    result[axis] = i;
  });
  return result;
}

/** Spreads elements `step` apart with zeros between: pad each element's own axis, then cut the last gap. */
function dilate(x: Tensor, step: readonly number[]): Tensor {
  let result = x;
  step.forEach((s, axis) => {
    const extent = result.shape[axis];
    if (s === 1 || extent === 0) return;
    const split = reshapeTo(result, result.shape.toSpliced(axis, 1, extent, 1));
    const padded = padBy(
      split,
      split.shape.map(() => 0),
      split.shape.map((_, i) => (i === axis + 1 ? s - 1 : 0)),
    );
    const joined = reshapeTo(padded, result.shape.with(axis, extent * s));
    const stop = joined.shape.with(axis, (extent - 1) * s + 1);
    result = sliceBetween(
      joined,
      joined.shape.map(() => 0),
      stop,
      joined.shape.map(() => 1),
    );
  });
  return result;
}
