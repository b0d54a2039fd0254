/** Sums over the ranks of several processes: where they lie, when they travel, and that nothing travels twice. */
import { describe, expect, test } from "vitest";
import type { TensorType } from "../../src/base/shape.js";
import { kernelEffects } from "../../src/compile/kernelEffects.js";
import { bucketsOf } from "../../src/compile/lower/buckets.js";
import type { AllReduceKernel, Kernel, Plan } from "../../src/compile/plan.js";
import { planForRank } from "../../src/compile/planForRank.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";
import { grad } from "../../src/transform/index.js";
import { formatEntry, overlaps } from "./support.js";

/** y = x w of each rank's row, descending sum(y^2); the loss is traced. */
function descending(ranks: number): Program {
  const w = g.variable("w", [8, 6]);
  const b = g.variable("b", [6]);
  const x = g.add(g.iota([3, 8], 1, "float32"), g.cast(g.rank(), "float32"));
  const y = g.add(g.matmul(x, w), g.broadcastTo(b, [3, 6]));
  const gradient = g.allReduceSum(g.matmul(g.transpose(x), y));
  const bias = g.allReduceSum(g.sum(y, { axis: 0 }));
  return {
    name: "descending",
    variables: { w, b },
    entries: {
      step: {
        updates: { w: g.sub(w, g.mul(gradient, 0.1)), b: g.sub(b, g.mul(bias, 0.1)) },
        traces: { loss: g.allReduceSum(g.sum(g.mul(y, y))) },
      },
    },
    traceCapacity: 4,
    ranks,
  };
}

const planned = (ranks: number, processes: number): Plan =>
  planProgram(descending(ranks), { processes, check: true });

/** Three products one after another, whose weights are so large that each gradient travels alone; and their biases. */
function layers(ranks: number): Program {
  const sizes = [512, 520, 528, 3];
  const variables: Record<string, g.Tensor> = {};
  const x = g.add(g.iota([4, sizes[0]], 1, "float32"), g.cast(g.rank(), "float32"));
  const inputs: g.Tensor[] = [];
  let y: g.Tensor = x;
  for (const [layer, width] of sizes.slice(1).entries()) {
    const w = g.variable(`w${layer}`, [sizes[layer], width]);
    const b = g.variable(`b${layer}`, [width]);
    Object.assign(variables, { [`w${layer}`]: w, [`b${layer}`]: b });
    inputs.push(y);
    y = g.tanh(g.add(g.matmul(y, w), g.broadcastTo(b, [4, width])));
  }
  const loss = g.allReduceSum(g.sum(g.mul(y, y)));
  const names = Object.keys(variables);
  const gradients = grad(
    g.sum(g.mul(y, y)),
    names.map((name) => variables[name]),
  );
  const updates = Object.fromEntries(
    names.map((name, i) => [name, g.sub(variables[name], g.mul(g.allReduceSum(gradients[i]), 0.01))]),
  );
  return {
    name: "layers",
    variables,
    entries: { step: { updates, traces: { loss } } },
    traceCapacity: 1,
    ranks,
  };
}

