/**
 * How a product is cut into tiles, one a block, and its depth among blocks: what is estimated to take the least time on a
 * GPU for data centres of today.
 */
import { bytesOf } from "../../../base/dtype.js";

export interface ProductSize {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Products of this size. */
  readonly batches: number;
  readonly dtype: "float32" | "float64";
  readonly rounding: Rounding;
  /** Whether blocks may divide the depth. */
  readonly divisible: boolean;
}

/** What float32 is rounded to before it is multiplied, which tensor cores do where there are some. */
export type Rounding = "none" | "bfloat16" | "tf32";

export interface Tiling {
  readonly rows: number;
  readonly columns: number;
  /** That is in shared memory at a time. */
  readonly depth: number;
  /** Tiles of both operands that have room in shared memory. */
  readonly stages: number;
  readonly sharedBytes: number;
  /** Blocks that share the depth of a tile, each so much of it, a multiple of `depth`; the last one may have less. */
  readonly slices: number;
  readonly sliceDepth: number;
}

type Tile = Pick<Tiling, "rows" | "columns" | "depth">;

/** For blocks of 256 threads: rows and columns are powers of two from 16 on. */
const tiles: readonly Tile[] = [
  { rows: 128, columns: 128, depth: 8 },
  { rows: 128, columns: 64, depth: 8 },
  { rows: 64, columns: 128, depth: 8 },
  { rows: 64, columns: 64, depth: 16 },
  { rows: 128, columns: 32, depth: 16 },
  { rows: 32, columns: 128, depth: 16 },
  { rows: 64, columns: 32, depth: 16 },
  { rows: 32, columns: 64, depth: 16 },
  { rows: 32, columns: 32, depth: 32 },
  { rows: 64, columns: 16, depth: 32 },
  { rows: 16, columns: 64, depth: 32 },
];

/** Into how many parts blocks divide the depth. */
const divisions = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];
/** Depth below which dividing it costs more than it saves. */
const leastDepth = 128;

/** The tiling with the least estimated time; all of the numbers are positive but the depth, which may be 0. */
export function chooseTiling(product: ProductSize): Tiling {
  const { depth, divisible } = product;
  const choices = tiles.flatMap((tile) => {
    const stored = { ...tile, depth: product.rounding === "none" ? tile.depth : Math.max(16, tile.depth) };
    return divisions
      .filter((parts) => parts === 1 || (divisible && depth / parts >= leastDepth))
      .map((parts) => tilingOf(product, stored, parts));
  });
  const cycles = choices.map((tiling) => cyclesOf(product, tiling));
  return choices[cycles.indexOf(Math.min(...cycles))];
}

/** Shared memory that all stages of a block may have, so that multiprocessors hold several blocks. */
const mostBytes = 52 * 1024;

function tilingOf({ dtype, rounding, depth }: ProductSize, tile: Tile, parts: number): Tiling {
  // Lines of both tiles are padded by 16 bytes for threads, and by 32 for tensor cores.
  const padding = rounding === "none" ? 16 / bytesOf(dtype) : 8;
  const stageBytes = tile.depth * (tile.rows + tile.columns + 2 * padding) * bytesOf(dtype);
  const stages = Math.min(rounding === "none" ? 3 : 4, Math.floor(mostBytes / stageBytes));
  const sliceDepth = Math.max(1, Math.ceil(depth / parts / tile.depth)) * tile.depth;
  return {
    ...tile,
    stages,
    sharedBytes: stages * stageBytes,
    slices: Math.max(1, Math.ceil(depth / sliceDepth)),
    sliceDepth,
  };
}

/** Of an A100 and an H100, about: what of a multiprocessor takes how many cycles. */
const gpu = {
  multiprocessors: 132,
  /** Multiplications with additions in a cycle. */
  rates: { float32: 128, float64: 64, bfloat16: 1024, tf32: 512 },
  sharedBytes: 128,
  /** From the second-level cache. */
  copiedBytes: 32,
  /** To memory, or from there. */
  storedBytes: 16,
  /** Beginning and ending a block, and beginning a kernel that adds up parts. */
  block: 1000,
  launch: 2500,
  /** How much longer a block takes that has the multiprocessor for itself, with nothing to do while it waits. */
  alone: 1.4,
  /** What of the rest is not hidden behind what takes the longest. */
  unhidden: 0.25,
};

function cyclesOf(product: ProductSize, tiling: Tiling): number {
  const { rows, columns, batches, dtype } = product;
  const { slices, sliceDepth } = tiling;
  const blocks = Math.ceil(rows / tiling.rows) * Math.ceil(columns / tiling.columns) * batches * slices;
  const rounds = Math.ceil(blocks / gpu.multiprocessors);
  const ofBlock =
    gpu.block + Math.min(sliceDepth, roundedDepth(product, tiling)) * cyclesOfDepth(product, tiling);
  // Parts are written, and read again.
  const partBytes = 2 * slices * rows * columns * batches * bytesOf(dtype);
  const ofParts = slices === 1 ? 0 : gpu.launch + partBytes / (gpu.storedBytes * gpu.multiprocessors);
  return rounds * ofBlock * (rounds === 1 ? gpu.alone : 1) + ofParts;
}

const roundedDepth = ({ depth }: ProductSize, tile: Tile): number =>
  Math.ceil(depth / tile.depth) * tile.depth;

/** Cycles that a block takes for a depth of its tile. */
function cyclesOfDepth({ dtype, rounding }: ProductSize, { rows, columns }: Tile): number {
  const bytes = bytesOf(dtype);
  const multiplied = (rows * columns) / gpu.rates[rounding === "none" ? dtype : rounding];
  // A warp of 4 by 8 threads reads what each of them has of rows and columns, or all rows and columns of its part.
  const warpsDown = rows > columns ? 4 : rows > 16 ? 2 : 1;
  const readBytes =
    rounding === "none"
      ? 128 * (Math.ceil((rows / 16) * (bytes / 16)) + Math.ceil((columns / 16) * (bytes / 16)))
      : bytes * (rows / warpsDown + columns / (8 / warpsDown));
  const read = (8 * readBytes) / gpu.sharedBytes;
  const copied = ((rows + columns) * bytes) / gpu.copiedBytes;
  const longest = Math.max(multiplied, read, copied);
  return longest + gpu.unhidden * (multiplied + read + copied - longest);
}
