/**
 * Operations that compute each element alone. Inputs have one shape: broadcasting is explicit in the graph
 * (see `functions.ts` for the forms that broadcast by themselves). Each derivative stands beside its value.
 */
import { allocate, type DType, dtypes, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import {
  normalFromBits,
  permute as permutedPosition,
  randomBits,
  uniformFromBits,
} from "../../base/random.js";
import { formatType, sameShape, sizeOf, type TensorType } from "../../base/shape.js";
import type { Batched, ElementwiseAttributes, ElementwiseName, Node, Operation, Tensor } from "../tensor.js";
import { defineOperation } from "./define.js";
import { fullLike } from "./leaves.js";
import { alignAxis } from "./movement.js";

type Operands = readonly Tensor[];

interface Definition<N extends ElementwiseName> {
  readonly arity: 1 | 2 | 3;
  /** Dtypes that the operands may have. */
  readonly accepts: readonly DType[];
  /** Dtype of the output; the operands' own if absent. */
  readonly yields?: (attributes: ElementwiseAttributes[N], inputs: readonly TensorType[]) => DType;
  /** Gradient for each operand; none flows if absent. */
  readonly gradient?: (g: Tensor, operands: Operands, y: Node<N>) => readonly (Tensor | undefined)[];
  /** The value for one element; the result is rounded or wrapped to the output's dtype by the caller. */
  readonly value: (attributes: ElementwiseAttributes[N], ...x: number[]) => number;
  /** The value on int32, where that differs. */
  readonly integerValue?: (attributes: ElementwiseAttributes[N], ...x: number[]) => number;
}

const floats: readonly DType[] = ["float32", "float64"];
const numbers: readonly DType[] = ["float32", "float64", "int32"];
const all: readonly DType[] = ["float32", "float64", "int32", "uint8"];
const bits: readonly DType[] = ["int32"];

function elementwise<N extends ElementwiseName>(name: N, definition: Definition<N>) {
  const { arity, accepts, yields, gradient, value, integerValue } = definition;
  const record: Operation<ElementwiseName> = {
    infer: (inputs, attributes) => {
      checkOperands(name, arity, accepts, inputs);
      const dtype = yields ? yields(attributes as ElementwiseAttributes[N], inputs) : inputs[0].dtype;
      return { shape: inputs[0].shape, dtype };
    },
    gradient: (node, g) =>
      gradient?.(g, node.inputs, node as unknown as Node<N>) ?? node.inputs.map(() => undefined),
    batch: (node, inputs) => batchElementwise(node as unknown as Tensor, inputs),
    evaluate: (inputs, attributes, output) => {
      const data = allocate(output.dtype, sizeOf(output.shape));
      const of = (output.dtype === "int32" && integerValue) || value;
      const given = attributes as ElementwiseAttributes[N];
      const [a, b, c] = inputs.map((input) => input.data);
      // To gather operands in a list would take longer than most operations do.
      if (arity === 1) for (let i = 0; i < data.length; i++) data[i] = of(given, a[i]);
      else if (arity === 2) for (let i = 0; i < data.length; i++) data[i] = of(given, a[i], b[i]);
      else for (let i = 0; i < data.length; i++) data[i] = of(given, a[i], b[i], c[i]);
      return data;
    },
  };
  return defineOperation(name, record as unknown as Operation<N>);
}

const unary = (
  value: (x: number) => number,
  derivative?: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
  accepts = floats,
) =>
  ({
    arity: 1,
    accepts,
    value: (_: unknown, x: number) => value(x),
    gradient: derivative && ((g: Tensor, [x]: Operands, y: unknown) => [derivative(g, x, y as Tensor)]),
  }) as const;

const binary = (
  value: (a: number, b: number) => number,
  gradient?: (g: Tensor, operands: Operands, y: Tensor) => readonly (Tensor | undefined)[],
  {
    accepts = numbers,
    integerValue,
  }: { accepts?: readonly DType[]; integerValue?: (a: number, b: number) => number } = {},
) =>
  ({
    arity: 2,
    accepts,
    value: (_: unknown, a: number, b: number) => value(a, b),
    integerValue: integerValue && ((_: unknown, a: number, b: number) => integerValue(a, b)),
    gradient: gradient && ((g: Tensor, operands: Operands, y: unknown) => gradient(g, operands, y as Tensor)),
  }) as const;

const comparison = (value: (a: number, b: number) => boolean) =>
  ({
    arity: 2,
    accepts: all,
    yields: (): DType => "uint8",
    value: (_: unknown, a: number, b: number) => Number(value(a, b)),
  }) as const;

const random = (dtype: DType, value: (k0: number, k1: number, counter: number) => number) =>
  ({
    arity: 3,
    accepts: bits,
    yields: (): DType => dtype,
    value: (_: unknown, k0: number, k1: number, counter: number) => value(k0, k1, counter),
  }) as const;

/** max that keeps NaN, as hardware does. */
const maximumOf = (a: number, b: number): number => Math.max(a, b);

export const elementwiseOperations = {
  neg: elementwise(
    "neg",
    unary(
      (x) => -x,
      (g) => neg(g),
      numbers,
    ),
  ),
  abs: elementwise(
    "abs",
    unary(Math.abs, (g, x) => mul(g, sign(x)), numbers),
  ),
  sign: elementwise(
    "sign",
    unary(Math.sign, (_, x) => fullLike(x, 0), numbers),
  ),
  floor: elementwise(
    "floor",
    unary(Math.floor, (_, x) => fullLike(x, 0)),
  ),
  exp: elementwise(
    "exp",
    unary(Math.exp, (g, _, y) => mul(g, y)),
  ),
  log: elementwise(
    "log",
    unary(Math.log, (g, x) => div(g, x)),
  ),
  log1p: elementwise(
    "log1p",
    unary(Math.log1p, (g, x) => div(g, add(x, fullLike(x, 1)))),
  ),
  sqrt: elementwise(
    "sqrt",
    unary(Math.sqrt, (g, _, y) => div(mul(g, fullLike(y, 0.5)), y)),
  ),
  rsqrt: elementwise(
    "rsqrt",
    unary(
      (x) => 1 / Math.sqrt(x),
      (g, x, y) => mul(mul(g, fullLike(y, -0.5)), div(y, x)),
    ),
  ),
  sin: elementwise(
    "sin",
    unary(Math.sin, (g, x) => mul(g, cos(x))),
  ),
  cos: elementwise(
    "cos",
    unary(Math.cos, (g, x) => neg(mul(g, sin(x)))),
  ),
  tanh: elementwise(
    "tanh",
    unary(Math.tanh, (g, _, y) => mul(g, sub(fullLike(y, 1), mul(y, y)))),
  ),
  sigmoid: elementwise(
    "sigmoid",
    unary(
      (x) => 1 / (1 + Math.exp(-x)),
      (g, _, y) => mul(g, mul(y, sub(fullLike(y, 1), y))),
    ),
  ),
  relu: elementwise(
    "relu",
    unary(
      (x) => maximumOf(x, 0),
      // By the output, which is kept in any case: the input need not be.
      (g, _, y) => where(less(fullLike(y, 0), y), g, fullLike(g, 0)),
    ),
  ),
  stopGradient: elementwise("stopGradient", { ...unary((x) => x, undefined, all) }),
  cast: elementwise("cast", {
    arity: 1,
    accepts: all,
    yields: ({ dtype }) => dtype,
    // Typed arrays round to float32 and cut to integers as they store.
    value: (_, x) => x,
    gradient: (g, [x]) => [isFloat(x.dtype) ? cast(g, x.dtype) : undefined],
  }),

  add: elementwise(
    "add",
    binary(
      (a, b) => a + b,
      (g) => [g, g],
    ),
  ),
  sub: elementwise(
    "sub",
    binary(
      (a, b) => a - b,
      (g) => [g, neg(g)],
    ),
  ),
  mul: elementwise(
    "mul",
    binary(
      (a, b) => a * b,
      (g, [a, b]) => [mul(g, b), mul(g, a)],
      { integerValue: Math.imul },
    ),
  ),
  div: elementwise(
    "div",
    binary(
      (a, b) => a / b,
      (g, [, b], y) => [div(g, b), neg(mul(div(g, b), y))],
      { accepts: floats },
    ),
  ),
  pow: elementwise(
    "pow",
    binary(
      Math.pow,
      (g, [a, b], y) => {
        const one = fullLike(a, 1);
        // a^b log a is 0, not NaN, where a is 0.
        const logOrZero = where(
          less(fullLike(a, 0), a),
          log(where(less(fullLike(a, 0), a), a, one)),
          fullLike(a, 0),
        );
        // 0^0 is constant along a: its derivative is 0, not 0 times an infinite power.
        const flat = equal(maximum(abs(a), abs(b)), fullLike(a, 0));
        const lowered = pow(a, where(flat, one, sub(b, one)));
        return [mul(g, mul(b, lowered)), mul(g, mul(y, logOrZero))];
      },
      { accepts: floats },
    ),
  ),
  // At a tie each operand gets half, as in PyTorch and JAX.
  maximum: elementwise(
    "maximum",
    binary(maximumOf, (g, [a, b]) => [shareOfGreater(g, a, b), shareOfGreater(g, b, a)]),
  ),
  minimum: elementwise(
    "minimum",
    binary(
      (a, b) => Math.min(a, b),
      (g, [a, b]) => [shareOfGreater(g, b, a), shareOfGreater(g, a, b)],
    ),
  ),
  floorDivide: elementwise(
    "floorDivide",
    binary((a, b) => Math.floor(a / b), undefined, { integerValue: (a, b) => Math.floor(a / b) }),
  ),
  remainder: elementwise(
    "remainder",
    binary(
      (a, b) => a - b * Math.floor(a / b),
      (g, [a, b]) => [g, neg(mul(g, floorDivide(a, b)))],
    ),
  ),

  equal: elementwise(
    "equal",
    comparison((a, b) => a === b),
  ),
  notEqual: elementwise(
    "notEqual",
    comparison((a, b) => a !== b),
  ),
  less: elementwise(
    "less",
    comparison((a, b) => a < b),
  ),
  lessEqual: elementwise(
    "lessEqual",
    comparison((a, b) => a <= b),
  ),
  where: elementwise("where", {
    arity: 3,
    accepts: all,
    yields: (_, inputs) => inputs[1].dtype,
    value: (_, condition, a, b) => (condition !== 0 ? a : b),
    gradient: (g, [condition, a]) =>
      isFloat(a.dtype)
        ? [undefined, where(condition, g, fullLike(g, 0)), where(condition, fullLike(g, 0), g)]
        : [undefined, undefined, undefined],
  }),

  randomBits: elementwise(
    "randomBits",
    random("int32", (k0, k1, counter) => randomBits([k0, k1], counter)),
  ),
  randomUniform: elementwise(
    "randomUniform",
    random("float32", (k0, k1, counter) => uniformFromBits(randomBits([k0, k1], counter))),
  ),
  randomNormal: elementwise("randomNormal", {
    ...random("float32", () => 0),
    value: ({ reach }, k0, k1, counter) => normalFromBits(randomBits([k0, k1], counter), reach),
  }),
  permute: elementwise("permute", {
    ...random("int32", () => 0),
    value: ({ count }, k0, k1, position) => permutedPosition([k0, k1], position, count),
  }),
};

const { apply: applyCast } = elementwiseOperations.cast;

export const neg = (x: Tensor): Tensor => elementwiseOperations.neg.apply([x], {});
export const abs = (x: Tensor): Tensor => elementwiseOperations.abs.apply([x], {});
export const sign = (x: Tensor): Tensor => elementwiseOperations.sign.apply([x], {});
export const log = (x: Tensor): Tensor => elementwiseOperations.log.apply([x], {});
export const sin = (x: Tensor): Tensor => elementwiseOperations.sin.apply([x], {});
export const cos = (x: Tensor): Tensor => elementwiseOperations.cos.apply([x], {});
export const cast = (x: Tensor, dtype: DType): Tensor => (x.dtype === dtype ? x : applyCast([x], { dtype }));
export const add = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.add.apply([a, b], {});
export const sub = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.sub.apply([a, b], {});
export const mul = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.mul.apply([a, b], {});
export const div = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.div.apply([a, b], {});
export const pow = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.pow.apply([a, b], {});
export const maximum = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.maximum.apply([a, b], {});
export const minimum = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.minimum.apply([a, b], {});
export const floorDivide = (a: Tensor, b: Tensor): Tensor =>
  elementwiseOperations.floorDivide.apply([a, b], {});
export const equal = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.equal.apply([a, b], {});
export const less = (a: Tensor, b: Tensor): Tensor => elementwiseOperations.less.apply([a, b], {});
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor =>
  elementwiseOperations.where.apply([condition, a, b], {});

/** `g` where `winner` > `other`, half of it where they are equal, else 0. */
function shareOfGreater(g: Tensor, winner: Tensor, other: Tensor): Tensor {
  const half = mul(g, fullLike(g, 0.5));
  return where(less(other, winner), g, where(equal(winner, other), half, fullLike(g, 0)));
}

function checkOperands(
  name: ElementwiseName,
  arity: number,
  accepts: readonly DType[],
  inputs: readonly TensorType[],
): void {
  const received = inputs.map(formatType).join(", ");
  if (inputs.length !== arity)
    throw new SlalomError("shape", `${name}: ${inputs.length} operands; expected ${arity}.`);
  // A condition is uint8 whatever the branches are.
  const values = name === "where" ? inputs.slice(1) : inputs;
  if (name === "where" && inputs[0].dtype !== "uint8") {
    throw new SlalomError(
      "shape",
      `where: the condition is ${formatType(inputs[0])}; expected u8, the result of a comparison.`,
    );
  }
  for (const input of values) {
    if (input.dtype !== values[0].dtype) {
      throw new SlalomError("shape", `${name}: operands differ in dtype, ${received}; cast one of them.`);
    }
    if (!accepts.includes(input.dtype)) {
      throw new SlalomError(
        "shape",
        `${name}: ${dtypes[input.dtype].short} operand; expected ${accepts.map((d) => dtypes[d].short).join(", ")}. Cast it first.`,
      );
    }
  }
  for (const input of inputs) {
    if (!sameShape(input.shape, inputs[0].shape)) {
      throw new SlalomError(
        "shape",
        `${name}: operands differ in shape, ${received}; broadcast one of them.`,
      );
    }
  }
}

/** Elementwise rules are all one: bring every operand's lane axis to the first one's place. */
function batchElementwise(node: Tensor, inputs: readonly Batched[]): Batched {
  const first = inputs.find((input) => input.axis !== undefined)!;
  const extent = first.tensor.shape[first.axis!];
  const aligned = inputs.map((input) => alignAxis(input, first.axis!, extent));
  const tensor = { ...node, inputs: aligned, shape: aligned[0].shape } as Tensor;
  return { tensor, axis: first.axis };
}
