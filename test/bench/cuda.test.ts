/** The benchmarks on a GPU, as far as no GPU is needed: what runs, what is refused, what is said of what was measured. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { LineProcess, reasonOf } from "../../bench/contestant.js";
import { caseNames, type Measurement, measurements, rehearsed } from "../../bench/cuda/measurements.js";
import { byKernel } from "../../bench/cuda/profile.js";
import { race } from "../../bench/cuda/race.js";
import { recipes } from "../../bench/cuda/recipes.js";
import { append, readResults } from "../../bench/cuda/results.js";
import { formatResults } from "../../bench/cuda/table.js";
import { TimedLibraries } from "../../bench/cuda/timedLibraries.js";
import { exportMnist } from "../../bench/data.js";
import { stepsPerEpoch } from "../../src/train/index.js";
import { filesWith } from "../backends/cuda/fakeCuda.js";
import { FakeLibrary } from "../backends/cuda/fakeLibrary.js";

const fixture = "test/fixtures/bench/cuda.jsonl";

const table = `cuda (a GPU that does not exist), 2026-01-02
slalom 0.1.0, node v22.0.0
Nothing of this was measured: the numbers were made up for a test.

One Adam step of the CNN of exercise 3, batch 50, TF32

                     per step   least  times the first   over rounds
Slalom, TF32           100 us  100 us                1
PyTorch 0.0, eager     900 us  800 us           8.00 x  5.00 to 9.00
PyTorch 0.0, graphs    300 us  250 us           2.50 x  2.00 to 3.00
JAX 0.0, scan          500 us  500 us           5.00 x  2.50 to 5.00
Goal: at least 2 times as fast as the best peer: reached (2.50)
Note: JAX 0.0, scan: loss 20.0 at first, 8.00 of Slalom, TF32
Absent: PyTorch, compiled: no answer within 82 s

One Adam step of the CNN of exercise 3, batch 5000, TF32

               per step    least  times the first   over rounds
Slalom, TF32    10.0 ms  10.0 ms                1
JAX 0.0, scan   9.20 ms  9.00 ms           0.92 x  0.90 to 0.95
Goal: no slower than the best peer: missed (0.92)
Note: a remark

99 % of MNIST

                  per training   least  times the first   over rounds                          test accuracy
Slalom, bfloat16        120 ms  110 ms                1                99.12 % (99.07 to 99.18, 3 trainings)
Slalom, TF32            150 ms  150 ms           1.25 x  1.15 to 1.36                                99.20 %
Goal: under 300 ms: reached (120 ms)

The whole grid of exercise 2

Nobody took part.
Goal: at least 2 times as fast as the best peer: not measured
Absent: Slalom, slalom run: SlalomError: no memory

64 CNNs of exercise 3 side by side

Not measured: the time was over

Who computes a step of the CNN, batch 50, tf32: 95.5 us a step by the fastest routes, 130.0 us by libraries, 300.0 us by our own kernels

                                  us                 taken                                     slower, us
convolution 50x28x28x1 * 32x5x5  5.0           own kernels  cuDNN algorithm 0 9.3, cuDNN algorithm 1 12.0
product 50x128x3136              4.0  cuBLASLt algorithm 2
Note: product 50x128x3136: own kernels: a device that refuses

Where a step of the CNN goes, batch 50, tf32: 95.5 us as a graph, 100.0 us its launches one by one

                   us  share
cublasLtMatmul  60.00   60 %
k0              20.00   20 %
k1              20.00   20 %
`;

describe("a stored run", () => {
  test("is drawn as a table, whatever was cut off", () => {
    expect(formatResults(readResults(fixture))).toBe(table);
  });

  test("is drawn again by --table", () => {
    const drawn = execFileSync(process.execPath, ["bench/run.js", "cuda", "--table", fixture], {
      encoding: "utf8",
    });
    expect(drawn).toBe(table);
  });
});

describe("what is asked for", () => {
  const said = (...args: string[]) =>
    spawnSync(process.execPath, ["bench/run.js", "cuda", ...args], {
      encoding: "utf8",
      env: { ...process.env, CUDA_VISIBLE_DEVICES: "" },
    });

  test("of a machine without a GPU is refused in one sentence, with code 1, and nothing is written", () => {
    const { status, stdout, stderr } = said("--out", "/nowhere/at/all.jsonl");
    expect(stderr).toMatch(/^bench:cuda needs an NVIDIA GPU, and this machine has none to use: cuda.*\.\n$/);
    expect([stdout, status]).toEqual(["", 1]);
  });

  test.each([
    [
      ["--only", "step,lane"],
      /There is no lane; expected some of routes, step, lanes, grid, exercise3, mnist, profile/,
    ],
    [["--minutes", "0"], /Expected a number above 0/],
    [["--minute", "3"], /unknown option '--minute'/],
  ])("%j is refused", (args, message) => {
    const { status, stderr } = said(...args);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
  });
});

describe("the measurements", () => {
  test("are named apart, each with Slalom first; goals against peers have peers of both libraries", () => {
    expect(new Set(measurements.map(({ id }) => id)).size).toBe(measurements.length);
    expect(new Set(measurements.map((one) => one.case))).toEqual(new Set(caseNames));
    for (const { id, contestants, goals } of measurements) {
      expect(contestants[0].library, id).toBe("slalom");
      if (!goals.some((goal) => "timesBestPeer" in goal)) continue;
      const libraries = new Set(contestants.map(({ library }) => library));
      expect(libraries, id).toEqual(new Set(["slalom", "torch", "jax"]));
    }
  });

  test("ask all contestants for the same precision, but where it is what is compared", () => {
    for (const one of measurements.filter(({ id }) => !id.startsWith("mnist")))
      expect(new Set(one.contestants.map(({ precision }) => precision)).size, one.id).toBe(1);
  });

  test("count the steps that the recipes make", async () => {
    for (const { name, problem, batchSize, epochs } of recipes) {
      const dataset = (await problem.dataset!.load())!;
      const { unit } = measurements.find(({ id }) => id === name)!;
      expect(unit.steps).toBe(epochs * stepsPerEpoch(dataset.train.count, batchSize));
    }
  });
});

describe("a measurement", () => {
  const folder = mkdtempSync(join(tmpdir(), "slalom-bench-cuda-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const small: Measurement = rehearsed({
    id: "small",
    case: "step",
    title: "Small",
    workload: { workload: "softmax", optimizer: "sgd", batch: 100, settings: { lr: 0.1 } },
    contestants: [
      { library: "slalom", form: "float32", threads: 1, device: "cuda" },
      { library: "torch", form: "eager", threads: 1, device: "cuda" },
    ],
    unit: { name: "step", steps: 1 },
    goals: [{ timesBestPeer: 2 }],
    budgetS: 100,
  });

  test("names who is absent, and is a line of the file once it is done", async () => {
    const out = join(folder, "runs", "results.jsonl");
    const record = await race(small, {
      ...{ python: "/nowhere/python", data: await exportMnist(), budgetS: 100, sampleS: 0.01, mostRounds: 2 },
      say: () => {},
    });
    append(out, record);
    expect(readResults(out)).toEqual([record]);
    expect(record.rows).toMatchObject([{ library: "slalom", contestant: "Slalom, float32" }]);
    expect(record.rows[0].unitS).toHaveLength(2);
    // Softmax regression from zero: log 10 before the first step.
    expect(record.rows[0].check).toBeCloseTo(Math.log(10), 0);
    expect(record.absent).toEqual([
      { contestant: "PyTorch, eager", reason: expect.stringContaining("ENOENT") },
    ]);
    expect(formatResults([record])).toContain(
      "Goal: at least 2 times as fast as the best peer: not measured",
    );
  }, 120_000);

  test("does not wait for ever: who does not answer in time is ended", async () => {
    const silent = new LineProcess(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    await expect(silent.next(0.2)).rejects.toThrow(/^no answer within 0.2 s$/);
    await expect(silent.next()).rejects.toThrow(/ended with SIGTERM/);
  });

  test("gives the line of a complaint that says what was wrong", () => {
    const node =
      "run.js ended with code 1:\nfile.js:3\n  throw x\nSlalomError: cuda: no GPU\n    at f\n\nNode.js v22";
    expect(reasonOf(new Error(node))).toBe("SlalomError: cuda: no GPU");
    expect(
      reasonOf(new Error("peer.py ended:\nTraceback\n  line 1\ntorch.cuda.OutOfMemoryError: 3 GiB")),
    ).toBe("torch.cuda.OutOfMemoryError: 3 GiB");
    expect(reasonOf(new Error("no answer within 3 s"))).toBe("no answer within 3 s");
  });
});

describe("a profile", () => {
  /** A driver whose events are 10, 20, ... microseconds apart, by the order in which they are recorded. */
  function driver(calls: string[]): FakeLibrary {
    let [events, recorded] = [0, 0];
    const times = new Map<bigint, number>();
    return new FakeLibrary("libcuda.so.1", (library) => ({
      cuModuleGetFunction: (at, _module, name) =>
        library.setWord(at, name === "first" ? 71 : 72) as undefined,
      cuEventCreate: (at) => library.setWord(at, 100 + events++) as undefined,
      cuEventRecord: (event) => {
        recorded++;
        times.set(BigInt(event), 10 * ((recorded * (recorded + 1)) / 2));
        return 0;
      },
      cuEventSynchronize: () => 0,
      cuEventElapsedTime: (at, from, to) => {
        const us = times.get(BigInt(to))! - times.get(BigInt(from))!;
        library.view(at).setFloat32(0, us / 1000, true);
        return 0;
      },
      cuLaunchKernel: (kernel) => void calls.push(`launch ${kernel}`) as undefined,
      cuGraphLaunch: () => void calls.push("graph") as undefined,
      cuStreamBeginCapture_v2: () => void calls.push("capture") as undefined,
      cuStreamEndCapture: () => 0,
    }));
  }

  test("runs what would be captured between events, and no graph", () => {
    const calls: string[] = [];
    const library = driver(calls);
    const timed = new TimedLibraries(filesWith([library]));
    const opened = timed.files.open("libcuda.so.1");
    const launch = opened.func("int cuLaunchKernel(uint64 kernel, uint64 stream)");
    const find = opened.func("int cuModuleGetFunction(uint64 kernel, uint64 module, str name)");
    const at = library.map(new Uint8Array(8));
    for (const name of ["first", "second"]) expect(find(at, 1n, name)).toBe(0);
    expect(library.view(at).getBigUint64(0, true)).toBe(72n);
    launch(71n, 5n);
    expect(timed.measured()).toEqual([]);
    expect(opened.func("int cuStreamBeginCapture_v2(uint64 stream, int mode)")(5n, 2)).toBe(0);
    for (let step = 0; step < 2; step++) for (const kernel of [71n, 72n]) launch(kernel, 5n);
    expect(opened.optional("int cuStreamEndCapture(uint64 stream, uint64 graph)")!(5n, at)).toBe(0);
    expect(opened.func("int cuGraphLaunch(uint64 graph, uint64 stream)")(0n, 5n)).toBe(0);
    launch(72n, 5n);
    expect(calls).toEqual(["launch 71", "launch 71", "launch 72", "launch 71", "launch 72", "launch 72"]);
    const launches = timed.measured().map(({ name, us }) => ({ name, us: Math.round(us) }));
    expect(launches).toEqual([
      { name: "first", us: 20 },
      { name: "second", us: 40 },
      { name: "first", us: 60 },
      { name: "second", us: 80 },
    ]);
    expect(byKernel(launches, 2)).toEqual([
      { kernel: "first", us: 40 },
      { kernel: "second", us: 60 },
    ]);
    expect(() => byKernel(launches, 3)).toThrow("4 launches are not those of 3 steps");
  });
});
