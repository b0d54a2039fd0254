/**
 * From a general contraction to matrix products: axes that lie one after another in every operand become one;
 * of what is left one row axis, one column axis and one inner axis make the product, the others loops around it.
 */
import { sizeOf, stridesOf } from "../../base/shape.js";
import { freeAxes } from "../../graph/operations/dot.js";
import type { Node } from "../../graph/tensor.js";
import type { GemmKernel, GemmOperand } from "../plan.js";
import type { View } from "./views.js";

/** The product as a kernel whose operands name no buffers yet; undefined where an operand must be copied first. */
export function planContraction(
  node: Node<"dot">,
  a: View,
  b: View,
): Omit<GemmKernel, "name" | "accumulate"> | undefined {
  const { attributes, inputs } = node;
  const shapes = inputs.map((input) => input.shape);
  const [freeA, freeB] = [freeAxes(attributes, inputs, 0), freeAxes(attributes, inputs, 1)];
  const out = stridesOf(node.shape);
  const batchCount = attributes.batch[0].length;
  const axis = (side: 0 | 1, at: number, place: number): Axis => ({
    extent: shapes[side][at],
    a: side === 0 ? a.strides[at] : 0,
    b: side === 1 ? b.strides[at] : 0,
    c: out[place],
  });
  const rows = merge(freeA.map((at, i) => axis(0, at, batchCount + i)));
  const columns = merge(freeB.map((at, i) => axis(1, at, batchCount + freeA.length + i)));
  const loops = merge(
    attributes.batch[0].map((at, i) => ({
      extent: shapes[0][at],
      a: a.strides[at],
      b: b.strides[attributes.batch[1][i]],
      c: out[i],
    })),
  );
  const inner = merge(
    attributes.contract[0].map((at, i) => ({
      extent: shapes[0][at],
      a: a.strides[at],
      b: b.strides[attributes.contract[1][i]],
      c: 0,
    })),
  );
  if (inner.length > 1) return undefined;
  const k = inner[0] ?? unit;
  const row = takeLongest(rows, (candidate) => operandFits(candidate, k, "a"));
  const column = takeLongest(
    columns,
    (candidate) => operandFits(candidate, k, "b") && (candidate.c === 1 || candidate.extent === 1),
  );
  if (!row || !column) return undefined;
  const around = [...loops, ...rows.filter((r) => r !== row), ...columns.filter((c) => c !== column)].sort(
    (x, y) => y.c - x.c,
  );
  if (sizeOf(around.map(({ extent }) => extent)) > tooManyProducts && loops.length < around.length)
    return undefined;
  const operand = (view: View | undefined, side: "a" | "b", first: Axis, second: Axis): GemmOperand => {
    const transposed = !(second[side] === 1 || second.extent === 1);
    const [major, minor] = transposed ? [second, first] : [first, second];
    return {
      buffer: -1,
      offset: view?.offset ?? 0,
      leading: Math.max(1, major.extent === 1 ? 1 : major[side], minor.extent),
      transposed,
      batchStrides: around.map((loop) => loop[side]),
    };
  };
  return {
    kind: "gemm",
    dtype: node.dtype as "float32" | "float64",
    m: row.extent,
    n: column.extent,
    k: k.extent,
    a: operand(a, "a", row, k),
    b: operand(b, "b", k, column),
    c: {
      buffer: -1,
      offset: 0,
      leading: Math.max(1, row.extent === 1 ? 1 : row.c, column.extent),
      transposed: false,
      batchStrides: around.map((loop) => loop.c),
    },
    batch: around.map(({ extent }) => extent),
  };
}

/** The order of an operand's axes in which any contraction of it is one product: batch, free, contracted. */
export function canonicalOrder(node: Node<"dot">, side: 0 | 1): number[] {
  const { batch, contract } = node.attributes;
  return [...batch[side], ...freeAxes(node.attributes, node.inputs, side), ...contract[side]];
}

/** An extent and its strides in the three matrices. */
interface Axis {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const unit: Axis = { extent: 1, a: 1, b: 1, c: 1 };

/** More small products than this around one another cost more than a copy that makes them one. */
const tooManyProducts = 256;

/** Drops axes of extent 1 and joins neighbours that are contiguous in all three matrices. */
function merge(axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const last = result.at(-1);
    const joins = last && (["a", "b", "c"] as const).every((side) => last[side] === axis[side] * axis.extent);
    if (joins) result[result.length - 1] = { ...axis, extent: last.extent * axis.extent };
    else result.push(axis);
  }
  return result;
}

function takeLongest(axes: readonly Axis[], fits: (axis: Axis) => boolean): Axis | undefined {
  if (axes.length === 0) return fits(unit) ? unit : undefined;
  return axes.filter(fits).sort((x, y) => y.extent - x.extent)[0];
}

/** A library reads a matrix whose rows or columns are contiguous and do not repeat; of one without elements it reads none. */
function operandFits(free: Axis, inner: Axis, side: "a" | "b"): boolean {
  if (free.extent === 0 || inner.extent === 0) return true;
  const [f, k] = [free.extent === 1 ? 1 : free[side], inner.extent === 1 ? 1 : inner[side]];
  return f > 0 && k > 0 && (f === 1 || k === 1) && (free.extent === 1 || inner.extent === 1 || f !== k);
}
