/** Every elementwise operation on one element of any dtype. */
import type { DType } from "../../../base/dtype.js";
import { invariant } from "../../../base/errors.js";
import type { ElementwiseInstruction } from "../../../compile/plan.js";
import type { ElementwiseAttributes, ElementwiseName } from "../../../graph/tensor.js";
import { type Code, f32, f32x4, f64, i32, i32x4, select, type ValueType } from "../wasm/index.js";
import type { Value } from "./engine.js";
import { callMath, type LoopTarget, type MathName } from "./functions.js";
import { callPermute, vectorRandomBits, vectorRandomNormal, vectorRandomUniform } from "./random.js";
import type { Scratch } from "./scratch.js";

export interface ScalarContext {
  readonly target: LoopTarget;
  readonly scratch: Scratch;
}

/** Context and the dtype of the result. */
interface Call extends ScalarContext {
  readonly dtype: DType;
}

type Rule<N extends ElementwiseName> = (
  call: Call,
  inputs: readonly Value[],
  attributes: ElementwiseAttributes[N],
) => Code<ValueType>;

export function applyScalar(
  context: ScalarContext,
  instruction: ElementwiseInstruction,
  inputs: readonly Value[],
  dtype: DType,
): Value {
  const rule = rules[instruction.op] as Rule<ElementwiseName>;
  return { dtype, code: rule({ ...context, dtype }, inputs, instruction.attributes), mask: false };
}

export function scalarOf<T extends ValueType>(value: Value, type: T): Code<T> {
  invariant(value.code.type === type, `scalar loop holds a ${value.code.type} where it needs a ${type}`);
  return value.code as Code<T>;
}

type Binary<A extends ValueType> = (a: Code<A>, b: Code<A>) => Code<ValueType>;

/** One instruction for each type of operand. */
const binary =
  (double: Binary<"f64">, float: Binary<"f32">, integer?: Binary<"i32">) =>
  (_: Call, [a, b]: readonly Value[]): Code<ValueType> => {
    if (a.dtype === "float64") return double(scalarOf(a, "f64"), scalarOf(b, "f64"));
    if (a.dtype === "float32") return float(scalarOf(a, "f32"), scalarOf(b, "f32"));
    invariant(integer, "operation without an integer form on integers");
    return integer(scalarOf(a, "i32"), scalarOf(b, "i32"));
  };

type Name = "abs" | "floor" | "sqrt" | "neg";
const unary =
  (name: Name) =>
  (_: Call, [x]: readonly Value[]): Code<ValueType> =>
    x.dtype === "float64" ? f64[name](scalarOf(x, "f64")) : f32[name](scalarOf(x, "f32"));

/** Computed in float64 whatever the float dtype, and rounded to it. */
const inDoubles =
  (compute: (call: Call, ...operands: Code<"f64">[]) => Code<"f64">) =>
  (call: Call, inputs: readonly Value[]): Code<ValueType> => {
    const operands = inputs.map((input) => call.scratch.let(toDouble(input)));
    const result = compute(call, ...operands);
    return call.dtype === "float64" ? result : f32.demote_f64(result);
  };

const host = (name: MathName) => inDoubles(({ target }, ...operands) => callMath(target, name, operands));

function toDouble(value: Value): Code<"f64"> {
  if (value.dtype === "float64") return scalarOf(value, "f64");
  if (value.dtype === "float32") return f64.promote_f32(scalarOf(value, "f32"));
  return f64.convert_i32_s(scalarOf(value, "i32"));
}

const floorQuotient = (a: Code<"f64">, b: Code<"f64">): Code<"f64"> => f64.floor(f64.div(a, b));

/** Quotients of 32-bit integers round to no wrong side of an integer in float64; dividing by 0 does not trap. */
const integerFloor = (a: Code<"i32">, b: Code<"i32">): Code<"i32"> =>
  i32.trunc_sat_f64_s(floorQuotient(f64.convert_i32_s(a), f64.convert_i32_s(b)));

/** The operands as i32 codes that may be used several times. */
const integers = ({ scratch }: Call, inputs: readonly Value[]): Code<"i32">[] =>
  inputs.map((input) => scratch.reusable(scalarOf(input, "i32")));

const extremum =
  (name: "max" | "min", wins: (a: Code<"i32">, b: Code<"i32">) => Code<"i32">) =>
  (call: Call, inputs: readonly Value[]): Code<ValueType> => {
    if (inputs[0].dtype !== "int32") return binary(f64[name], f32[name])(call, inputs);
    const [a, b] = integers(call, inputs);
    return select(wins(a, b), a, b);
  };

