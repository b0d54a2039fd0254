/** Largest errors of the vector functions over all of float32, and random numbers bit for bit. */
import { expect, test } from "vitest";
import { normalFromBits, permute, randomBits, uniformFromBits } from "../../../../src/base/random.js";
import type { Instruction, LoopKernel } from "../../../../src/compile/plan.js";
import { Arena, elementwiseKernel, errorInUlp, featureSets, runEmitted } from "./harness.js";

const exactly = {
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
} as const;

/** As the table in math.ts states. */
const statedUlp = { exp: 1.5, log: 1.5, log1p: 3, tanh: 3, sigmoid: 2.5 } as const;

/** All signs and exponents, subnormals, infinities and NaN among them: every 49999th float32. */
const sample = new Float32Array(new Uint32Array(Math.floor(2 ** 32 / 49999)).map((_, i) => i * 49999).buffer);
/** Where the functions bend: [-110, 110] densely. */
const middle = Float32Array.from({ length: 100_000 }, (_, i) => ((i - 50_000) / 50_000) ** 3 * 110);

test.each(Object.keys(exactly) as (keyof typeof exactly)[])("%s is within the stated error", (op) => {
  for (const features of featureSets) {
    for (const x of [sample, middle]) {
      const arena = new Arena();
      const kernel = elementwiseKernel(arena, { op, dtype: "float32", inputs: [], attributes: {} }, [x]);
      const y = runEmitted(arena, kernel, features)[1];
      let worst = 0;
      let at = 0;
      for (let i = 0; i < x.length; i++) {
        const exact = exactly[op](x[i]);
        if (y[i] === 0 && Math.abs(exact) < 2 ** -126 && op !== "tanh" && op !== "log1p") continue;
        const error = errorInUlp(y[i], exact);
        if (error > worst) {
          worst = error;
          at = x[i];
        }
      }
      expect(worst, `at ${at}`).toBeLessThan(statedUlp[op]);
    }
  }
});

test("exp reaches the greatest float32 and flushes below the least normal one", () => {
  const x = Float32Array.of(88.72283, 88.72284, 1e30, -87.33654, -87.33655, -1e30);
  for (const features of featureSets) {
    const arena = new Arena();
    const kernel = elementwiseKernel(arena, { op: "exp", dtype: "float32", inputs: [], attributes: {} }, [x]);
    const y = [...runEmitted(arena, kernel, features)[1]];
    expect(errorInUlp(y[0], Math.exp(x[0]))).toBeLessThan(1.5);
    expect(errorInUlp(y[3], Math.exp(x[3]))).toBeLessThan(1.5);
    expect([y[1], y[2], y[4], y[5]]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0]);
  }
});

test("random numbers are those of the specification, bit for bit", () => {
  const count = 100_000;
  const key = [123456789, -987654321] as const;
  const drawn = {
    randomBits: "int32",
    randomUniform: "float32",
    randomNormal: "float32",
    permute: "int32",
  } as const;
  const arena = new Arena();
  const constants: Instruction[] = [
    ...key.map((value) => ({ op: "literal", dtype: "int32", value }) as const),
    { op: "index", dtype: "int32", offset: 0, strides: [1] },
  ];
  const draws = Object.entries(drawn).map(([op, dtype]) => {
    const attributes = op === "randomNormal" ? { reach: 0.9544997 } : op === "permute" ? { count } : {};
    return { op, dtype, inputs: [0, 1, 2], attributes } as unknown as Instruction;
  });
  const kernel: LoopKernel = {
    kind: "loop",
    name: "draws",
    extents: [count],
    reduced: [false],
    body: [...constants, ...draws],
    stores: draws.map(({ dtype }, i) => ({
      value: constants.length + i,
      access: { buffer: arena.add(dtype, new Float64Array(count)), offset: 0, strides: [1] },
    })),
    reductions: [],
  };
  const bits = Int32Array.from({ length: count }, (_, i) => randomBits(key, i));
  const expected = [
    bits,
    Float32Array.from(bits, uniformFromBits),
    Float32Array.from(bits, (word) => normalFromBits(word, 0.9544997)),
    Int32Array.from({ length: count }, (_, i) => permute(key, i, count)),
  ];
  for (const features of featureSets) expect(runEmitted(arena, kernel, features)).toEqual(expected);
});
