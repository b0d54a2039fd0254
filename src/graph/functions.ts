/**
 * The functions that models, losses and optimizers are written with. Operands broadcast as in NumPy, numbers
 * take the dtype of the tensor beside them, axes may count from the end.
 */
import { type DType, isFloat } from "../base/dtype.js";
import { SlalomError } from "../base/errors.js";
import { broadcastShapes, formatType, resolveAxis, type Shape, sameShape, sizeOf } from "../base/shape.js";
import { broadcastAlong, sumOver } from "./operations/broadcast.js";
import { dot as dotGeneral } from "./operations/dot.js";
import { cast, elementwiseOperations as primitive } from "./operations/elementwise.js";
import { take as takeAlong } from "./operations/indexing.js";
import { full, iota } from "./operations/leaves.js";
import {
  concatOperation,
  padBy,
  permute as permuteAxes,
  reshapeTo,
  sliceBetween,
} from "./operations/movement.js";
import { argmaxOperation, reduceMaxOperation, reduceMinOperation } from "./operations/reduce.js";
import type { Tensor } from "./tensor.js";

/** A tensor, or a number that becomes one of the other operand's dtype. */
export type Operand = Tensor | number;

type BinaryName = "add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum" | "floorDivide" | "remainder";
type ComparisonName = "equal" | "notEqual" | "less" | "lessEqual";

// Arithmetic.
export const add = (a: Operand, b: Operand): Tensor => combine("add", a, b);
export const sub = (a: Operand, b: Operand): Tensor => combine("sub", a, b);
export const mul = (a: Operand, b: Operand): Tensor => combine("mul", a, b);
export const div = (a: Operand, b: Operand): Tensor => combine("div", a, b);
export const pow = (a: Operand, b: Operand): Tensor => combine("pow", a, b);
export const maximum = (a: Operand, b: Operand): Tensor => combine("maximum", a, b);
export const minimum = (a: Operand, b: Operand): Tensor => combine("minimum", a, b);
/** Quotient rounded toward minus infinity. */
export const floorDivide = (a: Operand, b: Operand): Tensor => combine("floorDivide", a, b);
/** Remainder with the sign of the divisor. */
export const remainder = (a: Operand, b: Operand): Tensor => combine("remainder", a, b);
export const clip = (x: Tensor, low: Operand, high: Operand): Tensor => minimum(maximum(x, low), high);
export const square = (x: Tensor): Tensor => mul(x, x);

// Comparison and choice; truth is uint8.
export const equal = (a: Operand, b: Operand): Tensor => combine("equal", a, b);
export const notEqual = (a: Operand, b: Operand): Tensor => combine("notEqual", a, b);
export const less = (a: Operand, b: Operand): Tensor => combine("less", a, b);
export const lessEqual = (a: Operand, b: Operand): Tensor => combine("lessEqual", a, b);
export const greater = (a: Operand, b: Operand): Tensor => combine("less", b, a);
export const greaterEqual = (a: Operand, b: Operand): Tensor => combine("lessEqual", b, a);
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [x, y] = asTensors("where", a, b);
  const shape = broadcastShapes("where", { ...x, shape: broadcastShapes("where", x, y) }, condition);
  return primitive.where.apply(
    [broadcastTo(condition, shape), broadcastTo(x, shape), broadcastTo(y, shape)],
    {},
  );
}
export const and = (a: Tensor, b: Tensor): Tensor => where(a, b, 0);
export const or = (a: Tensor, b: Tensor): Tensor => where(a, 1, b);
export const not = (a: Tensor): Tensor => equal(a, 0);
/** 1 where `x` is neither NaN nor infinite. */
export const finite = (x: Tensor): Tensor => equal(sub(x, x), 0);

