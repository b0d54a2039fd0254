/** What is emitted, looked at from outside: launches, what libraries take over, memory. */
import { describe, expect, test } from "vitest";
import type { CudaLibraries, CudaProgram } from "../../../../src/backends/cuda/commands.js";
import { emitCuda } from "../../../../src/backends/cuda/kernels/index.js";
import type { Kernel } from "../../../../src/compile/plan.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import type { Program } from "../../../../src/compile/program.js";
import * as f from "../../../../src/graph/index.js";
import { withoutLibraries } from "./emulation.js";
import {
  imagesProgram,
  largeProgram,
  productsProgram,
  regressionProgram,
  updatesProgram,
} from "./programs.js";
import { checkProgram } from "./structure.js";

function emitted(program: Program, libraries: CudaLibraries = withoutLibraries): CudaProgram {
  const plan = planProgram(program);
  const cuda = emitCuda(plan, libraries);
  checkProgram(cuda, plan);
  return cuda;
}

const kindsOf = ({ entries }: CudaProgram): string[] => entries.step.commands.map(({ kind }) => kind);
const count = (kinds: readonly string[], kind: string): number =>
  kinds.filter((other) => other === kind).length;

const programOf = (
  variables: Program["variables"],
  updates: Program["variables"],
  traces: Program["variables"] = {},
): Program => ({ name: "small", variables, entries: { step: { updates, traces } }, traceCapacity: 4 });

describe("libraries", () => {
  test("take products and convolutions as the plan has them, in its order", () => {
    const plan = planProgram(imagesProgram(2));
    const { commands } = emitCuda(plan, { products: () => true, convolutions: () => true }).entries.step;
    const handed = commands.flatMap((command): Kernel[] =>
      command.kind === "product"
        ? [command.product]
        : command.kind === "convolution"
          ? [command.convolution]
          : [],
    );
    const planned = plan.entries.step.kernels.filter(({ kind }) => kind === "gemm" || kind === "convolution");
    expect(handed).toEqual(planned);
    expect(handed.length).toBeGreaterThanOrEqual(6);
  });

  test("take only what they are there for", () => {
    const program = imagesProgram(2);
    const products = kindsOf(emitted(program, { products: () => true, convolutions: () => false }));
    expect([count(products, "product") > 0, count(products, "convolution")]).toEqual([true, 0]);
    const convolutions = kindsOf(emitted(program, { products: () => false, convolutions: () => true }));
    expect([count(convolutions, "product"), count(convolutions, "convolution") > 0]).toEqual([0, true]);
    expect(new Set(kindsOf(emitted(program)))).toEqual(new Set(["launch"]));
  });

  test("get no device functions compiled that only our own products need", () => {
    const { source } = emitted(regressionProgram(), { products: () => true, convolutions: () => true });
    expect(source).not.toContain("multiplyTile");
    expect(emitted(regressionProgram()).source).toContain("multiplyTile");
  });
});

describe("launches", () => {
  test("updates of many parameters are one, besides the end of the step", () => {
    expect(emitted(updatesProgram(20)).entries.step.commands).toHaveLength(2);
  });

  test("what depends on one another stays in order", () => {
    const x = f.variable("x", [64]);
    const total = f.sum(x);
    const { entries } = emitted(programOf({ x }, { x: f.sub(x, total) }));
    expect(entries.step.commands).toHaveLength(3);
  });

  test("what waits for nothing in between goes with its like before", () => {
    const names = ["a", "b", "c", "d"];
    const variables = Object.fromEntries(names.map((name, i) => [name, f.variable(name, [64 + i])]));
    // Traced, sums keep memory of their own to the end of the step.
    const sums = Object.fromEntries(names.map((name) => [`sum of ${name}`, f.sum(variables[name])]));
    const updates = Object.fromEntries(
      names.map((name) => [name, f.sub(variables[name], sums[`sum of ${name}`])]),
    );
    const { entries } = emitted(programOf(variables, updates, sums));
    expect(entries.step.commands).toHaveLength(3);
  });

  test("more blocks than any device can hold at once are not begun", () => {
    const x = f.variable("x", [64, 1024, 1024]);
    const [launch] = emitted(programOf({ x }, { x: f.mul(x, 2) })).entries.step.commands;
    expect(launch).toMatchObject({ kind: "launch", grid: 2048, block: 256, sharedBytes: 0 });
  });

  test("one sum over very many elements is divided among blocks, whose parts lie behind the arena", () => {
    const x = f.variable("x", [1024, 1024]);
    const program = programOf({ x }, {}, { total: f.sum(x) });
    const { entries, arenaBytes } = emitted(program);
    const [first, second, end] = entries.step.commands;
    expect(first).toMatchObject({ kind: "launch", grid: 128 });
    expect(second).toMatchObject({ kind: "launch", grid: 1 });
    expect(end).toMatchObject({ kind: "launch", grid: 1 });
    expect(arenaBytes).toBe(planProgram(program).arenaBytes + 128 * 4);
  });

  test("a large trace is copied by many blocks", () => {
    const x = f.variable("x", [100, 1000]);
    const { entries } = emitted(programOf({ x }, {}, { twice: f.mul(x, 2) }));
    const copying = Math.ceil(100_000 / 256);
    expect(entries.step.commands).toMatchObject([{}, { grid: copying }, { grid: 1 }]);
  });

  test("every step is counted, with nothing to trace or to do too", () => {
    const { source, entries } = emitted(programOf({ x: f.variable("x", [3]) }, {}));
    expect(entries.step.commands).toHaveLength(1);
    expect(source).toContain("++*step;");
  });
});