describe("sums over processes", () => {
  test("one rank a process: what it has travels where it lies, in one journey", () => {
    expect(formatEntry(planned(2, 2), "step")).toMatchInlineSnapshot(`
      "loop 3x8 [cast add]:  -> t0 f32[3,8]
      gemm 3x6x8: t0, w -> t1 f32[3,6]
      loop (3)x6 [add sum]: t1, b -> t2 f32[3,6], t3 f32[6]
      gemm 8x6x3: t0, t2 -> t4 f32[8,6]
      loop (3)x(6) [mul sum]: t2 -> t5 f32[]
      beginAllReduce: t3, t4, t5 -> t3 f32[6], t4 f32[8,6], t5 f32[]
      finishAllReduce: t3, t4, t5 -> t3 f32[6], t4 f32[8,6], t5 f32[]
      loop 8x6 [mul sub]: w, t4 -> w
      loop 6 [mul sub]: b, t3 -> b
      trace loss <- t5"
    `);
  });

  test("two ranks a process: they add up what they have, meet, and one of them sends it", () => {
    expect(formatEntry(planned(4, 2), "step")).toMatchInlineSnapshot(`
      "loop 3x8 [cast add]:  -> t0 f32[3,8]
      gemm 3x6x8: t0, w -> t1 f32[3,6]
      loop (3)x6 [add sum]: t1, b -> t2 f32[3,6], t3 f32[6]
      gemm 8x6x3: t0, t2 -> t4 f32[8,6]
      loop (3)x(6) [mul sum]: t2 -> t5 f32[]
      barrier
      loop 6 [sum of ranks]: t3 -> t6 f32[6]
      loop 8x6 [sum of ranks]: t4 -> t7 f32[8,6]
      loop once [sum of ranks]: t5 -> t8 f32[]
      barrier
      beginAllReduce: t6, t7, t8 -> t6 f32[6], t7 f32[8,6], t8 f32[]
      finishAllReduce: t6, t7, t8 -> t6 f32[6], t7 f32[8,6], t8 f32[]
      barrier
      loop 8x6 [mul sub]: w, t7 -> w
      loop 6 [mul sub]: b, t6 -> b
      barrier
      trace loss <- t8"
    `);
  });

  test("one process sums as it goes: nothing travels", () => {
    expect(formatEntry(planned(2, 1), "step")).not.toContain("allReduce");
  });

  test("one rank of a process sends, and each knows its number in the world", () => {
    const plan = planned(6, 3);
    const sends = [0, 1].map((rank) =>
      planForRank(plan, rank, 2).entries.step.kernels.some(({ kind }) => kind === "beginAllReduce"),
    );
    expect(sends).toEqual([true, false]);
    const numbers = [0, 1].map((rank) =>
      planForRank(plan, rank, 2).entries.step.kernels.flatMap((kernel) =>
        kernel.kind === "loop"
          ? kernel.body.flatMap((one) =>
              one.op === "index" && one.strides.every((s) => s === 0) ? [one.offset] : [],
            )
          : [],
      ),
    );
    expect(new Set(numbers[0])).toEqual(new Set([4]));
    expect(new Set(numbers[1])).toEqual(new Set([5]));
  });

  test("ranks that processes can't share evenly are an error of the caller's", () => {
    expect(() => planned(3, 2)).toThrow(/every process has as many ranks as the others/);
  });
});

/** What a process' first thread does in a step. */
const stepOf = (plan: Plan, process = 0): { plan: Plan; kernels: readonly Kernel[] } => {
  const own = planForRank(plan, 0, process);
  return { plan: own, kernels: own.entries.step.kernels };
};

const isBegin = (kernel: Kernel): kernel is AllReduceKernel => kernel.kind === "beginAllReduce";
const isEnd = (kernel: Kernel): kernel is AllReduceKernel => kernel.kind === "finishAllReduce";

