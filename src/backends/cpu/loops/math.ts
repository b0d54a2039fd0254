/**
 * float32 exp, log, log1p, tanh and sigmoid on four lanes: range reduction and polynomials, no branches.
 *
 * Greatest error in units in the last place, measured over all exponents by the tests, fused and not:
 *
 * | function | error  | beyond the range                                                            |
 * | -------- | ------ | --------------------------------------------------------------------------- |
 * | exp      | 1.5    | Infinity above 88.72283, 0 below -87.33654 (no subnormal results)           |
 * | log      | 1.5    | subnormal arguments are exact to the same error; log 0 = -Infinity          |
 * | log1p    | 3      | log1p(-1) = -Infinity; below -1 NaN                                         |
 * | tanh     | 3      | ±1 beyond ±9.1; keeps the sign of zero                                      |
 * | sigmoid  | 2.5    | 0 below -88.72283                                                           |
 *
 * NaN stays NaN. The polynomial of exp is a Chebyshev fit of (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2.
 */
import { logOfTwo, logPolynomial } from "../../../base/random.js";
import { type Code, f32x4, i32x4, v128 } from "../wasm/index.js";
import type { Scratch } from "./scratch.js";

type Vector = Code<"v128">;

export interface VectorMath {
  /** a*b + c */
  multiplyAdd(a: Vector, b: Vector, c: Vector): Vector;
  /** c - a*b */
  multiplySubtract(a: Vector, b: Vector, c: Vector): Vector;
  /** Lanes of `mask` are all ones or all zeros: one machine instruction where it is relaxed, three where not. */
  select(ifTrue: Vector, ifFalse: Vector, mask: Vector): Vector;
  exp(x: Vector): Vector;
  log(x: Vector): Vector;
  log1p(x: Vector): Vector;
  tanh(x: Vector): Vector;
  sigmoid(x: Vector): Vector;
}

const number = (value: number): Vector => f32x4.const(value);

/** Adding it to a small float leaves the nearest integer in the low bits of the mantissa. */
const roundingShift = 1.5 * 2 ** 23;
const expPolynomial = [1.392632562e-3, 8.363292753e-3, 4.166655376e-2, 1.666657631e-1, 0.5];
/** Between log(greatest float32) and the next float; log(least normal float32). */
const expOverflow = 88.72283;
const expUnderflow = -87.33654;
const leastNormal = 2 ** -126;
const signBit = 0x80000000 | 0;
/** The bits of sqrt(1/2): the mantissa is taken from [sqrt(1/2), sqrt(2)). */
const rootHalfBits = 0x3f3504f3;

