/** Updates that processes divide: which ones, who makes which part, and what travels when. */
import { describe, expect, test } from "vitest";
import { partOf } from "../../src/base/parts.js";
import { sizeOf } from "../../src/base/shape.js";
import { boxesOf } from "../../src/compile/boxes.js";
import { explainPlan } from "../../src/compile/explain.js";
import {
  beginsExchange,
  finishesExchange,
  isExchange,
  kernelEffects,
} from "../../src/compile/kernelEffects.js";
import type { LoopKernel, Plan } from "../../src/compile/plan.js";
import { planForRank } from "../../src/compile/planForRank.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";
import { laneProgram } from "../../src/train/index.js";
import { grad } from "../../src/transform/index.js";
import { updateCases } from "../collectives/updates.js";
import { formatEntry, overlaps } from "./support.js";

/** What becomes of each gradient of two layers: new values of variables, whose names begin with the layer's. */
type Rule = (layer: {
  readonly name: string;
  readonly weight: g.Tensor;
  readonly gradient: g.Tensor;
  readonly slot: (kind: string) => g.Tensor;
}) => Record<string, g.Tensor>;

/** Heavy ball. */
const momentum: Rule = ({ name, weight, gradient, slot }) => {
  const velocity = g.add(g.mul(slot("velocity"), 0.9), gradient);
  return { [`${name}/velocity`]: velocity, [name]: g.sub(weight, g.mul(velocity, 0.01)) };
};

/** Two layers: the weights of the first travel alone, those of the second with the loss. */
function descending(ranks: number, rule: Rule): Program {
  const shapes = { w0: [512, 520], w1: [520, 3] } as const;
  const variables: Record<string, g.Tensor> = {};
  const variable = (name: string, shape: g.Shape): g.Tensor => {
    variables[name] ??= g.variable(name, shape);
    return variables[name];
  };
  const [w0, w1] = Object.entries(shapes).map(([name, shape]) => variable(name, shape));
  const x = g.add(g.iota([4, 512], 1, "float32"), g.cast(g.rank(), "float32"));
  const y = g.matmul(g.tanh(g.matmul(x, w0)), w1);
  const loss = g.sum(g.square(y));
  const updates = grad(loss, [w0, w1]).map((gradient, i) => {
    const [name, shape] = Object.entries(shapes)[i];
    const slot = (kind: string): g.Tensor => variable(`${name}/${kind}`, shape);
    return rule({ name, weight: variables[name], gradient: g.allReduceSum(gradient), slot });
  });
  return {
    name: "descending",
    variables,
    entries: {
      step: { updates: Object.assign({}, ...updates), traces: { loss: g.allReduceSum(loss) } },
      look: { updates: {}, traces: { norm: g.sum(g.square(w0)) } },
    },
    traceCapacity: 1,
    ranks,
  };
}

const divided = (program: Program, processes: number): Plan =>
  planProgram(program, { processes, divideUpdates: true, check: true });

const namesIn = ({ buffers }: Plan, numbers: readonly number[] = []): string[] =>
  numbers.map((buffer) => buffers[buffer].name);

const kindsIn = (plan: Plan): string[] =>
  Object.values(plan.entries).flatMap(({ kernels }) => kernels.map(({ kind }) => kind));

describe("boxes of a loop nest", () => {
  /** The iterations of a nest in row-major order, each by its number. */
  const numbered = (extents: readonly number[], { first, extents: of }: ReturnType<typeof boxesOf>[number]) =>
    Array.from({ length: sizeOf(of) }, (_, i) => {
      let rest = i;
      const index = of.map(() => 0);
      for (let d = of.length - 1; d >= 0; d--) {
        index[d] = first[d] + (rest % of[d]);
        rest = Math.floor(rest / of[d]);
      }
      return index.reduce((at, one, d) => at * extents[d] + one, 0);
    });

  test.each([[[]], [[7]], [[1, 5]], [[3, 4]], [[2, 3, 4]], [[2, 1, 3, 2]]])(
    "of %j are its iterations from any to any, in order",
    (extents) => {
      const count = sizeOf(extents);
      for (let start = 0; start <= count; start++)
        for (let end = start; end <= count; end++) {
          const boxes = boxesOf(extents, { start, end });
          const expected = Array.from({ length: end - start }, (_, i) => start + i);
          expect(boxes.flatMap((box) => numbered(extents, box))).toEqual(expected);
          expect(boxes.length).toBeLessThanOrEqual(Math.max(1, 2 * extents.length - 1));
        }
    },
  );

  test("whole rows are one", () => {
    expect(boxesOf([1, 6, 10], { start: 20, end: 50 })).toEqual([{ first: [0, 2, 0], extents: [1, 3, 10] }]);
  });
});