describe("journeys of gradients", () => {
  test("small sums of one type wait for a mebibyte; large ones wait for nobody", () => {
    const f32 = (count: number): TensorType => ({ dtype: "float32", shape: [count] });
    const mebibyte = 1 << 18;
    const sums = [
      f32(10),
      f32(mebibyte),
      { dtype: "float64", shape: [] },
      f32(mebibyte - 20),
      f32(10),
      f32(7),
      f32(3 * mebibyte),
      { dtype: "float64", shape: [2] },
      f32(8),
    ] as const;
    expect(bucketsOf(sums)).toEqual([[0, 3, 4], [1], [2, 7], [5, 8], [6]]);
  });

  const shapesOf = (plan: Plan, { buffers }: AllReduceKernel): string[] =>
    buffers.map((buffer) => plan.buffers[buffer].shape.join("x"));

  test.each([
    [2, 2],
    [4, 2],
  ])("%i ranks in %i processes: large gradients leave alone, small ones together", (ranks, processes) => {
    const { plan, kernels } = stepOf(planProgram(layers(ranks), { processes, check: true }));
    const begins = kernels.filter(isBegin).map((kernel) => shapesOf(plan, kernel));
    expect(begins).toEqual([["520x528"], ["3", "528x3", "", "528", "520"], ["512x520"]]);
  });

  test("a sum leaves before the kernels of the next ones, and updates before it is needed hide the last", () => {
    const { plan, kernels } = stepOf(planProgram(layers(2), { processes: 2, check: true }));
    const text = kernels.map((kernel) => {
      if (isBegin(kernel) || isEnd(kernel)) return `${kernel.kind} ${shapesOf(plan, kernel)[0]}`;
      const { writes } = kernelEffects(kernel);
      return `${kernel.kind} ${writes.map((buffer) => plan.buffers[buffer].name).join(" ")}`;
    });
    expect(text.slice(text.indexOf("beginAllReduce 520x528") - 1)).toMatchInlineSnapshot(`
      [
        "loop allReduceSum",
        "beginAllReduce 520x528",
        "gemm dot",
        "loop mul sum",
        "beginAllReduce 3",
        "gemm dot",
        "loop allReduceSum",
        "beginAllReduce 512x520",
        "finishAllReduce 520x528",
        "loop w1",
        "finishAllReduce 3",
        "loop b0",
        "loop b1",
        "loop w2",
        "loop b2",
        "finishAllReduce 512x520",
        "loop w0",
      ]
    `);
  });

  test("a sum that needs another one of its bucket lets it go first", () => {
    const y = g.cast(g.add(g.iota([6], 0, "int32"), g.rank()), "float32");
    const mean = g.div(g.allReduceSum(g.sum(y)), 12);
    const spread = g.allReduceSum(g.sum(g.square(g.sub(y, g.broadcastTo(mean, [6])))));
    const plan = planProgram(
      {
        name: "spread",
        variables: {},
        entries: { step: { updates: {}, traces: { mean, spread } } },
        traceCapacity: 1,
        ranks: 2,
      },
      { processes: 2, check: true },
    );
    const kinds = plan.entries.step.kernels.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind.endsWith("AllReduce"))).toEqual([
      "beginAllReduce",
      "finishAllReduce",
      "beginAllReduce",
      "finishAllReduce",
    ]);
  });

  test.each([
    [2, 2],
    [3, 3],
    [4, 2],
    [6, 2],
  ])("%i ranks in %i processes: nobody touches what travels, nor its bytes", (ranks, processes) => {
    const { plan, kernels } = stepOf(planProgram(layers(ranks), { processes, check: true }));
    const ends = kernels.filter(isEnd).map(({ buffers }) => buffers);
    expect(new Set(ends)).toEqual(new Set(kernels.filter(isBegin).map(({ buffers }) => buffers)));
    kernels.forEach((kernel, from) => {
      if (!isBegin(kernel)) return;
      const to = kernels.findIndex((other) => isEnd(other) && other.buffers.join() === kernel.buffers.join());
      expect(to).toBeGreaterThan(from);
      for (const between of kernels.slice(from + 1, to)) {
        const { reads, writes } = kernelEffects(between);
        for (const touched of [...reads, ...writes])
          for (const buffer of kernel.buffers)
            expect(overlaps(plan.buffers[touched], plan.buffers[buffer])).toBe(false);
      }
    });
  });

  test("other threads meet the one that communicates before it begins and after it has finished", () => {
    const plan = planProgram(layers(4), { processes: 2, check: true });
    const { kernels } = plan.entries.step;
    const phaseOf = kernels.map(
      (_, i) => kernels.slice(0, i).filter(({ kind }) => kind === "barrier").length,
    );
    kernels.forEach((kernel, i) => {
      const { reads, writes } = kernelEffects(kernel);
      if (isBegin(kernel) || isEnd(kernel) || kernel.kind === "barrier") return;
      kernels.forEach((travel, j) => {
        if (!isBegin(travel) && !isEnd(travel)) return;
        if (![...reads, ...writes].some((buffer) => travel.buffers.includes(buffer))) return;
        expect(phaseOf[i]).not.toBe(phaseOf[j]);
        expect(phaseOf[i] < phaseOf[j]).toBe(i < j);
      });
    });
  });

  test("buckets are the same in every process, in the same order", () => {
    const plan = planProgram(layers(6), { processes: 3 });
    const [first, ...others] = [0, 1, 2].map((process) =>
      stepOf(plan, process).kernels.filter((kernel) => isBegin(kernel) || isEnd(kernel)),
    );
    expect(first.length).toBe(6);
    for (const other of others) expect(other).toEqual(first);
  });
});