// One operand.
export const neg = (x: Tensor): Tensor => primitive.neg.apply([x], {});
export const abs = (x: Tensor): Tensor => primitive.abs.apply([x], {});
export const sign = (x: Tensor): Tensor => primitive.sign.apply([x], {});
export const floor = (x: Tensor): Tensor => primitive.floor.apply([x], {});
export const exp = (x: Tensor): Tensor => primitive.exp.apply([x], {});
export const log = (x: Tensor): Tensor => primitive.log.apply([x], {});
export const log1p = (x: Tensor): Tensor => primitive.log1p.apply([x], {});
export const sqrt = (x: Tensor): Tensor => primitive.sqrt.apply([x], {});
/** 1 / sqrt(x). */
export const rsqrt = (x: Tensor): Tensor => primitive.rsqrt.apply([x], {});
export const sin = (x: Tensor): Tensor => primitive.sin.apply([x], {});
export const cos = (x: Tensor): Tensor => primitive.cos.apply([x], {});
export const tanh = (x: Tensor): Tensor => primitive.tanh.apply([x], {});
/** 1 / (1 + exp(-x)). */
export const sigmoid = (x: Tensor): Tensor => primitive.sigmoid.apply([x], {});
/** max(x, 0); its derivative at 0 is 0. */
export const relu = (x: Tensor): Tensor => primitive.relu.apply([x], {});
/** log(1 + exp(x)), without overflow. */
export function softplus(x: Tensor): Tensor {
  // One branch holds 0: relu(x) and -abs(x), which meet there, would lose the derivatives of their sum.
  const negative = less(x, 0);
  return add(where(negative, 0, x), log1p(exp(where(negative, x, neg(x)))));
}
/** x Phi(x) in its tanh form (Hendrycks, Gimpel: "Gaussian error linear units", 2016, section 2). */
export function gelu(x: Tensor): Tensor {
  const inner = mul(add(x, mul(mul(square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
  return mul(mul(x, 0.5), add(tanh(inner), 1));
}
/** The value without its gradient. */
export const stopGradient = (x: Tensor): Tensor => primitive.stopGradient.apply([x], {});
export { cast };

// Reductions.
export interface ReductionOptions {
  /** The axis or axes to reduce; all if absent. */
  readonly axis?: number | readonly number[];
  /** Keep each reduced axis with extent 1. */
  readonly keepDims?: boolean;
}
export const sum = (x: Tensor, options: ReductionOptions = {}): Tensor => reduce("sum", x, options, sumOver);
export function mean(x: Tensor, options: ReductionOptions = {}): Tensor {
  const total = sum(x, options);
  return div(total, sizeOf(x.shape) / sizeOf(total.shape));
}
export const max = (x: Tensor, options: ReductionOptions = {}): Tensor =>
  reduce("max", x, options, (t, axes) => reduceMaxOperation.apply([t], { axes }));
export const min = (x: Tensor, options: ReductionOptions = {}): Tensor =>
  reduce("min", x, options, (t, axes) => reduceMinOperation.apply([t], { axes }));
/** Index (int32) of the first greatest element along `axis`. */
export const argmax = (x: Tensor, axis = -1): Tensor =>
  argmaxOperation.apply([x], { axis: resolveAxis("argmax", axis, x.shape.length) });
/** log(sum(exp(x))), without overflow. */
export function logSumExp(x: Tensor, { axis, keepDims }: ReductionOptions = {}): Tensor {
  const greatest = stopGradient(max(x, { axis, keepDims: true }));
  // A row of -Infinity has the logarithm of an empty sum, not NaN.
  const shift = where(finite(greatest), greatest, 0);
  const total = add(log(sum(exp(sub(x, shift)), { axis, keepDims: true })), shift);
  return keepDims ? total : reshape(total, sum(x, { axis }).shape);
}
export const logSoftmax = (x: Tensor, axis = -1): Tensor => sub(x, logSumExp(x, { axis, keepDims: true }));
export function softmax(x: Tensor, axis = -1): Tensor {
  const shifted = exp(sub(x, stopGradient(max(x, { axis, keepDims: true }))));
  return div(shifted, sum(shifted, { axis, keepDims: true }));
}

// Products.
/**
 * Matrix product over the last two axes, [..., m, k] x [..., k, n] -> [..., m, n]; leading axes broadcast. A
 * vector on the left is a row, on the right a column, and its axis disappears.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length === 0 || b.shape.length === 0) {
    throw new SlalomError(
      "shape",
      `matmul: ${formatType(a)} x ${formatType(b)}; expected at least one axis each. Use mul for scalars.`,
    );
  }
  const left = a.shape.length === 1 ? reshape(a, [1, ...a.shape]) : a;
  const right = b.shape.length === 1 ? reshape(b, [...b.shape, 1]) : b;
  const [m, k] = left.shape.slice(-2);
  const [inner, n] = right.shape.slice(-2);
  if (k !== inner) {
    const hint = k === n ? " Transpose the second operand?" : "";
    throw new SlalomError(
      "shape",
      `matmul: inner sizes differ, ${formatType(a)} x ${formatType(b)}; expected [${k},n] on the right.${hint}`,
    );
  }
  const lead = broadcastShapes(
    "matmul",
    { ...left, shape: left.shape.slice(0, -2) },
    { ...right, shape: right.shape.slice(0, -2) },
  );
  const product = batchedProduct(left, right, lead, m, n);
  const squeezed = [...lead, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  return reshape(product, squeezed);
}
export { dotGeneral as dot };

// Movement.
/** The same elements in another shape; one extent may be -1: whatever is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((extent) => extent !== -1));
  const open = shape.filter((extent) => extent === -1).length;
  const left = sizeOf(x.shape) / known;
  if (open > 1 || (open === 1 && !Number.isInteger(left))) {
    throw new SlalomError(
      "shape",
      `reshape: ${formatType(x)} has ${sizeOf(x.shape)} elements, which do not fill [${shape}]; expected at most one -1 and a divisor of the count in the other extents.`,
    );
  }
  return reshapeTo(
    x,
    shape.map((extent) => (extent === -1 ? left : extent)),
  );
}
/** Axes in another order; reversed if none is given. */
export const transpose = (x: Tensor, permutation?: readonly number[]): Tensor =>
  permuteAxes(
    x,
    permutation?.map((axis) => resolveAxis("transpose", axis, x.shape.length)) ??
      x.shape.map((_, axis) => x.shape.length - 1 - axis),
  );
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes("broadcastTo", x, { ...x, shape }), shape)) {
    throw new SlalomError(
      "shape",
      `broadcastTo: ${formatType(x)} does not broadcast to [${shape}]; expected equal extents or 1, aligned from the right.`,
    );
  }
  // Axes of extent 1 that must grow are dropped first, then all missing axes are added at once.
  const offset = shape.length - x.shape.length;
  const kept = x.shape.map((_, axis) => axis).filter((axis) => x.shape[axis] === shape[axis + offset]);
  return broadcastAlong(
    reshapeTo(
      x,
      kept.map((axis) => x.shape[axis]),
    ),
    shape,
    kept.map((axis) => axis + offset),
  );
}
export interface SliceOptions {
  readonly axis: number;
  readonly start?: number;
  readonly stop?: number;
  readonly step?: number;
}
export function slice(x: Tensor, { axis, start = 0, stop, step = 1 }: SliceOptions): Tensor {
  const at = resolveAxis("slice", axis, x.shape.length);
  const fromEnd = (index: number) => (index < 0 ? index + x.shape[at] : index);
  const one = (other: number, value: number) => x.shape.map((_, i) => (i === at ? value : other));
  return sliceBetween(
    x,
    one(0, fromEnd(start)),
    x.shape.with(at, fromEnd(stop ?? x.shape[at])),
    one(1, step),
  );
}
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  if (tensors.length === 0) throw new SlalomError("shape", "concat: no tensors; expected at least one.");
  return concatOperation.apply(tensors, { axis: resolveAxis("concat", axis, tensors[0].shape.length) });
}
/** `value` around `x`: `widths` gives [before, after] for each axis. */
export const pad = (x: Tensor, widths: readonly (readonly [number, number])[], value = 0): Tensor =>
  padBy(
    x,
    widths.map(([low]) => low),
    widths.map(([, high]) => high),
    value,
  );