describe("what processes divide", () => {
  test("a large gradient is scattered, the parameter gathered in the next step, the slot left in parts", () => {
    const plan = divided(descending(2, momentum), 2);
    expect(formatEntry(plan, "step")).toMatchInlineSnapshot(`
      "loop 4x512 [cast add]:  -> t0 f32[4,512]
      finishAllGather: w0 -> w0
      gemm 4x520x512: t0, w0 -> t1 f32[4,520]
      loop 4x520 [tanh]: t1 -> t2 f32[4,520]
      gemm 4x3x520: t2, w1 -> t3 f32[4,3]
      loop (4)x(3) [add mul sum]: t3 -> t4 f32[4,3], t5 f32[]
      gemm 3x520x4: t4, t2 -> t6 f32[3,520]
      loop 520x3 [sum of ranks]: t6 -> t7 f32[520,3]
      beginAllReduce: t5, t7 -> t5 f32[], t7 f32[520,3]
      gemm 4x520x3: t4, w1 -> t8 f32[4,520]
      loop 4x520 [mul sub]: t8, t2 -> t9 f32[4,520]
      gemm 520x512x4: t9, t0 -> t10 f32[520,512]
      loop 512x520 [sum of ranks]: t10 -> t11 f32[512,520]
      beginReduceScatter: t11 -> t11 f32[512,520]
      finishAllReduce: t5, t7 -> t5 f32[], t7 f32[520,3]
      loop 520x3 [mul add sub]: w1/velocity, t7, w1 -> w1/velocity, w1
      finishReduceScatter: t11 -> t11 f32[512,520]
      loop 512x520 [mul add sub] in parts: w0/velocity, t11, w0 -> w0/velocity, w0
      beginAllGather: w0 -> w0
      trace loss <- t5"
    `);
    expect(namesIn(plan, plan.entries.step.inParts)).toEqual(["w0/velocity"]);
    expect(plan.entries.look.inParts).toBeUndefined();
  });

  test("threads meet before a part is sent, and behind what the step before sent", () => {
    const plan = divided(descending(4, momentum), 2);
    expect(formatEntry(plan, "step")).toMatchInlineSnapshot(`
      "loop 4x512 [cast add]:  -> t0 f32[4,512]
      finishAllGather: w0 -> w0
      barrier
      gemm 8x520x512: t0, w0 -> t1 f32[4,520]
      barrier
      loop 4x520 [tanh]: t1 -> t2 f32[4,520]
      gemm 4x3x520: t2, w1 -> t3 f32[4,3]
      loop (4)x(3) [add mul sum]: t3 -> t4 f32[4,3], t5 f32[]
      gemm 3x520x4: t4, t2 -> t6 f32[3,520]
      barrier
      loop once [sum of ranks]: t5 -> t7 f32[]
      loop 520x3 [sum of ranks]: t6 -> t8 f32[520,3]
      barrier
      beginAllReduce: t7, t8 -> t7 f32[], t8 f32[520,3]
      gemm 4x520x3: t4, w1 -> t9 f32[4,520]
      loop 4x520 [mul sub]: t9, t2 -> t10 f32[4,520]
      barrier
      gemm 520x512x8: t10, t0 -> t11 f32[520,512]
      barrier
      loop 512x520 [sum of ranks]: t11 -> t12 f32[512,520]
      barrier
      beginReduceScatter: t12 -> t12 f32[512,520]
      finishAllReduce: t7, t8 -> t7 f32[], t8 f32[520,3]
      finishReduceScatter: t12 -> t12 f32[512,520]
      barrier
      loop 520x3 [mul add sub]: w1/velocity, t8, w1 -> w1/velocity, w1
      loop 512x520 [mul add sub] in parts: w0/velocity, t12, w0 -> w0/velocity, w0
      barrier
      beginAllGather: w0 -> w0
      barrier
      trace loss <- t7"
    `);
  });

  test("without other processes, or where nobody asks, plans are as they were", () => {
    for (const [ranks, processes] of [
      [1, 1],
      [2, 1],
    ])
      expect(divided(descending(ranks, momentum), processes)).toEqual(
        planProgram(descending(ranks, momentum), { processes, check: true }),
      );
    expect(kindsIn(planProgram(descending(2, momentum), { processes: 2 }))).not.toContain(
      "beginReduceScatter",
    );
  });

  test.each(Object.entries(updateCases))("%s", async (_, { divides, training }) => {
    const made = await training();
    const plan = divided(laneProgram(made, made.lanes.length, 2).program, 2);
    expect(kindsIn(plan).includes("beginReduceScatter")).toBe(divides);
    const parts = Object.values(plan.entries).flatMap(({ inParts }) => namesIn(plan, inParts));
    expect(parts.some((name) => name.startsWith("slot/dense2.weight/"))).toBe(
      divides && made.choice.optimizer.id !== "sgd",
    );
  });

  test.each<[string, Rule]>([
    [
      "by the norm of the gradient",
      ({ name, weight, gradient }) => ({
        [name]: g.sub(
          weight,
          g.div(gradient, g.broadcastTo(g.sqrt(g.sum(g.square(gradient))), weight.shape)),
        ),
      }),
    ],
    [
      "by the norm of a slot",
      ({ name, weight, gradient, slot }) => {
        const sum = g.add(slot("sum"), gradient);
        const norm = g.broadcastTo(g.sum(g.abs(sum)), weight.shape);
        return { [`${name}/sum`]: sum, [name]: g.sub(weight, g.div(sum, norm)) };
      },
    ],
    [
      "by the gradient of another element",
      ({ name, weight, gradient }) => {
        const first = g.broadcastTo(g.slice(gradient, { axis: 0, stop: 1 }), weight.shape);
        return { [name]: g.sub(weight, g.add(gradient, first)) };
      },
    ],
  ])("not an update %s", (_, rule) => {
    const plan = divided(descending(2, rule), 2);
    expect(kindsIn(plan)).not.toContain("beginReduceScatter");
    expect(plan.entries.step.inParts).toBeUndefined();
    expect(plan).toEqual(planProgram(descending(2, rule), { processes: 2, check: true }));
  });
});

