/** Operations on each element alone. */
import type { DType } from "../../../base/dtype.js";
import type { ElementwiseName } from "../../../graph/index.js";
import type { OnnxBuilder, Value } from "../builder.js";
import { outsideInference, type Translation } from "./translation.js";

type Formula = (onnx: OnnxBuilder, ...operands: Value[]) => Value;

const formula =
  <N extends ElementwiseName>(write: Formula): Translation<N> =>
  ({ inputs, onnx }) =>
    write(onnx, ...inputs);

/** An operation that ONNX has. */
const same = <N extends ElementwiseName>(opType: string): Translation<N> =>
  formula((onnx, ...operands) => onnx.elementwise(opType, operands));

/** ONNX compares no uint8. */
function compare(onnx: OnnxBuilder, opType: string, ...operands: Value[]): Value {
  const numbers = operands.map((x) => (x.type === "uint8" ? onnx.cast(x, "int32") : x));
  return onnx.elementwise(opType, numbers, { type: "bool" });
}

const comparison = <N extends ElementwiseName>(opType: string): Translation<N> =>
  formula((onnx, a, b) => compare(onnx, opType, a, b));

const isFloating = ({ type }: Value): boolean => type === "float32" || type === "float64";

const random = outsideInference("it draws random numbers, and a model gives the same each time");

/** log(1 + x) that keeps the digits of a small x: W. Kahan's correction of the rounding of 1 + x. */
function log1p(onnx: OnnxBuilder, x: Value): Value {
  const on = (opType: string, ...operands: Value[]) => onnx.elementwise(opType, operands);
  const choose = (condition: Value, a: Value, b: Value) =>
    onnx.elementwise("Where", [condition, a, b], { type: x.type });
  const number = (value: number) => onnx.scalar(value, x.type as DType, x.shape);
  const sum = on("Add", x, number(1));
  const kept = on("Sub", sum, number(1));
  const log = on("Log", sum);
  const corrected = on("Div", on("Mul", log, x), kept);
  // Infinity over infinity is no number, and exact sums need no correction.
  const unlessExact = choose(compare(onnx, "Equal", kept, x), log, corrected);
  return choose(compare(onnx, "Equal", kept, number(0)), x, unlessExact);
}

/** On integers the divisor is positive, and Mod then gives what is left below the quotient. */
function floorDivide(onnx: OnnxBuilder, a: Value, b: Value): Value {
  if (isFloating(a)) return onnx.elementwise("Floor", [onnx.elementwise("Div", [a, b])]);
  const rest = onnx.elementwise("Mod", [a, b]);
  return onnx.elementwise("Div", [onnx.elementwise("Sub", [a, rest]), b]);
}

function remainder(onnx: OnnxBuilder, a: Value, b: Value): Value {
  if (!isFloating(a)) return onnx.elementwise("Mod", [a, b]);
  return onnx.elementwise("Sub", [a, onnx.elementwise("Mul", [b, floorDivide(onnx, a, b)])]);
}

/** A float that uint8 can't hold wraps around, as an integer does. */
function wrappedByte(onnx: OnnxBuilder, x: Value): Value {
  const whole = onnx.cast(x, "int32");
  return onnx.cast(onnx.elementwise("Mod", [whole, onnx.scalar(256, "int32", x.shape)]), "uint8");
}

export const elementwiseTranslations: { readonly [N in ElementwiseName]: Translation<N> } = {
  neg: same("Neg"),
  abs: same("Abs"),
  sign: same("Sign"),
  floor: same("Floor"),
  exp: same("Exp"),
  log: same("Log"),
  log1p: formula(log1p),
  sqrt: same("Sqrt"),
  rsqrt: formula((onnx, x) => onnx.elementwise("Reciprocal", [onnx.elementwise("Sqrt", [x])])),
  sin: same("Sin"),
  cos: same("Cos"),
  tanh: same("Tanh"),
  sigmoid: same("Sigmoid"),
  relu: same("Relu"),
  stopGradient: formula((_, x) => x),
  cast: ({ node, inputs: [x], onnx }) =>
    node.dtype === "uint8" && isFloating(x) ? wrappedByte(onnx, x) : onnx.cast(x, node.dtype),
  add: same("Add"),
  sub: same("Sub"),
  mul: same("Mul"),
  div: same("Div"),
  pow: same("Pow"),
  maximum: same("Max"),
  minimum: same("Min"),
  floorDivide: formula(floorDivide),
  remainder: formula(remainder),
  equal: comparison("Equal"),
  notEqual: formula((onnx, a, b) => onnx.elementwise("Not", [compare(onnx, "Equal", a, b)])),
  less: comparison("Less"),
  lessEqual: comparison("LessOrEqual"),
  where: ({ inputs: [condition, a, b], onnx }) => {
    const branches = [a, b].map((branch) => onnx.asNumbers(branch));
    return onnx.elementwise("Where", [onnx.cast(condition, "bool"), ...branches], { type: branches[0].type });
  },
  randomBits: random,
  randomUniform: random,
  randomNormal: random,
  permute: random,
};
