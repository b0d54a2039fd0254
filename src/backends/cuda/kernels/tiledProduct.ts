/**
 * A product of two operands in tiles, one a block. Where a product has few tiles and much depth, blocks divide the depth of
 * each, and a second stage adds up what they leave in scratch memory, always in the same order.
 */
import { bytesOf } from "../../../base/dtype.js";
import { type Shape, stridesOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Access, ConvolutionKernel, GemmKernel, LoopKernel } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { mergedNest } from "./nest.js";
import { addressOf, type DeviceLibrary, type Memory, type Part, type Stage } from "./part.js";
import { emitReductions } from "./reductions.js";

export interface TiledProduct {
  readonly title: string;
  readonly dtype: "float32" | "float64";
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Products of these sizes; code knows the number of its own as `batch`. */
  readonly batches: number;
  /** Operands are rounded to bfloat16. */
  readonly rounded: boolean;
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

interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Share of a device's arithmetic that it may reach: the larger a tile, the fewer loads for each multiplication. */
  readonly rate: number;
}

/** For blocks of 256 threads: multiples of 16 rows and columns. */
const tiles: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 8, rate: 0.8 },
  { rows: 64, columns: 64, depth: 16, rate: 0.6 },
  { rows: 128, columns: 32, depth: 16, rate: 0.5 },
  { rows: 32, columns: 128, depth: 16, rate: 0.5 },
  { rows: 32, columns: 32, depth: 32, rate: 0.3 },
  { rows: 64, columns: 16, depth: 32, rate: 0.25 },
  { rows: 16, columns: 64, depth: 32, rate: 0.25 },
];

/** Blocks that keep a device of today busy. */
const wantedBlocks = 256;
/** Depth below which dividing it costs more than it saves. */
const leastDepth = 256;

export function emitTiledProduct(product: TiledProduct, memory: Memory): Stage[] {
  const { title, dtype, rows, columns, depth, batches, rounded, divisible, libraries } = product;
  if (rows * columns * batches === 0) return [];
  const tile = chooseTile(product);
  const [down, across] = [Math.ceil(rows / tile.rows), Math.ceil(columns / tile.columns)];
  const blocks = down * across * batches;
  const most = Math.floor(Math.min(wantedBlocks / blocks, mostSlices(product)));
  const sliceDepth = Math.ceil(depth / Math.max(1, most) / tile.depth) * tile.depth;
  const slices = depth === 0 ? 1 : Math.ceil(depth / sliceDepth);
  const parts = slices > 1 ? memory.scratch(dtype, slices * batches * rows * columns) : undefined;
  const type = cType[dtype];
  const result =
    parts === undefined
      ? product.result
      : `const MatrixResult<${type}> result = {${addressOf(memory.buffers[parts], type)} + (slice * ${batches}ll + batch) * ${
          rows * columns
        }ll, ${rows}, ${columns}, ${columns}ll, false};`;
  const range =
    slices === 1
      ? `0, ${depth}`
      : `slice * ${sliceDepth}, min((int)slice * ${sliceDepth} + ${sliceDepth}, ${depth})`;
  const shape = `${type}, ${tile.rows}, ${tile.columns}, ${tile.depth}, ${rounded}`;
  const code = [
    `const unsigned tile = block % ${down * across}u, rest = block / ${down * across}u;`,
    `const unsigned ${slices > 1 ? `slice = rest % ${slices}u, ` : ""}batch = rest / ${slices}u;`,
    product.operands,
    result,
    `multiplyTile<${shape}>(left, right, result, tile / ${across}u * ${tile.rows}, tile % ${across}u * ${tile.columns}, ${range});`,
  ].join("\n");
  const part: Part = {
    title,
    code,
    blocks: blocks * slices,
    // Each line of both tiles is padded by 16 bytes.
    sharedBytes: tile.depth * ((tile.rows + tile.columns) * bytesOf(dtype) + 32),
    libraries: ["products", ...libraries],
    computes: product.kernel,
  };
  const sum =
    parts === undefined
      ? []
      : emitReductions(mergedNest(sumOf(dtype, divisible!, { parts, slices })), memory);
  const { reads, writes } = kernelEffects(product.kernel);
  return [{ parts: [part], reads, writes: parts === undefined ? writes : [parts] }, ...sum];
}

const mostSlices = ({ divisible, depth }: TiledProduct): number => (divisible ? depth / leastDepth : 1);

/** The tile with the least estimated time: that of all tiles, padding included, at the rate that blocks enough reach. */
function chooseTile(product: TiledProduct): Tile {
  const timeOf = (tile: Tile): number => {
    const down = Math.ceil(product.rows / tile.rows);
    const across = Math.ceil(product.columns / tile.columns);
    const blocks = down * across * product.batches;
    const busy = Math.min(1, (blocks * Math.max(1, mostSlices(product))) / (wantedBlocks / 2));
    return (blocks * tile.rows * tile.columns) / (tile.rate * busy);
  };
  return tiles.reduce((best, tile) => (timeOf(tile) < timeOf(best) ? tile : best));
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