/** A step, and the next one. */
const twoSteps = (plan: Plan) => [...plan.entries.step.kernels, ...plan.entries.step.kernels];

describe("a divided step", () => {
  test.each([
    [2, 2],
    [3, 3],
    [4, 2],
    [6, 2],
  ])(
    "of %i ranks in %i processes: nobody touches what travels, in this step or the next",
    (ranks, processes) => {
      const plan = planForRank(divided(descending(ranks, momentum), processes), 0);
      const kernels = twoSteps(plan);
      const half = kernels.length / 2;
      const travelling = kernels.slice(0, half).filter(beginsExchange).filter(isExchange);
      expect(travelling.map(({ kind }) => kind)).toEqual([
        "beginAllReduce",
        "beginReduceScatter",
        "beginAllGather",
      ]);
      for (const begin of travelling) {
        const from = kernels.indexOf(begin);
        const to = kernels.findIndex(
          (other, i) =>
            i > from &&
            isExchange(other) &&
            finishesExchange(other) &&
            other.buffers.join() === begin.buffers.join(),
        );
        expect(to).toBeGreaterThan(from);
        expect(to >= half).toBe(begin.kind === "beginAllGather");
        for (const between of kernels.slice(from + 1, to)) {
          const { reads, writes } = kernelEffects(between);
          for (const touched of [...reads, ...writes])
            for (const buffer of begin.buffers)
              expect(overlaps(plan.buffers[touched], plan.buffers[buffer])).toBe(false);
        }
      }
    },
  );

  test.each([
    [2, 2],
    [3, 3],
    [4, 2],
    [6, 2],
  ])(
    "of %i ranks in %i processes: each process updates what it gives to the others, once",
    (ranks, processes) => {
      const plan = divided(descending(ranks, momentum), processes);
      const w0 = plan.buffers.findIndex(({ name }) => name === "w0");
      const count = sizeOf(plan.buffers[w0].shape);
      for (let process = 0; process < processes; process++) {
        const stored = new Uint8Array(count);
        for (let rank = 0; rank < plan.ranks; rank++) {
          const own = planForRank(plan, rank, process);
          for (const kernel of own.entries.step.kernels)
            if (kernel.kind === "loop")
              countStores(kernel, (buffer) => own.buffers[buffer].name === "w0", stored);
        }
        const { start, end } = partOf(count, { rank: process, size: processes });
        expect(stored.every((times, i) => times === (i >= start && i < end ? 1 : 0))).toBe(true);
      }
    },
  );
});

test("explained: as many bytes travel as in an all-reduce, and a process updates its part", () => {
  const peaks = { gemmGflops: 1, loopGflops: 1, bandwidthGBs: 1 };
  const kernelsOf = (plan: Plan) => explainPlan(plan, peaks).entries[0].kernels;
  const program = descending(2, momentum);
  const [whole, parts] = [planProgram(program, { processes: 2 }), divided(program, 2)];
  const travelled = (plan: Plan): number =>
    kernelsOf(plan)
      .filter(({ kind }) => /^begin/.test(kind))
      .reduce((sum, { bytes }) => sum + bytes, 0);
  expect(travelled(whole)).toBe(2 * 4 * (512 * 520 + 520 * 3 + 1));
  expect(travelled(parts)).toBe(travelled(whole));
  expect(kernelsOf(parts).filter(({ shape }) => shape === "512x520, in parts")).toHaveLength(1);
  const update = kernelsOf(planForRank(parts, 0, 1)).find(({ shape }) => shape === "256x520");
  // Gradient, velocity and weight are read, the latter two written.
  expect(update).toMatchObject({ kind: "loop", bytes: 5 * 4 * 256 * 520 });
});

/** Adds how often a loop stores each element of a buffer. */
function countStores({ extents, stores }: LoopKernel, isIt: (buffer: number) => boolean, counts: Uint8Array) {
  for (const { access } of stores.filter((store) => isIt(store.access.buffer)))
    for (let i = 0; i < sizeOf(extents); i++) {
      let rest = i;
      let at = access.offset;
      for (let d = extents.length - 1; d >= 0; d--) {
        at += (rest % extents[d]) * access.strides[d];
        rest = Math.floor(rest / extents[d]);
      }
      counts[at]++;
    }
}
