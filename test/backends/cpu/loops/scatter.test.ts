/** scatterAdd against the graph's reference evaluation: slabs of all sizes, clamped and repeated indices. */
import { expect, test } from "vitest";
import type { DType } from "../../../../src/base/dtype.js";
import { scatterAddOperation } from "../../../../src/graph/operations/indexing.js";
import { Arena, featureSets, runEmitted } from "./harness.js";

const indices = [2, 0, -5, 4, 4, 99, 1];
const extent = 5;

test.each(
  (["float32", "float64", "int32", "uint8"] as const).flatMap((dtype) =>
    [1, 2, 3, 4, 7, 8, 22].map((inner) => [dtype, inner] as const),
  ),
)("%s, slabs of %i", (dtype: DType, inner) => {
  const outer = 3;
  const count = indices.length;
  const updates = Array.from({ length: outer * count * inner }, (_, i) => (i * 37) % 50);
  const arena = new Arena();
  const buffers = { updates: arena.add(dtype, updates), indices: arena.add("int32", indices) };
  // What the target held before must not count.
  const target = arena.add(dtype, new Array(outer * extent * inner).fill(99));
  const kernel = {
    kind: "scatterAdd",
    name: "",
    dtype,
    outer,
    count,
    extent,
    inner,
    ...buffers,
    target,
  } as const;
  const expected = scatterAddOperation.evaluate(
    [
      { shape: [outer, count, inner], dtype, data: arena.contents[0] },
      { shape: [count], dtype: "int32", data: arena.contents[1] },
    ],
    { axis: 1, extent },
    { shape: [outer, extent, inner], dtype },
  );
  for (const features of featureSets) expect(runEmitted(arena, kernel, features)[target]).toEqual(expected);
});