test("products are made in tiles of every size, those that waste least", () => {
  const { source } = emitted(productsProgram());
  const tiles = [...source.matchAll(/multiplyTile<(\w+), (\d+), (\d+), \d+, false>\(/g)];
  expect(new Set(tiles.map(([, type, rows, columns]) => `${type} ${rows}x${columns}`))).toEqual(
    new Set([
      ...["float 128x128", "float 64x64", "float 128x32", "float 32x128", "float 32x32"],
      ...["float 64x16", "float 16x64", "double 32x32"],
    ]),
  );
});

describe("source", () => {
  test("names kernels by their entries, whatever those are called", () => {
    const x = f.variable("x", [3]);
    const entry = { updates: { x: f.mul(x, 2) }, traces: {} };
    const program = {
      name: "two",
      variables: { x },
      entries: { "a-b": entry, "a b": entry },
      traceCapacity: 1,
    };
    const { entries } = emitted(program);
    const names = Object.values(entries).map(({ commands }) =>
      commands.map((command) => (command.kind === "launch" ? command.kernel : "")),
    );
    expect(names).toEqual([
      ["a_b0_0", "a_b0_1"],
      ["a_b1_0", "a_b1_1"],
    ]);
  });

  test("is the same for the same plan", () => {
    expect(emitted(largeProgram())).toEqual(emitted(largeProgram()));
  });

  test("writes numbers so that they come back exactly", () => {
    const x = f.variable("x", [2]);
    const constants = [0.1, -0, 1e-45, 3.4e38, 16777216];
    const traces = Object.fromEntries(constants.map((value, i) => [`t${i}`, f.mul(x, value)]));
    const { source } = emitted(programOf({ x }, {}, traces));
    for (const text of [
      "0.10000000149011612f",
      "-0.0f",
      "1.401298464324817e-45f",
      "3.3999999521443642e+38f",
      "16777216.0f",
    ])
      expect(source).toContain(`= ${text};`);
  });

  test("what is read transposed is walked in rectangles", () => {
    const transposed = (shape: readonly [number, number]): string => {
      const y = f.variable("y", [...shape]);
      return emitted(programOf({ y }, {}, { t: f.mul(f.transpose(y), 2) })).source;
    };
    expect(transposed([64, 48])).toContain("const int i1 = i1Tile + i1InTile;");
    expect(transposed([64, 47])).not.toContain("InTile");
  });

  test("counts in 64 bits where elements are too many for 32", () => {
    const x = f.variable("x", [3, 2 ** 30], "uint8");
    const { source } = emitted(programOf({ x }, {}, { most: f.max(x), y: f.slice(x, { axis: 1, stop: 4 }) }));
    expect(source).toContain("const long long i");
  });
});

test("a plan of several ranks is refused", () => {
  const x = f.variable("x", [3]);
  const plan = planProgram({ ...programOf({ x }, { x: f.mul(x, 2) }), ranks: 2 });
  expect(() => emitCuda(plan, withoutLibraries)).toThrow(/a device runs the plan of one rank/);
});
