/** Ranks as threads over one memory: what they share, what each has, how a failure ends. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { selectConvolution } from "../../../src/backends/cpu/convolution/index.js";
import { CpuExecutable } from "../../../src/backends/cpu/executable.js";
import { selectGemm } from "../../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../../src/backends/cpu/index.js";
import { MemoryPool } from "../../../src/backends/cpu/memoryPool.js";
import { Followers } from "../../../src/backends/cpu/ranks/followers.js";
import { detectFeatures } from "../../../src/backends/cpu/wasm/index.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import type { Program } from "../../../src/compile/program.js";
import * as g from "../../../src/graph/index.js";

const backends = [2, 3].map((ranks) => ({ ranks, backend: cpuBackend({ ranks }) }));
afterAll(async () => {
  await Promise.all(backends.map(({ backend }) => backend.close()));
});

/** w += sum over ranks of (rank + 1) sum(w), for a vector large enough to be shared; n counts steps. */
function growing(ranks: number, extent = 5000): Program {
  const w = g.variable("w", [extent]);
  const n = g.variable("n", [], "int32");
  const part = g.mul(g.broadcastTo(g.sum(w), [extent]), g.cast(g.add(g.rank(), 1), "float32"));
  const total = g.allReduceSum(g.add(part, g.iota([extent], 0, "float32")));
  return {
    name: "growing",
    variables: { w, n },
    entries: {
      step: {
        updates: { w: g.add(w, g.mul(total, 1e-6)), n: g.add(n, 1) },
        traces: { sum: g.sum(w), parts: g.allReduceSum(g.cast(g.add(g.rank(), 1), "float32")) },
      },
    },
    traceCapacity: 64,
    ranks,
  };
}

/** The same in plain numbers. */
function grown(ranks: number, extent: number, steps: number): Float64Array {
  const w = new Float64Array(extent).fill(1);
  for (let step = 0; step < steps; step++) {
    const sum = w.reduce((a, b) => a + b, 0);
    for (let i = 0; i < extent; i++) {
      for (let rank = 0; rank < ranks; rank++) w[i] += 1e-6 * ((rank + 1) * sum + i);
    }
  }
  return w;
}

describe.each(backends)("$ranks ranks", ({ ranks, backend }) => {
  test("sum what each computes and update what they share", () => {
    const executable = backend.compile(growing(ranks));
    executable.write("w", new Float32Array(5000).fill(1));
    executable.write("n", [7]);
    executable.run("step", 20);
    const expected = grown(ranks, 5000, 20);
    executable.read("w").forEach((value, i) => {
      expect(Math.abs(value - expected[i]) / expected[i]).toBeLessThan(1e-5);
    });
    expect([...executable.read("n")]).toEqual([27]);
    expect([...executable.trace("step", "parts")]).toEqual(
      new Array<number>(20).fill((ranks * (ranks + 1)) / 2),
    );
    executable.release();
  });

  test("a value that is read from what all share is whole on every rank", () => {
    const extent = 5000;
    const w = g.variable("w", [extent]);
    const seen = g.mul(w, 3);
    const executable = backend.compile({
      name: "reading",
      variables: { w },
      entries: { step: { updates: { w: g.add(seen, 1) }, traces: { seen, sum: g.sum(seen) } } },
      traceCapacity: 4,
      ranks,
    });
    executable.write(
      "w",
      Float32Array.from({ length: extent }, (_, i) => i % 7),
    );
    executable.run("step", 2);
    const first = Array.from({ length: extent }, (_, i) => 3 * (i % 7));
    const second = first.map((value) => 3 * (value + 1));
    expect([...executable.trace("step", "seen")]).toEqual([...first, ...second]);
    const total = (values: number[]): number => values.reduce((a, b) => a + b, 0);
    expect([...executable.trace("step", "sum")]).toEqual([total(first), total(second)]);
    expect([...executable.read("w")]).toEqual(second.map((value) => value + 1));
    executable.release();
  });

  test("two runs agree bit for bit, whether in one call or in many", () => {
    const bits = [[30], [1, 2, 27]].map((calls) => {
      const executable = backend.compile(growing(ranks));
      executable.write("w", new Float32Array(5000).fill(1));
      for (const steps of calls) executable.run("step", steps);
      const values = executable.read("w").slice();
      executable.release();
      return Buffer.from(values.buffer).toString("base64");
    });
    expect(bits[0]).toBe(bits[1]);
  });
});

test("a program for one rank runs on the leader alone; one for another number is refused", () => {
  const { backend } = backends[0];
  const executable = backend.compile(growing(1));
  executable.write("w", new Float32Array(5000).fill(1));
  executable.run("step", 1);
  expect(executable.read("w")[0]).toBeCloseTo(1.005, 6);
  expect(() => backend.compile(growing(5))).toThrow(
    /is for 5 ranks, and the backend has 2; expected as many/,
  );
});

test("an update that differs between ranks is refused by name", () => {
  const w = g.variable("w", [4], "int32");
  const program: Program = {
    name: "differing",
    variables: { w },
    entries: { step: { updates: { w: g.add(w, g.rank()) }, traces: {} } },
    traceCapacity: 1,
    ranks: 2,
  };
  expect(() => backends[0].backend.compile(program)).toThrow(
    /update of "w": it differs between ranks; expected the same on all/,
  );
});

test("a rank whose thread ended is named after the time-out, and nothing hangs", async () => {
  const features = detectFeatures();
  const { library: gemm } = selectGemm({ library: "wasm" });
  const followers = new Followers({ ranks: 3, patienceMs: 4000, gemm: "wasm", searchPaths: [], features });
  const program = growing(3);
  const executable = new CpuExecutable(planProgram(program), program.traceCapacity, {
    gemm,
    convolution: selectConvolution(gemm),
    features,
    memories: new MemoryPool(),
    followers,
    patienceMs: 4000,
  });
  executable.run("step", 2);
  const { members } = followers as unknown as { members: { worker: Worker }[] };
  await members[1].worker.terminate();
  expect(() => executable.run("step", 2)).toThrow(/rank 2 has not answered for 4 s: its thread ended/);
  expect(() => executable.run("step", 2)).toThrow(/rank 2 has not answered|failed on a rank/);
  await followers.close();
}, 60_000);

test("a closed backend compiles no more", async () => {
  const backend = cpuBackend({ ranks: 2 });
  await backend.close();
  expect(() => backend.compile(growing(2))).toThrow(/the backend is closed/);
});

test("a process with idle ranks ends by itself", () => {
  const dist = new URL("../../../dist", import.meta.url).pathname;
  const script = `
    import { cpuBackend } from "${dist}/backends/cpu/index.js";
    import { add, allReduceSum, variable } from "${dist}/graph/index.js";
    const n = variable("n", []);
    const entries = { step: { updates: { n: allReduceSum(add(n, 1)) }, traces: {} } };
    const program = { name: "idle", variables: { n }, entries, traceCapacity: 1, ranks: 3 };
    const executable = cpuBackend({ ranks: 3 }).compile(program);
    executable.run("step");
    console.log(executable.read("n")[0]);
  `;
  const folder = mkdtempSync(join(tmpdir(), "slalom-idle-"));
  const file = join(folder, "idle.mjs");
  writeFileSync(file, script);
  const printed = execFileSync(process.execPath, [file], { encoding: "utf8", timeout: 60_000 });
  rmSync(folder, { recursive: true });
  expect(printed).toBe("3\n");
}, 60_000);