/** Slabs of `x` at `indices` (int32) along `axis`; indices outside are clamped. */
export const take = (x: Tensor, indices: Tensor, axis = 0): Tensor =>
  takeAlong(x, indices, resolveAxis("take", axis, x.shape.length));
/** 1 at the class, 0 elsewhere, along a new last axis. `labels`: int32 or uint8. */
export function oneHot(labels: Tensor, classes: number, dtype: DType = "float32"): Tensor {
  const shape = [...labels.shape, classes];
  const label = broadcastAlong(
    cast(labels, "int32"),
    shape,
    labels.shape.map((_, axis) => axis),
  );
  return cast(equal(label, iota(shape, shape.length - 1)), dtype);
}

/** `a` op `b` after numbers became tensors and both broadcast. */
function combine(name: BinaryName | ComparisonName, a: Operand, b: Operand): Tensor {
  const [x, y] = asTensors(name, a, b);
  const shape = broadcastShapes(name, x, y);
  return primitive[name].apply([broadcastTo(x, shape), broadcastTo(y, shape)], {});
}

function asTensors(name: string, a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a === "number" && typeof b === "number") {
    throw new SlalomError(
      "shape",
      `${name}: two plain numbers, ${a} and ${b}; expected at least one tensor, since a number has no dtype. Use constant(...).`,
    );
  }
  const dtype = typeof a === "number" ? (b as Tensor).dtype : a.dtype;
  const lift = (x: Operand): Tensor => {
    if (typeof x !== "number") return x;
    if (!isFloat(dtype) && !Number.isInteger(x)) {
      throw new SlalomError(
        "shape",
        `${name}: the number ${x} beside ${formatType(typeof a === "number" ? (b as Tensor) : a)}; expected an integer. Cast the tensor to f32 first?`,
      );
    }
    return full([], x, dtype);
  };
  return [lift(a), lift(b)];
}

function reduce(
  name: string,
  x: Tensor,
  { axis, keepDims }: ReductionOptions,
  apply: (x: Tensor, axes: readonly number[]) => Tensor,
): Tensor {
  const given = axis === undefined ? x.shape.map((_, i) => i) : typeof axis === "number" ? [axis] : axis;
  const axes = [...new Set(given.map((a) => resolveAxis(name, a, x.shape.length)))].sort((a, b) => a - b);
  const result = axes.length === 0 ? x : apply(x, axes);
  return keepDims
    ? reshapeTo(
        result,
        x.shape.map((extent, i) => (axes.includes(i) ? 1 : extent)),
      )
    : result;
}

/** [...lead, m, n]; leading axes that only one operand has stay free axes of that operand: one larger product. */
function batchedProduct(left: Tensor, right: Tensor, lead: Shape, m: number, n: number): Tensor {
  const [a, b] = [left.shape.length, right.shape.length];
  if (b === 2) return dotGeneral(left, right, { batch: [[], []], contract: [[a - 1], [0]] });
  const batch = lead.map((_, axis) => axis);
  const rank = lead.length + 2;
  return dotGeneral(
    broadcastTo(left, [...lead, m, left.shape[a - 1]]),
    broadcastTo(right, [...lead, right.shape[b - 2], n]),
    {
      batch: [batch, batch],
      contract: [[rank - 1], [rank - 2]],
    },
  );
}
