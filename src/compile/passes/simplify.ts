/**
 * Algebraic simplification of one node whose inputs are simplified already. Every rule keeps the value of
 * every element, NaN and infinities included, up to the sign of zero; rules that would round otherwise are
 * not here.
 */
import { sizeOf } from "../../base/shape.js";
import { broadcastAlong, sumOver } from "../../graph/operations/broadcast.js";
import { mul, neg } from "../../graph/operations/elementwise.js";
import { isElementwise, operationOf } from "../../graph/operations/index.js";
import { full, fullLike } from "../../graph/operations/leaves.js";
import { permute, reshapeTo } from "../../graph/operations/movement.js";
import type { Node, Tensor } from "../../graph/tensor.js";

export function simplify(node: Tensor): Tensor {
  if (node.inputs.length > 0 && node.inputs.every((input) => input.op === "full")) {
    const folded = foldFilled(node);
    if (folded) return folded;
  }
  switch (node.op) {
    case "add":
      return withoutFilled(node, 0, "either") ?? node;
    case "sub":
      return withoutFilled(node, 0, "right") ?? node;
    case "mul":
      return withoutFilled(node, 1, "either") ?? negated(node) ?? node;
    case "div":
      return withoutFilled(node, 1, "right") ?? reciprocalPowerOfTwo(node) ?? node;
    case "pow":
      return simplePower(node) ?? node;
    case "neg":
      return node.inputs[0].op === "neg" ? node.inputs[0].inputs[0] : node;
    case "cast":
      return node.inputs[0].dtype === node.dtype ? node.inputs[0] : node;
    case "where":
      return node.inputs[0].op === "full" ? node.inputs[node.inputs[0].attributes.value !== 0 ? 1 : 2] : node;
    case "sum":
      return node.inputs[0].op === "sum" ? joinSums(node, node.inputs[0]) : node;
    case "reshape":
      return node.inputs[0].op === "reshape"
        ? reshapeTo(node.inputs[0].inputs[0], node.shape)
        : reshapeTo(node.inputs[0], node.shape);
    case "transpose": {
      const [x] = node.inputs;
      const { permutation } = node.attributes;
      return x.op === "transpose"
        ? permute(
            x.inputs[0],
            permutation.map((axis) => x.attributes.permutation[axis]),
          )
        : node;
    }
    case "broadcast": {
      const [x] = node.inputs;
      const { shape, axes } = node.attributes;
      return x.op === "broadcast"
        ? broadcastAlong(
            x.inputs[0],
            shape,
            x.attributes.axes.map((axis) => axes[axis]),
          )
        : node;
    }
    default:
      return node;
  }
}

/** An operation on filled tensors is a filled tensor, if it treats all elements alike. */
function foldFilled(node: Tensor): Tensor | undefined {
  const values = node.inputs.map((input) => (input as Node<"full">).attributes.value);
  if (isElementwise(node.op)) {
    const scalars = node.inputs.map((input) =>
      full([], (input as Node<"full">).attributes.value, input.dtype),
    );
    const hosts = scalars.map((scalar) => ({
      shape: [],
      dtype: scalar.dtype,
      data: operationOf("full").evaluate(
        [],
        { value: (scalar as Node<"full">).attributes.value } as never,
        scalar,
      ),
    }));
    const [value] = operationOf(node.op).evaluate(hosts, node.attributes as never, {
      shape: [],
      dtype: node.dtype,
    });
    return fullLike(node, value);
  }
  if (node.op === "sum")
    return fullLike(node, (values[0] * sizeOf(node.inputs[0].shape)) / Math.max(1, sizeOf(node.shape)));
  if (node.op === "broadcast" || node.op === "reshape" || node.op === "transpose" || node.op === "slice")
    return fullLike(node, values[0]);
  return undefined;
}

const filledWith = (x: Tensor, value: number): boolean => x.op === "full" && x.attributes.value === value;

/** x for `x op identity`. */
function withoutFilled(node: Tensor, identity: number, side: "right" | "either"): Tensor | undefined {
  const [a, b] = node.inputs;
  if (filledWith(b, identity)) return a;
  return side === "either" && filledWith(a, identity) ? b : undefined;
}

function negated(node: Node<"mul">): Tensor | undefined {
  const [a, b] = node.inputs;
  if (filledWith(b, -1)) return neg(a);
  return filledWith(a, -1) ? neg(b) : undefined;
}

/** Dividing by a power of two multiplies by its exact reciprocal. */
function reciprocalPowerOfTwo(node: Node<"div">): Tensor | undefined {
  const [a, b] = node.inputs;
  if (b.op !== "full") return undefined;
  const { value } = b.attributes;
  const exponent = Math.round(Math.log2(Math.abs(value)));
  // Within these bounds the reciprocal is a normal number in float32 too.
  return Math.abs(exponent) < 100 && 2 ** exponent === Math.abs(value)
    ? mul(a, fullLike(b, 1 / value))
    : undefined;
}

function simplePower(node: Node<"pow">): Tensor | undefined {
  const [x, exponent] = node.inputs;
  if (filledWith(exponent, 1)) return x;
  if (filledWith(exponent, 2)) return mul(x, x);
  return filledWith(exponent, 0) ? fullLike(x, 1) : undefined;
}

/** A sum of a sum is one sum over both sets of axes, counted in the inner operand. */
function joinSums(outer: Node<"sum">, inner: Node<"sum">): Tensor {
  const [x] = inner.inputs;
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !inner.attributes.axes.includes(axis));
  const axes = [...inner.attributes.axes, ...outer.attributes.axes.map((axis) => kept[axis])];
  return sumOver(
    x,
    axes.sort((a, b) => a - b),
  );
}
