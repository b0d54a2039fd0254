/** Sums over processes as a process' thread makes them: what it sends when, and that it looks after it meanwhile. */
import { expect, test } from "vitest";
import { selectConvolution } from "../../../src/backends/cpu/convolution/index.js";
import { CpuExecutable } from "../../../src/backends/cpu/executable.js";
import { selectGemm } from "../../../src/backends/cpu/gemm/index.js";
import { MemoryPool } from "../../../src/backends/cpu/memoryPool.js";
import { detectFeatures } from "../../../src/backends/cpu/wasm/index.js";
import { aloneCommunicator, type Communicator } from "../../../src/collectives/index.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import * as g from "../../../src/graph/index.js";

/** The other process has the same numbers: a sum is twice what is sent, once it is finished. */
function withTwin(log: string[]): Communicator {
  return {
    ...aloneCommunicator(),
    size: 2,
    beginAllReduce(array) {
      log.push(`begin ${array.length}`);
      return {
        advance() {
          log.push(`advance ${array.length}`);
          return false;
        },
        finish() {
          log.push(`finish ${array.length}`);
          for (let i = 0; i < array.length; i++) array[i] *= 2;
        },
      };
    },
  };
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
  const { library: gemm } = selectGemm({ library: "wasm" });
  const executable = new CpuExecutable(plan, 1, {
    gemm,
    convolution: selectConvolution(gemm),
    features: detectFeatures(),
    memories: new MemoryPool(),
    world: { process: 0, communicator: withTwin(log) },
  });
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
