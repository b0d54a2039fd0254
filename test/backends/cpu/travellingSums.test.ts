/** Sums over processes as a process' thread makes them: what it sends when, and that it looks after it meanwhile. */
import { expect, test } from "vitest";
import { selectConvolution } from "../../../src/backends/cpu/convolution/index.js";
import { CpuExecutable } from "../../../src/backends/cpu/executable.js";
import { selectGemm } from "../../../src/backends/cpu/gemm/index.js";
import { MemoryPool } from "../../../src/backends/cpu/memoryPool.js";
import { detectFeatures } from "../../../src/backends/cpu/wasm/index.js";
import {
  aloneCommunicator,
  type Communicator,
  type PendingExchange,
} from "../../../src/collectives/index.js";
import type { Plan } from "../../../src/compile/plan.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import * as g from "../../../src/graph/index.js";

/** The other process has the same numbers: a sum is twice what is sent, once it is finished. */
function withTwin(log: string[]): Communicator {
  const begun = (name: string, length: number, finish: () => void): PendingExchange => {
    log.push(`begin ${name}${length}`);
    return {
      advance() {
        log.push(`advance ${name}${length}`);
        return false;
      },
      finish() {
        log.push(`finish ${name}${length}`);
        finish();
      },
    };
  };
  return {
    ...aloneCommunicator(),
    size: 2,
    beginAllReduce: (array) =>
      begun("", array.length, () => {
        for (let i = 0; i < array.length; i++) array[i] *= 2;
      }),
    beginReduceScatter: (array) =>
      begun("parts of ", array.length, () => {
        for (let i = 0; i < array.length / 2; i++) array[i] *= 2;
      }),
    // What the twin has in its half, this one has in its own.
    beginAllGather: (array) =>
      begun("all of ", array.length, () => array.copyWithin(array.length / 2, 0, array.length / 2)),
  };
}

function executableOf(plan: Plan, log: string[], traceCapacity: number): CpuExecutable {
  const { library: gemm } = selectGemm({ library: "wasm" });
  return new CpuExecutable(plan, traceCapacity, {
    gemm,
    convolution: selectConvolution(gemm),
    features: detectFeatures(),
    memories: new MemoryPool(),
    world: { process: 0, communicator: withTwin(log) },
  });
}

test("a large sum leaves while others are computed; small ones travel in one parcel and come back to their places", () => {
  const large = 1 << 18;
  const x = g.variable("x", [large]);
  const results = { large: [large], small: [3], smaller: [2] } as const;
  const variables = Object.fromEntries(
    Object.entries(results).map(([name, shape]) => [name, g.variable(name, shape)]),
  );
  const total = g.sum(x);
  const plan = planProgram(
    {
      name: "sums",
      variables: { x, ...variables },
      entries: {
        step: {
          updates: {
            large: g.allReduceSum(g.mul(x, 3)),
            small: g.allReduceSum(g.mul(g.iota([3], 0, "float32"), total)),
            smaller: g.allReduceSum(g.add(g.iota([2], 0, "float32"), total)),
          },
          traces: {},
        },
      },
      traceCapacity: 1,
      ranks: 2,
    },
    { processes: 2, check: true },
  );
  const log: string[] = [];
  const executable = executableOf(plan, log, 1);
  executable.write(
    "x",
    Float32Array.from({ length: large }, (_, i) => (i < 4 ? 1 : 0)),
  );
  for (let step = 0; step < 2; step++) {
    log.length = 0;
    executable.run("step", 1);
    expect([...executable.read("large").subarray(2, 6)]).toEqual([6, 6, 0, 0]);
    expect([...executable.read("small")]).toEqual([0, 8, 16]);
    expect([...executable.read("smaller")]).toEqual([8, 10]);
    const at = (line: string): number => log.indexOf(line);
    expect(log.filter((line) => !line.startsWith("advance")).toSorted()).toEqual([
      "begin 262144",
      "begin 5",
      "finish 262144",
      "finish 5",
    ]);
    expect(log.slice(at("begin 262144"), at("begin 5"))).toContain("advance 262144");
    expect(at("begin 5")).toBeLessThan(at("finish 262144"));
  }
});

test("a divided update: parts are gathered before the next step needs them, at the end of a call, and where someone reads", () => {
  const count = 1 << 18;
  const [weight, slot, looked] = [
    g.variable("weight", [count]),
    g.variable("slot", [count]),
    g.variable("looked", []),
  ];
  // Each step adds to the slot twice what the first weight is, and the slot to the weight.
  const gradient = g.allReduceSum(
    g.broadcastTo(g.reshape(g.slice(weight, { axis: 0, stop: 1 }), [1]), [count]),
  );
  const added = g.add(slot, gradient);
  const plan = planProgram(
    {
      name: "divided",
      variables: { weight, slot, looked },
      entries: {
        step: { updates: { weight: g.add(weight, added), slot: added }, traces: {} },
        look: { updates: { looked: g.sum(slot) }, traces: {} },
        pass: { updates: { looked: g.add(looked, 1) }, traces: {} },
      },
      traceCapacity: 3,
      ranks: 2,
    },
    { processes: 2, divideUpdates: true, check: true },
  );
  const log: string[] = [];
  const executable = executableOf(plan, log, 3);
  executable.write("weight", new Float32Array(count).fill(1));
  const gathers = (act: () => void): string[] => {
    log.length = 0;
    act();
    return log.filter((line) => !line.startsWith("advance"));
  };
  const [scatter, gather] = ["parts of", "all of"].map((what) => [
    `begin ${what} ${count}`,
    `finish ${what} ${count}`,
  ]);
  // weight 1, 3, 11, 41; slot 0, 2, 8, 30
  expect(gathers(() => executable.run("step", 3))).toEqual(
    [1, 2, 3].flatMap(() => [scatter[0], scatter[1], gather[0], gather[1]]),
  );
  const read = (name: string): number[] => [...new Set(executable.read(name))];
  expect(gathers(() => expect(read("weight")).toEqual([41]))).toEqual([]);
  expect(gathers(() => executable.run("pass", 1))).toEqual([]);
  expect(gathers(() => expect(read("slot")).toEqual([30]))).toEqual(gather);
  expect(gathers(() => expect(read("slot")).toEqual([30]))).toEqual([]);
  executable.run("step", 1);
  expect(gathers(() => executable.run("look", 1))).toEqual(gather);
  expect(read("looked")).toEqual([count * (30 + 2 * 41)]);
  executable.run("step", 1);
  executable.write("slot", new Float32Array(count).fill(5));
  expect(gathers(() => expect(read("slot")).toEqual([5]))).toEqual([]);
});
