/**
 * A product of two operands in tiles, one a block. Where a product has few tiles and much depth, blocks divide the depth of
 * each, and a second stage adds up what they leave in scratch memory, always in the same order.
 */
import { type Shape, stridesOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Access, ConvolutionKernel, GemmKernel, LoopKernel } from "../../../compile/plan.js";
import type { ProductPrecision } from "../products.js";
import { cType } from "./cTypes.js";
import { mergedNest } from "./nest.js";
import { addressOf, type DeviceLibrary, type Memory, type Part, type Stage } from "./part.js";
import { emitReductions } from "./reductions.js";
import { chooseTiling, type Rounding } from "./tiles.js";

export interface TiledProduct {
  readonly title: string;
  readonly dtype: "float32" | "float64";
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Products of these sizes; code knows the number of its own as `batch`. */
  readonly batches: number;
  readonly rounding: Rounding;
  /** Statements that declare `left` and `right`. */
  readonly operands: string;
  /** Statements that declare `result`. */
  readonly result: string;
  /** Where sums of parts belong, if blocks divide the depth; absent: they may not. */
  readonly divisible?: Divisible;
  readonly libraries: readonly DeviceLibrary[];
  /** The plan's kernel that it is. */
  readonly kernel: GemmKernel | ConvolutionKernel;
}

interface Divisible {
  /** Of their kernel, for people. */
  readonly name: string;
  /** [batches, rows, columns], as dimensions that the place has strides for. */
  readonly shape: Shape;
  readonly place: Access;
}

/** Neighbours that one load or store of at most 16 bytes may take, where all of these numbers of elements allow it. */
export function widthOf(dtype: TiledProduct["dtype"], elements: readonly number[]): number {
  const widths = dtype === "float32" ? [4, 2] : [2];
  return widths.find((width) => elements.every((count) => count % width === 0)) ?? 1;
}

/** How operands of a product are rounded. @param precision how those are that the plan leaves as they are */
export const roundingOf = (
  dtype: TiledProduct["dtype"],
  ofPlan: GemmKernel["precision"],
  precision: ProductPrecision,
): Rounding => (dtype === "float64" ? "none" : (ofPlan ?? (precision === "tf32" ? "tf32" : "none")));

export function emitTiledProduct(product: TiledProduct, memory: Memory): Stage[] {
  const { title, dtype, rows, columns, depth, batches, rounding, divisible, libraries } = product;
  if (rows * columns * batches === 0) return [];
  const tiling = chooseTiling({ ...product, divisible: divisible !== undefined });
  const [down, across] = [Math.ceil(rows / tiling.rows), Math.ceil(columns / tiling.columns)];
  const { slices, sliceDepth, sharedBytes } = tiling;
  const parts = slices > 1 ? memory.scratch(dtype, slices * batches * rows * columns) : undefined;
  const type = cType[dtype];
  const result =
    parts === undefined
      ? product.result
      : `const MatrixResult<${type}, ${widthOf(dtype, [columns])}> result = {${addressOf(memory.buffers[parts], type)} + (slice * ${batches}ll + batch) * ${
          rows * columns
        }ll, ${rows}, ${columns}, ${columns}ll, false};`;
  const range =
    slices === 1
      ? `0, ${depth}`
      : `slice * ${sliceDepth}, min((int)slice * ${sliceDepth} + ${sliceDepth}, ${depth})`;
  const shape = `${type}, Rounding::${rounding}, ${tiling.rows}, ${tiling.columns}, ${tiling.depth}, ${tiling.stages}`;
  const code = [
    `const unsigned tile = block % ${down * across}u, rest = block / ${down * across}u;`,
    `const unsigned ${slices > 1 ? `slice = rest % ${slices}u, ` : ""}batch = rest / ${slices}u;`,
    product.operands,
    result,
    `multiplyTile<${shape}>(left, right, result, tile / ${across}u * ${tiling.rows}, tile % ${across}u * ${tiling.columns}, ${range});`,
  ].join("\n");
  const part: Part = {
    title,
    code,
    blocks: down * across * batches * slices,
    sharedBytes,
    libraries: ["instructions", "products", ...libraries],
    computes: product.kernel,
  };
  const sum =
    parts === undefined
      ? []
      : emitReductions(mergedNest(sumOf(dtype, divisible!, { parts, slices })), memory);
  const { reads, writes } = kernelEffects(product.kernel);
  return [{ parts: [part], reads, writes: parts === undefined ? writes : [parts] }, ...sum];
}

/** Puts into place the sums over the first dimension of parts [slices, ...shape] in a buffer. */
function sumOf(
  dtype: TiledProduct["dtype"],
  { name, shape, place }: Divisible,
  { parts, slices }: { readonly parts: number; readonly slices: number },
): LoopKernel {
  const extents = [slices, ...shape];
  return {
    kind: "loop",
    name,
    extents,
    reduced: extents.map((_, d) => d === 0),
    body: [{ op: "load", dtype, access: { buffer: parts, offset: 0, strides: stridesOf(extents) } }],
    stores: [],
    reductions: [{ value: 0, combine: "sum", access: { ...place, strides: [0, ...place.strides] } }],
  };
}