/** `fused`: relaxed multiply-add is there and wanted. */
export function vectorMath(scratch: Scratch, options: { readonly fused: boolean }): VectorMath {
  const { fused } = options;
  const keep = (value: Vector) => scratch.reusable(value);
  const multiplyAdd = (a: Vector, b: Vector, c: Vector): Vector =>
    fused ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
  const multiplySubtract = (a: Vector, b: Vector, c: Vector): Vector =>
    fused ? f32x4.relaxed_nmadd(a, b, c) : f32x4.sub(c, f32x4.mul(a, b));
  const select = (ifTrue: Vector, ifFalse: Vector, mask: Vector): Vector =>
    fused ? i32x4.relaxed_laneselect(ifTrue, ifFalse, mask) : v128.bitselect(ifTrue, ifFalse, mask);
  const horner = (coefficients: readonly number[], x: Vector): Vector =>
    coefficients.slice(1).reduce((p, c) => multiplyAdd(p, x, number(c)), number(coefficients[0]));

  /** x = n ln 2 + r; r, and n in the low bits of `shifted`. */
  function reduceByLogOfTwo(x: Vector): { r: Vector; shifted: Vector } {
    const shifted = scratch.let(multiplyAdd(x, number(Math.LOG2E), number(roundingShift)));
    const n = scratch.let(f32x4.sub(shifted, number(roundingShift)));
    const high = multiplySubtract(n, number(logOfTwo[0]), x);
    return { r: scratch.let(multiplySubtract(n, number(logOfTwo[1]), high)), shifted };
  }

  /** e^r - 1 for |r| <= ln(2) / 2. */
  const expm1Reduced = (r: Vector): Vector => multiplyAdd(f32x4.mul(r, r), horner(expPolynomial, r), r);

  function exp(argument: Vector): Vector {
    const x = keep(argument);
    const { r, shifted } = reduceByLogOfTwo(x);
    // The exponent is added to the bits: one step reaches the whole range of normal results.
    const scaled = i32x4.add(f32x4.add(expm1Reduced(r), number(1)), i32x4.shl(shifted, 23));
    // Beyond the range x + Infinity: Infinity, or NaN for NaN, whose payload would spoil the exponent.
    const beyond = f32x4.add(x, number(Infinity));
    const bounded = select(scaled, beyond, f32x4.le(x, number(expOverflow)));
    return v128.andnot(bounded, f32x4.lt(x, number(expUnderflow)));
  }

  function log(argument: Vector): Vector {
    const x = keep(argument);
    const small = scratch.let(f32x4.lt(x, number(leastNormal)));
    const normal = select(f32x4.mul(x, number(2 ** 23)), x, small);
    const shifted = scratch.let(i32x4.sub(normal, i32x4.const(rootHalfBits)));
    const exponent = i32x4.sub(i32x4.shr_s(shifted, 23), v128.and(small, i32x4.const(23)));
    const e = scratch.let(f32x4.convert_i32x4_s(exponent));
    const mantissa = i32x4.add(v128.and(shifted, i32x4.const(0x007fffff)), i32x4.const(rootHalfBits));
    const m = scratch.let(f32x4.sub(mantissa, number(1)));
    const square = scratch.let(f32x4.mul(m, m));
    const tail = f32x4.mul(f32x4.mul(m, square), horner(logPolynomial, m));
    const low = multiplyAdd(e, number(logOfTwo[1]), tail);
    const rest = multiplySubtract(square, number(0.5), low);
    const value = multiplyAdd(e, number(logOfTwo[0]), f32x4.add(m, rest));
    const positive = select(value, x, f32x4.lt(x, number(Infinity)));
    const orZero = select(number(-Infinity), positive, f32x4.eq(x, number(0)));
    // All ones are a NaN.
    return v128.or(orZero, f32x4.lt(x, number(0)));
  }

  /** log(u) x / (u - 1) with u = 1 + x rounded: the errors of u cancel (Kahan). */
  function log1p(argument: Vector): Vector {
    const x = keep(argument);
    const u = scratch.let(f32x4.add(x, number(1)));
    const difference = scratch.let(f32x4.sub(u, number(1)));
    const logarithm = scratch.let(log(u));
    const corrected = f32x4.mul(logarithm, f32x4.div(x, difference));
    const plain = f32x4.eq(difference, x);
    const general = select(logarithm, corrected, plain);
    return select(x, general, f32x4.eq(difference, number(0)));
  }

  /** With m = e^(2x) - 1: m / (m + 2). */
  function tanh(argument: Vector): Vector {
    const x = keep(argument);
    const limit = 9.1;
    // pmin and pmax return their first operand for NaN.
    const clamped = f32x4.pmax(f32x4.pmin(x, number(limit)), number(-limit));
    const twice = scratch.let(f32x4.add(clamped, clamped));
    const { r, shifted } = reduceByLogOfTwo(twice);
    const scale = scratch.let(i32x4.add(i32x4.shl(shifted, 23), number(1)));
    const m = scratch.let(multiplyAdd(expm1Reduced(r), scale, f32x4.sub(scale, number(1))));
    const value = f32x4.div(m, f32x4.add(m, number(2)));
    return v128.or(value, v128.and(x, i32x4.const(signBit)));
  }

  const sigmoid = (x: Vector): Vector =>
    f32x4.div(number(1), f32x4.add(number(1), exp(scratch.let(f32x4.neg(x)))));

  return { multiplyAdd, multiplySubtract, select, exp, log, log1p, tanh, sigmoid };
}
