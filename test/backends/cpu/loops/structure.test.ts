/** Random loop nests with exact arithmetic: every element must agree with plain loops, bit for bit. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { DType, TypedArray } from "../../../../src/base/dtype.js";
import type { Access, Combine, Instruction, LoopKernel } from "../../../../src/compile/plan.js";
import { Arena, featureSets, interpret, runEmitted } from "./harness.js";

type Generate = fc.GeneratorValue;

test.each(featureSets)("random kernels, %o", (features) => {
  fc.assert(
    fc.property(fc.gen(), (generate) => {
      const { arena, kernel } = randomKernel(generate);
      const actual = runEmitted(arena, kernel, features);
      const expected = interpret(arena, kernel);
      expected.forEach((data, buffer) => {
        expect(positiveZeros(actual[buffer]), JSON.stringify({ buffer, kernel })).toEqual(
          positiveZeros(data),
        );
      });
    }),
    { numRuns: 300 },
  );
});

/** The sign of a zero depends on the order of a fold. */
const positiveZeros = (data: TypedArray): TypedArray => data.map((x: number) => x + 0);

/** Every value is a small integer, exact in every dtype, so the order of sums and fusing do not matter. */
function randomKernel(generate: Generate): { arena: Arena; kernel: LoopKernel } {
  const arena = new Arena();
  const integer = (min: number, max: number): number => generate(fc.integer, { min, max });
  const oneOf = <T>(options: readonly T[]): T => options[integer(0, options.length - 1)];
  const some = (): boolean => integer(0, 1) === 1;

  const rank = integer(0, 4);
  const extents = Array.from({ length: rank }, () => integer(1, 5));
  if (rank > 0 && some()) extents[integer(0, rank - 1)] = integer(1, rank > 2 ? 20 : 70);
  const iterations = extents.reduce((product, extent) => product * extent, 1);
  const folds = some();
  const reduced = extents.map(() => folds && some());
  const floats: readonly DType[] = oneOf([["float32"], ["float32"], ["float32", "float64"]] as const);

  const fill = (dtype: DType, length: number): number => {
    const [low, high] = dtype === "uint8" ? [0, 9] : [-9, 9];
    const seed = integer(0, 1000);
    return arena.add(
      dtype,
      Array.from({ length }, (_, i) => low + ((((i + seed) * 7919) % 101) % (high - low + 1))),
    );
  };

  /** Strides over the dimensions in `moving`, densely in random order, some doubled or backwards. */
  const randomAccess = (moving: readonly boolean[], dtype: DType, dense: boolean): Access => {
    const shuffled = moving.flatMap((moves, d) => (moves ? [d] : []));
    if (oneOf([false, false, true])) shuffled.sort(() => integer(-1, 1));
    const strides = extents.map(() => 0);
    let size = 1;
    let offset = 0;
    for (const d of shuffled.reverse()) {
      const step = dense || some() ? 1 : integer(1, 3);
      strides[d] = size * step;
      size *= extents[d] * step;
      if (!dense && integer(0, 3) === 0) {
        offset += strides[d] * (extents[d] - 1);
        strides[d] *= -1;
      }
    }
    const before = integer(0, 5);
    return { buffer: fill(dtype, before + size), offset: before + offset, strides };
  };

  const body: Instruction[] = [];
  const bounds: number[] = [];
  const stores: LoopKernel["stores"][0][] = [];
  const ofDtype = (dtype: DType): number[] => body.flatMap((i, n) => (i.dtype === dtype ? [n] : []));
  const add = (instruction: Instruction, bound: number): number => {
    body.push(instruction);
    bounds.push(bound);
    return body.length - 1;
  };
  const dtypesInUse: readonly DType[] = [...floats, "int32", "uint8"];
  const leaf = (dtype: DType): number => {
    const kind = oneOf(["load", "load", "load", "literal", "index"]);
    if (kind === "literal") return add({ op: "literal", dtype, value: integer(0, 9) }, 9);
    if (kind === "index" && dtype === "int32") {
      const strides = extents.map(() => integer(-2, 3));
      return add({ op: "index", dtype, offset: integer(-3, 3), strides }, 300);
    }
    const access = randomAccess(extents.map(some), dtype, false);
    return add({ op: "load", dtype, access }, 9);
  };
  for (const dtype of dtypesInUse) leaf(dtype);
  for (let n = integer(1, 10); n > 0; n--) {
    const dtype = oneOf(dtypesInUse);
    const pick = (): number => oneOf(ofDtype(dtype));
    const [a, b] = [pick(), pick()];
    const none = { attributes: {} };
    const inputs = [a, b];
    const most = Math.max(bounds[a], bounds[b]);
    const op = oneOf([
      "leaf",
      "add",
      "sub",
      "mul",
      "mulAdd",
      "maximum",
      "minimum",
      "less",
      "where",
      "cast",
      "gather",
    ] as const);
    if (op === "leaf") leaf(dtype);
    else if (op === "gather") {
      const extent = integer(1, 6);
      const stride = oneOf([1, 3, 7, -2]);
      const access = randomAccess(extents.map(some), dtype, false);
      const reach = extent * Math.abs(stride);
      const length = arena.buffers[access.buffer].shape[0] + 2 * reach;
      const buffer = fill(dtype, length);
      const index = oneOf(ofDtype("int32"));
      const moved = { ...access, buffer, offset: access.offset + reach };
      add({ op, dtype, access: moved, index, extent, stride }, 9);
    } else if (op === "less") add({ op, dtype: "uint8", inputs, ...none }, 1);
    else if (op === "where") {
      add({ op, dtype, inputs: [oneOf(ofDtype("uint8")), a, b], ...none }, most);
    } else if (op === "cast") {
      const to = oneOf(dtypesInUse);
      add({ op, dtype: to, inputs: [a], attributes: { dtype: to } }, to === "uint8" ? 255 : bounds[a]);
    } else if (dtype === "uint8") continue;
    else if (op === "mul" || op === "mulAdd") {
      const bound = bounds[a] * bounds[b];
      if (bound > 2000) continue;
      const product = add({ op: "mul", dtype, inputs, ...none }, bound);
      if (op === "mulAdd") {
        const addend = pick();
        const sum = oneOf([
          { op: "add", inputs: [product, addend] },
          { op: "add", inputs: [addend, product] },
          { op: "sub", inputs: [addend, product] },
        ] as const);
        add({ ...sum, dtype, ...none }, bound + bounds[addend]);
      }
    } else if (op === "add" || op === "sub") {
      if (bounds[a] + bounds[b] < 5000) add({ op, dtype, inputs, ...none }, bounds[a] + bounds[b]);
    } else add({ op, dtype, inputs, ...none }, most);
  }

  for (let n = folds ? integer(0, 1) : integer(1, 3); n > 0; n--) {
    const value = integer(0, body.length - 1);
    const { dtype } = body[value];
    const access = randomAccess(
      extents.map(() => true),
      dtype,
      true,
    );
    stores.push({ value, access });
    // In place: reads at the index that it stores.
    if (some()) {
      const other = oneOf(ofDtype(dtype));
      const old = add({ op: "load", dtype, access }, 9);
      if (dtype === "uint8") stores[stores.length - 1] = { value: old, access };
      else {
        const value = add({ op: "sub", dtype, inputs: [old, other], attributes: {} }, bounds[other] + 9);
        stores[stores.length - 1] = { value, access };
      }
    }
  }
  const reductions: LoopKernel["reductions"][0][] = [];
  for (let n = folds ? integer(1, 2) : 0; n > 0; n--) {
    const value = integer(0, body.length - 1);
    const { dtype } = body[value];
    const exactSum = bounds[value] * iterations < 2 ** 24;
    const combine: Combine = oneOf(exactSum ? (["sum", "max", "min"] as const) : (["max", "min"] as const));
    const access = randomAccess(
      reduced.map((is) => !is),
      dtype,
      true,
    );
    reductions.push({ value, combine, access });
  }
  return { arena, kernel: { kind: "loop", name: "random", extents, reduced, body, stores, reductions } };
}
