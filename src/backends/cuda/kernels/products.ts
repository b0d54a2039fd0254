/** Matrix products where no library makes them. */

import { sizeOf } from "../../../base/shape.js";
import type { GemmKernel, GemmOperand } from "../../../compile/plan.js";
import type { ProductPrecision } from "../products.js";
import { cType } from "./cTypes.js";
import { indexTypes, indicesFrom, position } from "./nest.js";
import { addressOf, type Memory, type Stage } from "./part.js";
import { emitTiledProduct, roundingOf, widthOf } from "./tiledProduct.js";

export function emitProduct(kernel: GemmKernel, memory: Memory, precision: ProductPrecision): Stage[] {
  const { dtype, m, n, k, a, b, c, batch, accumulate, name } = kernel;
  const type = cType[dtype];
  const variables = batch.map((_, d) => `n${d}`);
  const dimensions = batch.map((steps, d) => ({ variable: variables[d], steps, step: 1 }));
  const from = (operand: GemmOperand, as: string): string =>
    `${addressOf(memory.buffers[operand.buffer], as)} + ${position(operand.offset, operand.batchStrides, variables)}`;
  /** @param side by side elements of a line */
  const width = ({ offset, leading, batchStrides }: GemmOperand, side: number): number =>
    widthOf(dtype, [side, offset, leading, ...batchStrides]);
  const operand = (name: string, matrix: GemmOperand, free: number, isLeft: boolean) => {
    // A is stored [m, k], B [k, n]: the depth is the contiguous index of A, and of a transposed B.
    const depthFirst = isLeft !== matrix.transposed;
    const strides = depthFirst ? `${matrix.leading}ll, 1ll` : `1ll, ${matrix.leading}ll`;
    const kind = `MatrixOperand<${type}, ${depthFirst}, ${width(matrix, depthFirst ? k : free)}>`;
    return `const ${kind} ${name} = {${from(matrix, `const ${type}`)}, ${free}, ${strides}};`;
  };
  return emitTiledProduct(
    {
      title: `${name} ${m}x${n}x${k}${batch.length > 0 ? ` for each of ${batch.join("x")}` : ""}`,
      dtype,
      rows: m,
      columns: n,
      depth: k,
      batches: sizeOf(batch),
      rounding: roundingOf(dtype, kernel.precision, precision),
      operands: [
        ...indicesFrom("batch", dimensions, indexTypes(true)),
        operand("left", a, m, true),
        operand("right", b, n, false),
      ].join("\n"),
      result: `const MatrixResult<${type}, ${width(c, n)}> result = {${from(c, type)}, ${m}, ${n}, ${c.leading}ll, ${accumulate}};`,
      ...(!accumulate && {
        divisible: {
          name: "dot, parts",
          shape: [...batch, m, n],
          place: { buffer: c.buffer, offset: c.offset, strides: [...c.batchStrides, c.leading, 1] },
        },
      }),
      libraries: [],
      kernel,
    },
    memory,
  );
}
