/** Every elementwise operation on one element, as an expression of CUDA C. */
import { type DType, isFloat } from "../../../base/dtype.js";
import { permutationHalfBits } from "../../../base/random.js";
import type { ElementwiseInstruction } from "../../../compile/plan.js";
import type { ElementwiseAttributes, ElementwiseName } from "../../../graph/tensor.js";
import { cType, literal } from "./cTypes.js";

/** An operand: a name, and what it holds. */
export interface Operand {
  readonly code: string;
  readonly dtype: DType;
}

/** The dtype of the result, the operands' code, the dtype of the first one. */
interface Call<N extends ElementwiseName> {
  readonly dtype: DType;
  readonly of: DType;
  readonly attributes: ElementwiseAttributes[N];
}

type Rule<N extends ElementwiseName> = (call: Call<N>, ...operands: string[]) => string;

export function expressionOf(
  { op, dtype, attributes }: ElementwiseInstruction & { readonly dtype: DType },
  operands: readonly Operand[],
): string {
  const rule = rules[op] as Rule<ElementwiseName>;
  return rule({ dtype, of: operands[0].dtype, attributes }, ...operands.map(({ code }) => code));
}

/** Operations whose functions need the device functions of random numbers. */
export const drawsRandomly = (op: string): boolean =>
  op === "randomBits" || op === "randomUniform" || op === "randomNormal" || op === "permute";

/** A function of the C library in the operand's precision. */
const library =
  (name: string): Rule<ElementwiseName> =>
  ({ of }, ...operands) =>
    `${name}${of === "float32" ? "f" : ""}(${operands.join(", ")})`;

/** An operator on floats, a function that wraps on integers. */
const arithmetic =
  (operator: string, wrapping: string): Rule<ElementwiseName> =>
  ({ of }, a, b) =>
    isFloat(of) ? `${a} ${operator} ${b}` : `${wrapping}(${a}, ${b})`;

const comparison =
  (operator: string): Rule<ElementwiseName> =>
  (_, a, b) =>
    `${a} ${operator} ${b}`;

const one = (dtype: DType): string => literal(dtype, 1);
const zero = (dtype: DType): string => literal(dtype, 0);

const rules: { readonly [N in ElementwiseName]: Rule<N> } = {
  neg: ({ of }, x) => (isFloat(of) ? `-${x}` : `wrappedDifference(0, ${x})`),
  abs: ({ of }, x) =>
    isFloat(of)
      ? library("fabs")({ of, dtype: of, attributes: {} }, x)
      : `${x} < 0 ? wrappedDifference(0, ${x}) : ${x}`,
  sign: (_, x) => `signOf(${x})`,
  floor: library("floor"),
  exp: library("exp"),
  log: library("log"),
  log1p: library("log1p"),
  sqrt: library("sqrt"),
  rsqrt: (call, x) => `${one(call.of)} / ${library("sqrt")(call, x)}`,
  sin: library("sin"),
  cos: library("cos"),
  tanh: library("tanh"),
  sigmoid: (call, x) => `${one(call.of)} / (${one(call.of)} + ${library("exp")(call, `-${x}`)})`,
  relu: ({ of }, x) => `greater(${x}, ${zero(of)})`,
  stopGradient: (_, x) => x,
  cast: ({ dtype, of }, x) => {
    if (isFloat(dtype) || !isFloat(of)) return `(${cType[dtype]})${x}`;
    return `(${cType[dtype]})truncated(${x})`;
  },

  add: arithmetic("+", "wrappedSum"),
  sub: arithmetic("-", "wrappedDifference"),
  mul: arithmetic("*", "wrappedProduct"),
  div: (_, a, b) => `${a} / ${b}`,
  pow: (_, a, b) => `power(${a}, ${b})`,
  maximum: (_, a, b) => `greater(${a}, ${b})`,
  minimum: (_, a, b) => `lesser(${a}, ${b})`,
  floorDivide: ({ of }, a, b) =>
    isFloat(of) ? `(${cType[of]})floor((double)${a} / (double)${b})` : `floorQuotient(${a}, ${b})`,
  remainder: ({ of }, a, b) =>
    isFloat(of)
      ? `(${cType[of]})floorRemainder(${a}, ${b})`
      : `wrappedDifference(${a}, wrappedProduct(${b}, floorQuotient(${a}, ${b})))`,

  equal: comparison("=="),
  notEqual: comparison("!="),
  less: comparison("<"),
  lessEqual: comparison("<="),
  where: (_, condition, a, b) => `${condition} ? ${a} : ${b}`,

  randomBits: (_, ...operands) => `randomBits(${operands.join(", ")})`,
  randomUniform: (_, ...operands) => `randomUniform(${operands.join(", ")})`,
  randomNormal: ({ attributes }, ...operands) =>
    `randomNormal(${operands.join(", ")}, ${literal("float32", attributes.reach)})`,
  permute: ({ attributes: { count } }, ...operands) =>
    `permuted(${operands.join(", ")}, ${count}, ${permutationHalfBits(count)})`,
};
