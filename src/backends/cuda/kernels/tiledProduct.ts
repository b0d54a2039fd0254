/**
 * A product of two operands in tiles, one a block. Where a product has few tiles and much depth, blocks divide the depth of
 * each, and a second stage adds up what they leave in scratch memory, always in the same order.
 */
import { bytesOf } from "../../../base/dtype.js";
import type { LoopKernel } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { mergedNest } from "./nest.js";
import { addressOf, type DeviceLibrary, type Memory, type Stage } from "./part.js";
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
  /**
   * The kernel that puts into place the sums over the first dimension of parts [slices, batches, rows, columns] in a
   * buffer; absent: the depth can't be divided.
   */
  readonly sumOfParts?: (parts: number, slices: number) => LoopKernel;
  readonly libraries: readonly DeviceLibrary[];
}

interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** Blocks of 256 threads: multiples of 16 rows and columns. */
const tiles = {
  narrow: { rows: 64, columns: 16, depth: 32 },
  low: { rows: 16, columns: 64, depth: 32 },
  small: { rows: 32, columns: 32, depth: 32 },
  medium: { rows: 64, columns: 64, depth: 16 },
  large: { rows: 128, columns: 128, depth: 8 },
} as const satisfies Record<string, Tile>;

/** Blocks that keep a device of today busy. */
const wantedBlocks = 256;
/** Depth below which dividing it costs more than it saves. */
const leastDepth = 256;

export function emitTiledProduct(product: TiledProduct, memory: Memory): Stage[] {
  const { title, dtype, rows, columns, depth, batches, rounded, sumOfParts, libraries } = product;
  if (rows * columns * batches === 0) return [];
  const tile = chooseTile(rows, columns, batches);
  const [down, across] = [Math.ceil(rows / tile.rows), Math.ceil(columns / tile.columns)];
  const blocks = down * across * batches;
  const most = sumOfParts ? Math.floor(Math.min(wantedBlocks / blocks, depth / leastDepth)) : 1;
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
  const part = {
    title,
    code,
    blocks: blocks * slices,
    sharedBytes: tile.depth * (tile.rows + tile.columns + 2) * bytesOf(dtype),
    libraries: ["products", ...libraries] as const,
  };
  const sum = parts === undefined ? [] : emitReductions(mergedNest(sumOfParts!(parts, slices)), memory);
  return [[part], ...sum];
}

/** The largest tile of which there are enough to go round. */
function chooseTile(rows: number, columns: number, batches: number): Tile {
  if (columns <= 16) return tiles.narrow;
  if (rows <= 16) return tiles.low;
  const count = (tile: Tile): number =>
    Math.ceil(rows / tile.rows) * Math.ceil(columns / tile.columns) * batches;
  return [tiles.large, tiles.medium].find((tile) => count(tile) >= wantedBlocks / 2) ?? tiles.small;
}
