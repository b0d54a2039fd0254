/** Sums over the ranks of several processes: where they lie, when they travel, and that nothing travels twice. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/compile/plan.js";
import { planForRank } from "../../src/compile/planForRank.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";
import { formatEntry } from "./support.js";

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

describe("sums over processes", () => {
  test("one rank a process: what it has travels where it lies, in one journey", () => {
    expect(formatEntry(planned(2, 2), "step")).toMatchInlineSnapshot(`
      "loop 3x8 [cast add]:  -> t0 f32[3,8]
      gemm 3x6x8: t0, w -> t1 f32[3,6]
      loop (3)x6 [add sum]: t1, b -> t2 f32[3,6], t3 f32[6]
      gemm 8x6x3: t0, t2 -> t4 f32[8,6]
      loop (3)x(6) [mul sum]: t2 -> t5 f32[]
      allReduce: t4, t3, t5 -> t4 f32[8,6], t3 f32[6], t5 f32[]
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
      loop 8x6 [sum of ranks]: t4 -> t6 f32[8,6]
      loop 6 [sum of ranks]: t3 -> t7 f32[6]
      loop once [sum of ranks]: t5 -> t8 f32[]
      barrier
      allReduce: t6, t7, t8 -> t6 f32[8,6], t7 f32[6], t8 f32[]
      barrier
      loop 8x6 [mul sub]: w, t6 -> w
      loop 6 [mul sub]: b, t7 -> b
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
      planForRank(plan, rank, 2).entries.step.kernels.some(({ kind }) => kind === "allReduce"),
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
