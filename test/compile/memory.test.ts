/** The plan's memory on random programs: no two living values share a byte, and no kernel spoils what it reads. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { kernelEffects } from "../../src/compile/kernelEffects.js";
import { aligned, packLifetimes } from "../../src/compile/lower/memory.js";
import type { Kernel, Plan } from "../../src/compile/plan.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import { wavesOf } from "../../src/compile/waves.js";
import * as f from "../../src/graph/functions.js";
import { variable } from "../../src/graph/operations/leaves.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { bytesIn, loadsOf, overlaps } from "./support.js";

describe("lifetimes", () => {
  const lifetimes = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 1000 }), fc.nat(12), fc.nat(5))
      .map(([bytes, first, length]) => ({ bytes, first, last: first + length })),
    { maxLength: 30 },
  );

  test("that meet never overlap in bytes; every offset is a multiple of 64; nothing sticks out", () => {
    fc.assert(
      fc.property(lifetimes, (lives) => {
        const { offsets, bytes } = packLifetimes(lives);
        lives.forEach((a, i) => {
          expect(offsets[i] % 64).toBe(0);
          expect(offsets[i] + aligned(a.bytes)).toBeLessThanOrEqual(bytes);
          lives.slice(0, i).forEach((b, j) => {
            const meet = a.first <= b.last && b.first <= a.last;
            const share = offsets[i] < offsets[j] + b.bytes && offsets[j] < offsets[i] + a.bytes;
            expect(meet && share).toBe(false);
          });
        });
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test("that do not meet share: a chain of equal values takes two of them", () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
    expect(packLifetimes(chain).bytes).toBe(512);
  });
});

/** One way to make a tensor of n numbers from tensors of n numbers; `shift` counts rotations. */
type Recipe = { readonly kind: number; readonly from: readonly number[]; readonly shift: number };

const count = 5;

const rotated = (x: Tensor, shift: number): Tensor => {
  const by = shift % count;
  return by === 0 ? x : f.concat([f.slice(x, { axis: 0, start: by }), f.slice(x, { axis: 0, stop: by })]);
};

/** Every kind of kernel, at the same and at other indices; values stay small. */
const makers: readonly ((a: Tensor, b: Tensor, shift: number) => Tensor)[] = [
  (a, b) => f.sub(f.mul(a, 0.5), b),
  (a, b) => f.tanh(f.add(a, b)),
  (a, b, shift) => f.add(rotated(a, shift), f.mul(b, 0.25)),
  (a, _, shift) => rotated(a, shift),
  (a) => a,
  (a, b) => f.add(f.mul(a, 0.1), f.mul(f.sum(b), 0.1)),
  (a, b) => f.maximum(f.sub(a, f.max(a)), b),
  (a, b) => f.mul(f.matmul(f.mul(f.reshape(a, [count, 1]), f.reshape(b, [1, count])), a), 0.1),
  (a, b) =>
    f.tanh(
      f.reshape(
        f.matmul(f.reshape(a, [1, count]), f.mul(f.reshape(a, [count, 1]), f.reshape(b, [1, count]))),
        [count],
      ),
    ),
  (a, b) => f.sub(f.softmax(a), f.sigmoid(b)),
  (a, b) => f.mul(f.take(a, f.cast(f.clip(f.mul(f.abs(b), 3), 0, count - 1), "int32")), 0.9),
  (a) => f.slice(f.pad(a, [[1, 0]]), { axis: 0, stop: count }),
  (a, b) => f.where(f.less(a, b), b, f.mul(a, -0.5)),
  (a, b) =>
    f.sum(
      f.mul(f.reshape(a, [count, 1]), f.softmax(f.mul(f.reshape(a, [count, 1]), f.reshape(b, [1, count])))),
      { axis: 0 },
    ),
];

const recipes = fc.array(
  fc.record({
    kind: fc.nat(makers.length - 1),
    from: fc.tuple(fc.nat(30), fc.nat(30)),
    shift: fc.nat(count - 1),
  }),
  { minLength: 1, maxLength: 12 },
);

const programs = fc
  .record({
    recipes,
    variables: fc.integer({ min: 1, max: 4 }),
    updates: fc.array(fc.nat(30), { minLength: 1, maxLength: 4 }),
    traces: fc.array(fc.nat(30), { maxLength: 3 }),
  })
  .map(({ recipes: steps, variables: number, updates, traces }): Program => {
    const variables = Array.from({ length: number }, (_, i) => variable(`v${i}`, [count], "float64"));
    const values: Tensor[] = [...variables];
    for (const { kind, from, shift } of steps as readonly Recipe[]) {
      const [a, b] = from.map((place) => values[place % values.length]);
      values.push(makers[kind](a, b, shift));
    }
    // From the end: the last values are those that everything leads to.
    const pick = (place: number): Tensor => values[values.length - 1 - (place % values.length)];
    return {
      name: "random",
      variables: Object.fromEntries(variables.map((node, i) => [`v${i}`, node])),
      entries: {
        step: {
          updates: Object.fromEntries(updates.slice(0, number).map((place, i) => [`v${i}`, pick(place)])),
          traces: Object.fromEntries(traces.map((place, i) => [`t${i}`, pick(place)])),
        },
      },
      traceCapacity: 3,
    };
  });

