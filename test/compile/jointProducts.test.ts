/** Products that ranks compute together: which ones, how they are divided, and that they give the same numbers. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import type { GemmKernel, Plan } from "../../src/compile/plan.js";
import { planForRank } from "../../src/compile/planForRank.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";

interface Sizes {
  readonly ranks: number;
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

const sizes: Sizes = { ranks: 2, rows: 4, inputs: 640, outputs: 480 };

/**
 * One layer y = relu(x w^T) of `rows` rows a rank, and how all of its products arise in training: forward, for x, and
 * the gradient for w summed over ranks. Small whole numbers, so that every sum is exact.
 */
function layer({ ranks, rows, inputs, outputs }: Sizes, traced = false): Program {
  const data = g.variable("data", [ranks * rows, inputs]);
  const w = g.variable("w", [outputs, inputs]);
  const own = g.add(g.iota([rows], 0, "int32"), g.mul(g.rank(), rows));
  const x = g.mul(g.take(data, own, 0), 2);
  const y = g.relu(g.matmul(x, g.transpose(w)));
  const forX = g.matmul(y, w);
  const forW = g.matmul(g.transpose(y), x);
  return {
    name: "layer",
    variables: { data, w },
    entries: {
      step: {
        updates: { w: g.sub(w, g.remainder(g.allReduceSum(forW), 3)) },
        traces: {
          outputs: g.allReduceSum(g.sum(y)),
          backward: g.allReduceSum(g.sum(g.remainder(forX, 5))),
          ...(traced && { gradient: g.allReduceSum(forW) }),
        },
      },
    },
    traceCapacity: 4,
    ranks,
  };
}

const products = ({ entries }: Plan): GemmKernel[] =>
  entries.step.kernels.filter((kernel) => kernel.kind === "gemm");

const shapes = (plan: Plan): string[] =>
  products(plan).map(({ m, n, k, divided }) => `${m}x${n}x${k} ${divided ?? "own"}`);

describe("what ranks compute together", () => {
  test("rows times large weights by columns, and a gradient summed over rows by rows", () => {
    expect(shapes(planProgram(layer(sizes)))).toEqual([
      "8x480x640 columns",
      "480x640x8 rows",
      "8x640x480 columns",
    ]);
  });

  test("not with one rank, not where weights are small, not where the rows are more than they", () => {
    expect(shapes(planProgram(layer({ ...sizes, ranks: 1 })))).toEqual([
      "4x480x640 own",
      "480x640x4 own",
      "4x640x480 own",
    ]);
    const small = layer({ ...sizes, inputs: 64 });
    expect(products(planProgram(small)).every(({ divided }) => divided === undefined)).toBe(true);
    const many = layer({ ...sizes, rows: 200 });
    expect(products(planProgram(many)).every(({ divided }) => divided === undefined)).toBe(true);
  });

  test("not where a rank's rows end amid a cache line, which two ranks would write", () => {
    expect(shapes(planProgram(layer({ ...sizes, rows: 1, inputs: 648 })))).toEqual([
      "1x480x648 own",
      "480x648x1 own",
      "1x648x480 own",
    ]);
  });

  test("rows of all ranks are one matrix, a summed gradient exists once", () => {
    const plan = planProgram(layer(sizes));
    const [forward, forW, forX] = products(plan);
    const scope = ({ buffer }: { readonly buffer: number }) => plan.buffers[buffer].scope;
    expect([forward.a, forward.b, forward.c].map(scope)).toEqual(["stacked", "shared", "stacked"]);
    expect([forX.a, forX.b, forX.c].map(scope)).toEqual(["stacked", "shared", "stacked"]);
    expect([forW.a, forW.b, forW.c].map(scope)).toEqual(["stacked", "stacked", "shared"]);
  });

  test("a barrier stands between what ranks write together and who reads it", () => {
    const kinds = planProgram(layer(sizes)).entries.step.kernels.map(({ kind }) => kind);
    const [forward, forW, forX] = kinds.flatMap((kind, i) => (kind === "gemm" ? [i] : []));
    const meets = (from: number, to: number): boolean => kinds.slice(from, to).includes("barrier");
    expect([meets(0, forward), meets(forward, forW), meets(forW, forX), meets(forX, kinds.length)]).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  test("each rank's part: whole cache lines, all of them together the whole", () => {
    const plan = planProgram(layer({ ...sizes, ranks: 3, outputs: 500 }));
    const parts = [0, 1, 2].map((rank) => products(planForRank(plan, rank)));
    expect(parts.map(([forward]) => [forward.m, forward.n, forward.c.offset])).toEqual([
      [12, 176, 0],
      [12, 176, 176],
      [12, 148, 352],
    ]);
    expect(parts.map(([, forW]) => [forW.m, forW.k, forW.c.offset])).toEqual([
      [176, 12, 0],
      [176, 12, 176 * 640],
      [148, 12, 352 * 640],
    ]);
    const buffers = [0, 1, 2].map((rank) => planForRank(plan, rank).buffers);
    for (const [rank, [forward]] of parts.entries())
      expect(buffers[rank][forward.a.buffer].offset).toBe(buffers[0][parts[0][0].a.buffer].offset);
  });
});

describe("the numbers", () => {
  const backends = [1, 2, 3].map((ranks) => cpuBackend({ ranks }));
  afterAll(async () => {
    await Promise.all(backends.map((backend) => backend.close()));
  });

  /** After three steps: the weights and what was traced, of 12 rows in all. */
  function run(ranks: number, traced: boolean): number[][] {
    const program = layer({ ...sizes, ranks, rows: 12 / ranks }, traced);
    const executable = backends[ranks - 1].compile(program);
    executable.write(
      "data",
      Float32Array.from({ length: 12 * 640 }, (_, i) => ((i * 7919) % 5) - 2),
    );
    executable.write(
      "w",
      Float32Array.from({ length: 480 * 640 }, (_, i) => ((i * 104_729) % 7) - 3),
    );
    executable.run("step", 3);
    const traces = ["outputs", "backward", ...(traced ? ["gradient"] : [])];
    const values = [executable.read("w"), ...traces.map((trace) => executable.trace("step", trace))];
    executable.release();
    return values.map((array) => [...array]);
  }

  test.each([false, true])("2 and 3 ranks give exactly what one gives (gradient traced: %s)", (traced) => {
    const alone = run(1, traced);
    expect(new Set(alone[0]).size).toBeGreaterThan(5);
    expect(alone[1].every((value) => value > 1000)).toBe(true);
    for (const ranks of [2, 3]) expect(run(ranks, traced)).toEqual(alone);
  });
});
