/** What is emitted, looked at from outside: launches, what libraries take over, memory. */
import { describe, expect, test } from "vitest";
import type { CudaLibraries, CudaProgram } from "../../../../src/backends/cuda/commands.js";
import {
  type EmittedCommand,
  type EmittedProgram,
  emitCuda,
} from "../../../../src/backends/cuda/kernels/index.js";
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

function emitted(program: Program, libraries: CudaLibraries = withoutLibraries): EmittedProgram {
  const plan = planProgram(program, { waves: true });
  const cuda = emitCuda(plan, libraries);
  checkProgram(cuda, plan);
  return cuda;
}

/** What the launches compute. */
const titlesOf = (commands: readonly EmittedCommand[]): string[][] =>
  commands.map((command) => (command.kind === "launch" ? command.parts.map(({ title }) => title) : []));

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
  test("updates of many parameters are one, and so is the end of the step", () => {
    expect(emitted(updatesProgram(20)).entries.step.commands).toHaveLength(1);
  });

  test("what depends on one another stays in order", () => {
    const x = f.variable("x", [64, 64]);
    const total = f.sum(x);
    const { entries } = emitted(programOf({ x }, { x: f.sub(x, total) }));
    expect(titlesOf(entries.step.commands)).toEqual([
      ["loop (4096) [sum]", "end of the step"],
      ["loop 4096 [sub]"],
    ]);
  });

  test("what one block does follows in the same block, and what waits for nothing stands beside it", () => {
    const [x, y] = [f.variable("x", [64]), f.variable("y", [300])];
    const total = f.sum(x);
    const { entries, source } = emitted(
      programOf({ x, y }, { x: f.sub(x, total), y: f.mul(y, 2) }, { total: f.sqrt(total) }),
    );
    const [launch] = entries.step.commands;
    expect(entries.step.commands).toHaveLength(1);
    expect(launch).toMatchObject({
      grid: 2,
      parts: [
        { title: "loop 300 [mul]", blocks: 1, shares: false },
        { title: "loop (64) [sum]", blocks: 1, shares: false },
        { title: "loop 64 [sub]", blocks: 1, shares: true },
        { title: "loop once [sqrt]", blocks: 1, shares: true },
        { title: "end of the step", blocks: 1, shares: true },
      ],
    });
    const body = source.slice(source.indexOf(") step0_0("));
    // The two that wait for the sum run on warps of their own, after all threads have met.
    expect(body).toContain(`  step0_0_part1(arena, blockIdx.x - 1u, threadIdx.x, step);
  __syncthreads();
  if (threadIdx.x >= 0u && threadIdx.x < 32u) step0_0_part2(arena, blockIdx.x - 1u, threadIdx.x - 0u, step);
  if (threadIdx.x >= 32u && threadIdx.x < 64u) step0_0_part3(arena, blockIdx.x - 1u, threadIdx.x - 32u, step);
  __syncthreads();
  step0_0_part4(arena, blockIdx.x - 1u, threadIdx.x, step);`);
  });

  test("reductions over the same rows follow one another in the blocks of those rows", () => {
    const x = f.variable("x", [1000, 10]);
    const centred = f.sub(x, f.max(x, { axis: 1, keepDims: true }));
    const { entries } = emitted(programOf({ x }, {}, { sum: f.sum(f.exp(centred), { axis: 1 }) }));
    const [launch] = entries.step.commands;
    expect(launch).toMatchObject({
      grid: 32,
      parts: [
        { title: "loop 1000x(10) [max]", blocks: 32, shares: false },
        { title: "loop 1000x(10) [sub exp sum]", blocks: 32, shares: true },
      ],
    });
  });

  test("reductions that need results of other rows wait for all of them", () => {
    const x = f.variable("x", [1000, 10]);
    const greatest = f.max(x, { axis: 1 });
    const order = f.variable("order", [1000], "int32");
    const sums = f.sum(f.sub(x, f.reshape(f.take(greatest, order), [1000, 1])), { axis: 1 });
    const { entries } = emitted(programOf({ x, order }, {}, { sums }));
    expect(titlesOf(entries.step.commands).map(([first]) => first)).toEqual([
      "loop 1000x(10) [max]",
      "loop 1000x(10) [gather sub sum]",
      "end of the step",
    ]);
  });

  test("what waits for nothing in between goes with its like before", () => {
    const names = ["a", "b", "c", "d"];
    const variables = Object.fromEntries(names.map((name, i) => [name, f.variable(name, [64 + i, 64])]));
    const sums = Object.fromEntries(names.map((name) => [`sum of ${name}`, f.sum(variables[name])]));
    const updates = Object.fromEntries(
      names.map((name) => [name, f.sub(variables[name], sums[`sum of ${name}`])]),
    );
    const { entries } = emitted(programOf(variables, updates));
    expect(titlesOf(entries.step.commands).map(({ length }) => length)).toEqual([5, 4]);
  });

  test("more blocks than any device can hold at once are not begun", () => {
    const x = f.variable("x", [64, 1024, 1024]);
    const [launch] = emitted(programOf({ x }, { x: f.mul(x, 2) })).entries.step.commands;
    expect(launch).toMatchObject({
      block: 256,
      sharedBytes: 0,
      parts: [{ blocks: 2048 }, { title: "end of the step" }],
    });
  });

  test("one sum over very many elements is divided among blocks, whose parts lie behind the arena", () => {
    const x = f.variable("x", [1024, 1024]);
    const program = programOf({ x }, {}, { total: f.sum(x) });
    const { entries, arenaBytes } = emitted(program);
    expect(entries.step.commands).toMatchObject([
      { kind: "launch", grid: 128 },
      { kind: "launch", grid: 1, parts: [{}, { title: "end of the step", shares: true }] },
    ]);
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

test("products are made in tiles of many sizes, those that waste least", () => {
  const { source } = emitted(productsProgram());
  const tiles = [...source.matchAll(/multiplyTile<(\w+), Rounding::none, (\d+), (\d+), \d+, \d>\(/g)];
  expect(new Set(tiles.map(([, type, rows, columns]) => `${type} ${rows}x${columns}`))).toEqual(
    new Set([
      ...["float 128x128", "float 128x64", "float 64x128", "float 64x64", "float 128x32", "float 32x128"],
      ...["float 32x32", "double 32x32"],
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
    expect(names).toEqual([["a_b0_0"], ["a_b1_0"]]);
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
