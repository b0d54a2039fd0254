/** Every elementwise operation on four lanes. */
import type { DType } from "../../../base/dtype.js";
import { invariant } from "../../../base/errors.js";
import type { ElementwiseInstruction } from "../../../compile/plan.js";
import type { ElementwiseAttributes, ElementwiseName } from "../../../graph/tensor.js";
import { type Code, f32, f32x4, f64, f64x2, i32x4, type Local, shuffle32, v128 } from "../wasm/index.js";
import type { Lanes, Value } from "./engine.js";
import { callMath, type LoopTarget, type MathName } from "./functions.js";
import type { VectorMath } from "./math.js";
import { callPermute, vectorRandomBits, vectorRandomNormal, vectorRandomUniform } from "./random.js";
import type { Scratch } from "./scratch.js";

type Vector = Code<"v128">;

export interface VectorContext {
  readonly target: LoopTarget;
  readonly scratch: Scratch;
  readonly math: VectorMath;
}

/** Context, dtype of the result and lanes of one application. */
interface Call extends VectorContext {
  readonly dtype: DType;
  readonly lanes: Lanes;
}

type Rule<N extends ElementwiseName> = (
  call: Call,
  inputs: readonly Value[],
  attributes: ElementwiseAttributes[N],
) => Value | Vector;

export function applyVector(
  context: VectorContext,
  instruction: ElementwiseInstruction,
  inputs: readonly Value[],
  dtype: DType,
  lanes: Lanes,
): Value {
  const rule = rules[instruction.op] as Rule<ElementwiseName>;
  const result = rule({ ...context, dtype, lanes }, inputs, instruction.attributes);
  return "mask" in result ? result : { dtype, code: result, mask: false };
}

/** The lanes as they are: masks stay masks. */
export function vectorOf(value: Value): Vector {
  invariant(value.code.type === "v128", `vector loop holds a ${value.code.type}`);
  return value.code as Vector;
}

/** The lanes as numbers: a mask becomes 1 and 0. */
export const numeric = (value: Value): Vector =>
  value.mask ? v128.and(vectorOf(value), i32x4.const(1)) : vectorOf(value);

/** All lanes as ones or zeros. */
const maskOf = (value: Value): Vector =>
  value.mask ? vectorOf(value) : i32x4.ne(vectorOf(value), i32x4.const(0));

export const laneCount = (lanes: Lanes): number => (lanes === "same" ? 1 : lanes);

type Unary = (x: Vector) => Vector;
type Binary = (a: Vector, b: Vector) => Vector;

/** One instruction for float32, one for int32. */
const unary =
  (float: Unary, integer: Unary = float) =>
  ({ dtype }: Call, [x]: readonly Value[]): Vector =>
    dtype === "float32" ? float(vectorOf(x)) : integer(numeric(x));

const binary =
  (float: Binary, integer: Binary = float) =>
  ({ dtype }: Call, [a, b]: readonly Value[]): Vector =>
    dtype === "float32" ? float(vectorOf(a), vectorOf(b)) : integer(numeric(a), numeric(b));

const comparison =
  (float: Binary, integer: Binary) =>
  (_: Call, [a, b]: readonly Value[]): Value => {
    const code = a.dtype === "float32" ? float(vectorOf(a), vectorOf(b)) : integer(numeric(a), numeric(b));
    return { dtype: "uint8", code, mask: true };
  };

/** A function of the host, lane by lane in float64. */
const host =
  (name: MathName) =>
  ({ target, scratch, lanes }: Call, inputs: readonly Value[]): Vector => {
    const operands = inputs.map((input) => scratch.reusable(vectorOf(input)));
    return eachLane(scratch, lanes, (result, lane) => {
      const arguments64 = operands.map((operand) => f64.promote_f32(f32x4.extract_lane(operand, lane)));
      const value = f32.demote_f64(callMath(target, name, arguments64));
      return lanes === "same" ? f32x4.splat(value) : f32x4.replace_lane(result, lane, value);
    });
  };

