/** What trainings start from: the reference evaluator's numbers, whoever draws them. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import type { TypedArray } from "../../src/base/dtype.js";
import type { Backend } from "../../src/compile/backend.js";
import { cast, evaluate } from "../../src/graph/index.js";
import {
  constantValue,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  normal,
  pytorchDefault,
  truncatedNormal,
  uniform,
  zeroValues,
} from "../../src/learn/initializers/index.js";
import type { BuiltProblem, ParameterSpec } from "../../src/learn/problems/problem.js";
import { initialParameters, seedKeys, startsAlike } from "../../src/train/index.js";

const initializers: readonly Initializer[] = [
  zeroValues,
  constantValue(0.1),
  uniform(0.3),
  normal(0.2),
  truncatedNormal(0.1),
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  pytorchDefault,
];

/** Each initializer for one number, odd sizes, and all of them together for more than a program is worth. */
const shapes = [[], [1], [3], [7, 5], [33, 1, 521]] as const;

/** A problem that is all parameters. */
const starting = (parameters: BuiltProblem["parameters"]): BuiltProblem => ({
  parameters,
  metrics: [],
  evaluate: () => {
    throw new Error("nothing is trained here");
  },
});

const fans = { in: 6, out: 3 };

/** A parameter of each shape by what `initializerOf` gives for it. */
const everyShape = (name: string, initializerOf: (i: number) => Initializer) =>
  shapes.map((shape, i): [string, ParameterSpec] => [
    `${name}/${i}`,
    { shape, initial: (key) => initializerOf(i)(key, shape, fans) },
  ]);

const all = starting(Object.fromEntries(initializers.flatMap((one) => everyShape(one.name, () => one))));

const bytesOf = ({ buffer }: TypedArray): Uint8Array => new Uint8Array(buffer);

/** Counts what is compiled for it. */
function counting(backend: Backend): Backend & { readonly compiled: string[] } {
  const compiled: string[] = [];
  return {
    ...backend,
    compiled,
    compile(program) {
      compiled.push(program.name);
      return backend.compile(program);
    },
  };
}

describe.each(["float32", "float64"] as const)("in %s", (dtype) => {
  test.each([
    ["reference", referenceBackend()],
    ["cpu", cpuBackend({ gemm: "wasm" })],
    ["cpu without fused multiply-add", cpuBackend({ gemm: "wasm", relaxedSimd: false })],
  ] as const)("%s starts every initializer from the reference's bits", (_, backend) => {
    for (const seed of [7, 2 ** 40 + 3]) {
      const { parameters: key } = seedKeys(seed);
      const drawing = counting(backend);
      const values = initialParameters({ seed, dtype }, all, drawing);
      const undrawn = initialParameters({ seed, dtype }, all);
      expect(drawing.compiled).toEqual(["random numbers"]);
      for (const [name, { initial }] of Object.entries(all.parameters)) {
        const expected = bytesOf(evaluate([cast(initial(key), dtype)])[0].data);
        for (const given of [values, undrawn]) {
          const difference = Buffer.compare(bytesOf(given.get(`parameter/${name}`)!), expected);
          expect(difference, name).toBe(0);
        }
      }
    }
  });
});

test("few numbers are worth no program", () => {
  const backend = counting(referenceBackend());
  const few = starting(Object.fromEntries(everyShape("p", () => truncatedNormal(1))));
  expect(initialParameters({ seed: 3, dtype: "float32" }, few, backend)).toEqual(
    initialParameters({ seed: 3, dtype: "float32" }, few),
  );
  expect(backend.compiled).toEqual([]);
});

test("only what no seed changes starts alike", () => {
  const of = (initializerOf: (i: number) => Initializer): boolean =>
    startsAlike(starting(Object.fromEntries(everyShape("p", initializerOf))), "float32");
  expect(of(() => constantValue(2))).toBe(true);
  expect(of((i) => (i === shapes.length - 1 ? normal(1) : zeroValues))).toBe(false);
});