describe("random programs", () => {
  test("compute on the cpu what the reference does, update for update", () => {
    const [cpu, reference] = [cpuBackend({ gemm: "wasm" }), referenceBackend()];
    fc.assert(
      fc.property(programs, (program) => {
        const [fast, oracle] = [cpu.compile(program), reference.compile(program)];
        const names = Object.keys(program.variables);
        for (const executable of [fast, oracle]) {
          names.forEach((name, i) => {
            executable.write(
              name,
              Array.from({ length: count }, (_, n) => Math.sin(7 * i + n)),
            );
          });
          executable.run("step", 3);
        }
        const traces = Object.keys(program.entries.step.traces);
        for (const [what, ours, theirs] of [
          ...names.map((name) => [name, fast.read(name), oracle.read(name)] as const),
          ...traces.map((name) => [name, fast.trace("step", name), oracle.trace("step", name)] as const),
        ]) {
          ours.forEach((value, i) => {
            if (!(Math.abs(value - theirs[i]) <= 1e-9)) expect.fail(`${what}: ${ours} against ${theirs}`);
          });
        }
        fast.release();
        oracle.release();
      }),
      { numRuns: 150, seed: 3 },
    );
  });

  test("have plans in which no kernel or value spoils another", () => {
    fc.assert(
      fc.property(programs, (program) => expectSound(planProgram(program, { check: true }))),
      { numRuns: 400, seed: 9 },
    );
  });

  test("have plans in waves in which neither happens, and in which shared bytes make no loop wait", () => {
    fc.assert(
      fc.property(programs, (program) => {
        const plan = planProgram(program, { check: true, waves: true });
        expectSound(plan);
        const ofBuffers = loopWaves(plan, (a, b) => a === b);
        expect(loopWaves(plan, (a, b) => overlaps(plan.buffers[a], plan.buffers[b]))).toBe(ofBuffers);
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});

/** How many waves of loops a step has, if kernels wait for one another where what they touch meets. */
function loopWaves({ entries }: Plan, meet: (a: number, b: number) => boolean): number {
  const { kernels } = entries.step;
  const company = ({ kind }: Kernel): "product" | "loop" => (kind === "gemm" ? "product" : "loop");
  const waits = (task: Kernel, earlier: Kernel): boolean => {
    const [own, before] = [task, earlier].map(kernelEffects);
    const some = (a: readonly number[], b: readonly number[]): boolean =>
      a.some((x) => b.some((y) => meet(x, y)));
    return (
      some(own.reads, before.writes) || some(own.writes, before.reads) || some(own.writes, before.writes)
    );
  };
  return wavesOf(kernels, { waits, company }).filter(([[[first]]]) => company(kernels[first]) === "loop")
    .length;
}

function expectSound(plan: Plan): void {
  const { buffers } = plan;
  for (const buffer of buffers) {
    expect(buffer.offset % 64).toBe(0);
    expect(buffer.offset + bytesIn(buffer)).toBeLessThanOrEqual(plan.arenaBytes);
  }
  const persistent = buffers.filter(({ role }) => role !== "temporary");
  persistent.forEach((a, i) => {
    for (const b of buffers)
      if (b !== a && !persistent.slice(0, i).includes(b)) expect(overlaps(a, b)).toBe(false);
  });
  for (const { kernels, traces } of Object.values(plan.entries)) {
    expectDisjointLives(
      plan,
      kernels,
      traces.map(({ source }) => source),
    );
    for (const kernel of kernels) expectNoHazard(plan, kernel);
  }
}

/** Temporaries whose first and last kernels overlap in time must not overlap in bytes; none is read before it is written. */
function expectDisjointLives(plan: Plan, kernels: readonly Kernel[], kept: readonly number[]): void {
  const lives = new Map<number, { first: number; last: number }>();
  kernels.forEach((kernel, at) => {
    const { reads, writes } = kernelEffects(kernel);
    for (const number of reads) {
      if (plan.buffers[number].role === "temporary")
        expect(lives.has(number) || writes.includes(number)).toBe(true);
    }
    for (const number of [...reads, ...writes]) {
      if (plan.buffers[number].role !== "temporary") continue;
      lives.set(number, { first: lives.get(number)?.first ?? at, last: at });
    }
  });
  for (const number of kept) {
    const life = lives.get(number);
    if (life) life.last = kernels.length;
  }
  const all = [...lives];
  all.forEach(([a, lifeA], i) => {
    for (const [b, lifeB] of all.slice(0, i)) {
      if (lifeA.first > lifeB.last || lifeB.first > lifeA.last) continue;
      expect(overlaps(plan.buffers[a], plan.buffers[b])).toBe(false);
    }
  });
}

/** What a kernel reads from bytes that it writes, it reads at the very element that it writes. */
function expectNoHazard(plan: Plan, kernel: Kernel): void {
  const { reads, writes } = kernelEffects(kernel);
  const touching = (a: number, b: number): boolean => overlaps(plan.buffers[a], plan.buffers[b]);
  if (kernel.kind !== "loop") {
    for (const read of reads) for (const write of writes) expect(touching(read, write)).toBe(false);
    return;
  }
  const stores = [...kernel.stores, ...kernel.reductions];
  for (const { access: from, isGather } of loadsOf(kernel)) {
    for (const { access: to } of stores) {
      if (!touching(from.buffer, to.buffer)) continue;
      expect(isGather).toBe(false);
      expect([from.buffer, from.offset, ...from.strides]).toEqual([to.buffer, to.offset, ...to.strides]);
    }
  }
  stores.forEach(({ access: a }, i) => {
    for (const { access: b } of stores.slice(0, i)) expect(touching(a.buffer, b.buffer)).toBe(false);
  });
}