const one = f32x4.const(1);
const zero = f32x4.const(0);

const rules: { readonly [N in ElementwiseName]: Rule<N> } = {
  neg: unary(f32x4.neg, i32x4.neg),
  abs: unary(f32x4.abs, i32x4.abs),
  sign: (call, [x]) =>
    call.dtype === "float32" ? floatSign(call, vectorOf(x)) : integerSign(call, numeric(x)),
  floor: unary(f32x4.floor),
  exp: ({ math }, [x]) => math.exp(vectorOf(x)),
  log: ({ math }, [x]) => math.log(vectorOf(x)),
  log1p: ({ math }, [x]) => math.log1p(vectorOf(x)),
  sqrt: unary(f32x4.sqrt),
  rsqrt: unary((x) => f32x4.div(one, f32x4.sqrt(x))),
  sin: host("sin"),
  cos: host("cos"),
  tanh: ({ math }, [x]) => math.tanh(vectorOf(x)),
  sigmoid: ({ math }, [x]) => math.sigmoid(vectorOf(x)),
  // pmax is one machine instruction and keeps NaN in this order; adding zero turns -0 into 0.
  relu: unary((x) => f32x4.add(f32x4.pmax(x, zero), zero)),
  stopGradient: (_, [x]) => x,
  cast: ({ scratch, dtype }, [x]) => castTo(scratch, x, dtype),

  add: binary(f32x4.add, i32x4.add),
  sub: binary(f32x4.sub, i32x4.sub),
  mul: binary(f32x4.mul, i32x4.mul),
  div: binary(f32x4.div),
  pow: host("pow"),
  maximum: binary(f32x4.max, i32x4.max_s),
  minimum: binary(f32x4.min, i32x4.min_s),
  floorDivide: (call, inputs) =>
    (call.dtype === "float32" ? inDoubles(floorQuotient) : integerFloor)(call, inputs),
  remainder: (call, inputs) =>
    (call.dtype === "float32" ? inDoubles(floatRemainder) : integerRemainder)(call, inputs),

  equal: comparison(f32x4.eq, i32x4.eq),
  notEqual: comparison(f32x4.ne, i32x4.ne),
  less: comparison(f32x4.lt, i32x4.lt_s),
  lessEqual: comparison(f32x4.le, i32x4.le_s),
  where: ({ math }, [condition, a, b]) => {
    const bothMasks = a.mask && b.mask;
    const [ifTrue, ifFalse] = bothMasks ? [vectorOf(a), vectorOf(b)] : [numeric(a), numeric(b)];
    return { dtype: a.dtype, code: math.select(ifTrue, ifFalse, maskOf(condition)), mask: bothMasks };
  },

  randomBits: ({ scratch }, inputs) => vectorRandomBits(scratch, inputs.map(vectorOf)),
  randomUniform: ({ scratch }, inputs) => vectorRandomUniform(scratch, inputs.map(vectorOf)),
  randomNormal: ({ scratch }, inputs, { reach }) => vectorRandomNormal(scratch, inputs.map(vectorOf), reach),
  permute: ({ target, lanes }, inputs, { count }) => {
    const [k0, k1, position] = inputs.map(vectorOf);
    return callPermute(target.permute, [k0, k1, activeLanes(position, lanes)], count);
  },
};

/** 0 in the lanes that do not count. */
const activeLanes = (x: Vector, lanes: Lanes): Vector =>
  lanes === "same" || lanes === 4
    ? x
    : v128.and(x, i32x4.const(...[0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0))));

/** The active lanes computed one after another; the others stay 0. */
function eachLane(
  scratch: Scratch,
  lanes: Lanes,
  step: (result: Local<"v128">, lane: number) => Vector,
): Vector {
  const result = scratch.let(zero);
  for (let lane = 0; lane < laneCount(lanes); lane++) scratch.function.set(result, step(result, lane));
  return result;
}

