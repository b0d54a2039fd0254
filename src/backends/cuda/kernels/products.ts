/** Matrix products where no library makes them. */

import { sizeOf } from "../../../base/shape.js";
import type { GemmKernel, GemmOperand } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { indexTypes, indicesFrom, position } from "./nest.js";
import { addressOf, type Memory, type Stage } from "./part.js";
import { emitTiledProduct } from "./tiledProduct.js";

export function emitProduct(kernel: GemmKernel, memory: Memory): Stage[] {
  const { dtype, m, n, k, a, b, c, batch, accumulate, precision, name } = kernel;
  const type = cType[dtype];
  const variables = batch.map((_, d) => `n${d}`);
  const dimensions = batch.map((steps, d) => ({ variable: variables[d], steps, step: 1 }));
  const from = (operand: GemmOperand, as: string): string =>
    `${addressOf(memory.buffers[operand.buffer], as)} + ${position(operand.offset, operand.batchStrides, variables)}`;
  const operand = (
    name: string,
    { leading, transposed, ...place }: GemmOperand,
    free: number,
    isLeft: boolean,
  ) => {
    // A is stored [m, k], B [k, n]: the depth is the contiguous index of A, and of a transposed B.
    const depthFirst = isLeft !== transposed;
    const strides = depthFirst ? `${leading}ll, 1ll` : `1ll, ${leading}ll`;
    const base = from({ leading, transposed, ...place }, `const ${type}`);
    return `const MatrixOperand<${type}, ${depthFirst}> ${name} = {${base}, ${free}, ${strides}};`;
  };
  return emitTiledProduct(
    {
      title: `${name} ${m}x${n}x${k}${batch.length > 0 ? ` for each of ${batch.join("x")}` : ""}`,
      dtype,
      rows: m,
      columns: n,
      depth: k,
      batches: sizeOf(batch),
      rounded: precision === "bfloat16",
      operands: [
        ...indicesFrom("batch", dimensions, indexTypes(true)),
        operand("left", a, m, true),
        operand("right", b, n, false),
      ].join("\n"),
      result: `const MatrixResult<${type}> result = {${from(c, type)}, ${m}, ${n}, ${c.leading}ll, ${accumulate}};`,
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
