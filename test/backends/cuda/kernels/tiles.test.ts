/** How products are cut: what exercise 3 asks for keeps the multiprocessors of a GPU busy, within every device's limits. */
import { describe, expect, test } from "vitest";
import { chooseTiling, type ProductSize, type Tiling } from "../../../../src/backends/cuda/kernels/tiles.js";

const product = (
  rows: number,
  columns: number,
  depth: number,
  more: Partial<ProductSize> = {},
): ProductSize => ({
  rows,
  columns,
  depth,
  batches: 1,
  dtype: "float32",
  rounding: "none",
  divisible: true,
  ...more,
});

const blocksOf = ({ rows, columns, batches }: ProductSize, tiling: Tiling): number =>
  Math.ceil(rows / tiling.rows) * Math.ceil(columns / tiling.columns) * batches * tiling.slices;

const roundings = ["none", "tf32", "bfloat16"] as const;

describe.each(roundings)("products rounded to %s", (rounding) => {
  test.each([50, 500, 5000])(
    "of exercise 3 at batch %i are blocks enough for 132 multiprocessors",
    (batch) => {
      for (const size of [
        product(batch * 784, 32, 25, { rounding, divisible: false }),
        product(batch * 196, 64, 800, { rounding }),
        product(batch * 196, 32, 1600, { rounding }),
        product(64, 800, batch * 196, { rounding }),
        product(batch, 1024, 3136, { rounding }),
        product(batch, 3136, 1024, { rounding }),
      ]) {
        const blocks = blocksOf(size, chooseTiling(size));
        const share = blocks / 132 / Math.ceil(blocks / 132);
        // Of the time in which some multiprocessor works, all of them do.
        expect(share, JSON.stringify(size)).toBeGreaterThan(0.7);
      }
    },
  );

  test("of many lanes are not divided further", () => {
    expect(chooseTiling(product(50, 1024, 3136, { rounding, batches: 64 }))).toMatchObject({ slices: 1 });
  });

  test("fit into 52 KiB of shared memory with at least two stages, and their slices make up the depth", () => {
    for (const dtype of ["float32", "float64"] as const)
      for (const extent of [1, 17, 100, 1000])
        for (const depth of [0, 1, 129, 5000]) {
          const size = product(extent, 1001 - extent, depth, {
            dtype,
            rounding: dtype === "float64" ? "none" : rounding,
          });
          const tiling = chooseTiling(size);
          expect(tiling.sharedBytes).toBeLessThanOrEqual(52 * 1024);
          expect(tiling.stages).toBeGreaterThanOrEqual(2);
          expect(tiling.sliceDepth % tiling.depth).toBe(0);
          expect(tiling.slices * tiling.sliceDepth).toBeGreaterThanOrEqual(depth);
          expect((tiling.slices - 1) * tiling.sliceDepth).toBeLessThan(Math.max(1, depth));
          if (rounding !== "none" && dtype === "float32") expect(tiling.depth % 16).toBe(0);
        }
  });
});

test.each(roundings)("a large product rounded to %s has the largest tiles", (rounding) => {
  const size = product(128 * 132, 512, 1024, { rounding });
  expect(chooseTiling(size)).toMatchObject({ rows: 128, columns: 128, slices: 1 });
});

test("a product that may not be divided is not", () => {
  expect(chooseTiling(product(10, 10, 100_000)).slices).toBeGreaterThan(1);
  expect(chooseTiling(product(10, 10, 100_000, { divisible: false }))).toMatchObject({
    slices: 1,
    sliceDepth: 100_000,
  });
});