/** 1, -1, or x itself: 0, -0 and NaN stay. */
function floatSign({ scratch, math }: Call, argument: Vector): Vector {
  const x = scratch.reusable(argument);
  const positive = math.select(one, x, f32x4.gt(x, zero));
  return math.select(f32x4.const(-1), positive, f32x4.lt(x, zero));
}

function integerSign({ scratch }: Call, argument: Vector): Vector {
  const x = scratch.reusable(argument);
  // A true comparison is -1.
  return i32x4.sub(i32x4.lt_s(x, i32x4.const(0)), i32x4.gt_s(x, i32x4.const(0)));
}

const floorQuotient = (a: Vector, b: Vector): Vector => f64x2.floor(f64x2.div(a, b));
const floatRemainder = (a: Vector, b: Vector): Vector => f64x2.sub(a, f64x2.mul(b, floorQuotient(a, b)));

/** Both halves in float64, rounded to float32 once at the end. */
const inDoubles =
  (operation: Binary) =>
  ({ scratch }: Call, inputs: readonly Value[]): Vector => {
    const [a, b] = inputs.map((input) => scratch.reusable(vectorOf(input)));
    const half = (promote: Unary): Vector => {
      const [x, y] = [scratch.let(promote(a)), scratch.let(promote(b))];
      return f32x4.demote_f64x2_zero(operation(x, y));
    };
    const low = scratch.let(half(f64x2.promote_low_f32x4));
    const high = half((x) => f64x2.promote_low_f32x4(upperHalf(x)));
    return shuffle32(low, high, [0, 1, 4, 5]);
  };

const upperHalf = (x: Vector): Vector => shuffle32(x, x, [2, 3, 2, 3]);

/** Quotients of 32-bit integers round to no wrong side of an integer in float64; dividing by 0 does not trap. */
function integerFloor({ scratch }: Call, inputs: readonly Value[]): Vector {
  const [a, b] = inputs.map((input) => scratch.reusable(numeric(input)));
  const half = (convert: Unary): Vector =>
    i32x4.trunc_sat_f64x2_s_zero(floorQuotient(convert(a), convert(b)));
  const low = scratch.let(half(f64x2.convert_low_i32x4_s));
  return shuffle32(
    low,
    half((x) => f64x2.convert_low_i32x4_s(upperHalf(x))),
    [0, 1, 4, 5],
  );
}

function integerRemainder(call: Call, inputs: readonly Value[]): Vector {
  const [a, b] = inputs.map((input) => call.scratch.reusable(numeric(input)));
  const operands = [a, b].map((code): Value => ({ dtype: "int32", code, mask: false }));
  return i32x4.sub(a, i32x4.mul(b, integerFloor(call, operands)));
}

function castTo(scratch: Scratch, x: Value, dtype: DType): Value | Vector {
  if (x.dtype === dtype) return x;
  if (dtype === "float32") {
    return x.mask ? v128.and(vectorOf(x), one) : f32x4.convert_i32x4_s(vectorOf(x));
  }
  const integer = x.dtype === "float32" ? truncated(scratch, vectorOf(x)) : numeric(x);
  return dtype === "uint8" && !x.mask ? v128.and(integer, i32x4.const(255)) : integer;
}

/** float32 to int32 modulo 2^32, as typed arrays convert; NaN and infinities become 0. */
function truncated(scratch: Scratch, argument: Vector): Vector {
  const x = scratch.reusable(argument);
  const wraps = f32x4.mul(f32x4.trunc(f32x4.mul(x, f32x4.const(2 ** -32))), f32x4.const(2 ** 32));
  const rest = scratch.let(f32x4.sub(x, wraps));
  const magnitude = scratch.let(i32x4.trunc_sat_f32x4_u(f32x4.abs(rest)));
  return v128.bitselect(i32x4.neg(magnitude), magnitude, f32x4.lt(rest, zero));
}