const rules: { readonly [N in ElementwiseName]: Rule<N> } = {
  neg: (call, [x]) => (x.dtype === "int32" ? i32.sub(0, scalarOf(x, "i32")) : unary("neg")(call, [x])),
  abs: (call, [x]) => {
    if (x.dtype !== "int32") return unary("abs")(call, [x]);
    const [a] = integers(call, [x]);
    return select(i32.lt_s(a, 0), i32.sub(0, a), a);
  },
  sign: (call, [x]) => (x.dtype === "int32" ? integerSign(call, [x]) : inDoubles(floatSign)(call, [x])),
  floor: unary("floor"),
  exp: host("exp"),
  log: host("log"),
  log1p: host("log1p"),
  sqrt: unary("sqrt"),
  rsqrt: inDoubles((_, x) => f64.div(1, f64.sqrt(x))),
  sin: host("sin"),
  cos: host("cos"),
  tanh: host("tanh"),
  sigmoid: inDoubles(({ target }, x) => f64.div(1, f64.add(1, callMath(target, "exp", [f64.neg(x)])))),
  relu: (_, [x]) => (x.dtype === "float64" ? f64.max(scalarOf(x, "f64"), 0) : f32.max(scalarOf(x, "f32"), 0)),
  stopGradient: (_, [x]) => x.code,
  cast: (call, [x]) => castTo(call, x),

  add: binary(f64.add, f32.add, i32.add),
  sub: binary(f64.sub, f32.sub, i32.sub),
  mul: binary(f64.mul, f32.mul, i32.mul),
  div: binary(f64.div, f32.div),
  pow: host("pow"),
  maximum: extremum("max", i32.gt_s),
  minimum: extremum("min", i32.lt_s),
  floorDivide: (call, inputs) =>
    call.dtype === "int32"
      ? binary(f64.add, f32.add, integerFloor)(call, inputs)
      : inDoubles((_, a, b) => floorQuotient(a, b))(call, inputs),
  remainder: (call, inputs) => {
    if (call.dtype !== "int32")
      return inDoubles((_, a, b) => f64.sub(a, f64.mul(b, floorQuotient(a, b))))(call, inputs);
    const [a, b] = integers(call, inputs);
    return i32.sub(a, i32.mul(b, integerFloor(a, b)));
  },

  equal: binary(f64.eq, f32.eq, i32.eq),
  notEqual: binary(f64.ne, f32.ne, i32.ne),
  less: binary(f64.lt, f32.lt, i32.lt_s),
  lessEqual: binary(f64.le, f32.le, i32.le_s),
  where: (_, [condition, a, b]) => select(scalarOf(condition, "i32"), a.code, b.code),

  // A scalar draws as lane 0 of a vector does.
  randomBits: ({ scratch }, inputs) => i32x4.extract_lane(vectorRandomBits(scratch, splats(inputs)), 0),
  randomUniform: ({ scratch }, inputs) => f32x4.extract_lane(vectorRandomUniform(scratch, splats(inputs)), 0),
  randomNormal: ({ scratch }, inputs, { reach }) =>
    f32x4.extract_lane(vectorRandomNormal(scratch, splats(inputs), reach), 0),
  permute: ({ target }, inputs, { count }) =>
    i32x4.extract_lane(callPermute(target.permute, splats(inputs), count), 0),
};

const splats = (inputs: readonly Value[]): Code<"v128">[] =>
  inputs.map((input) => i32x4.splat(scalarOf(input, "i32")));

/** 1, -1, or x itself: 0, -0 and NaN stay. */
const floatSign = (_: Call, x: Code<"f64">): Code<"f64"> =>
  select(f64.gt(x, 0), f64.const(1), select(f64.lt(x, 0), f64.const(-1), x));

function integerSign(call: Call, inputs: readonly Value[]): Code<"i32"> {
  const [x] = integers(call, inputs);
  return i32.sub(i32.gt_s(x, 0), i32.lt_s(x, 0));
}

function castTo({ scratch, dtype }: Call, x: Value): Code<ValueType> {
  if (x.dtype === dtype) return x.code;
  if (dtype === "float64") return toDouble(x);
  if (dtype === "float32") {
    return x.dtype === "float64" ? f32.demote_f64(scalarOf(x, "f64")) : f32.convert_i32_s(scalarOf(x, "i32"));
  }
  const isFloat = x.dtype === "float64" || x.dtype === "float32";
  const integer = isFloat ? truncated(scratch, toDouble(x)) : scalarOf(x, "i32");
  return dtype === "uint8" ? i32.and(integer, 255) : integer;
}

/** float64 to int32 modulo 2^32, as typed arrays convert; NaN and infinities become 0. */
function truncated(scratch: Scratch, argument: Code<"f64">): Code<"i32"> {
  const x = scratch.reusable(argument);
  const wraps = f64.mul(f64.trunc(f64.mul(x, 2 ** -32)), 2 ** 32);
  const rest = scratch.let(f64.sub(x, wraps));
  const magnitude = scratch.let(i32.trunc_sat_f64_u(f64.abs(rest)));
  return select(f64.lt(rest, 0), i32.sub(0, magnitude), magnitude);
}
