/** What a study takes in memory: parts that add up to the program's, lanes that fit, and a refusal with the figures. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { checkMemory } from "../../src/lab/checkMemory.js";
import { inThread, runStudy, type StudyOptions, study } from "../../src/lab/index.js";
import { fittingTasks, laneLimit, type MemoryOptions, memoryOf } from "../../src/lab/memory.js";
import { memoryLine, memoryTable } from "../../src/lab/memoryTable.js";
import { configurationsOf, laneTraining, tasksFor } from "../../src/lab/tasks.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron, softmaxRegression } from "../../src/learn/models/index.js";
import { adam, momentum, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { openStore } from "../../src/runs/index.js";
import { laneProgram } from "../../src/train/index.js";
import { temporaryFolder } from "../launch/support.js";

const source = blobs({ count: 250, split: { train: 205, validation: 45 } });
const problem = (hidden?: number) =>
  classificationProblem({
    dataset: source,
    model: hidden === undefined ? softmaxRegression() : perceptron({ hidden: [hidden] }),
  });
const small = (options: Partial<StudyOptions> = {}) =>
  study({
    problem: problem(),
    optimizers: [sgd({ lr: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6] }), adam({ lr: [0.01, 0.02] })],
    seeds: 2,
    epochs: 3,
    batchSize: 50,
    ...options,
  });

const endless = { bytes: 2 ** 50, limit: "machine" } as const;
const backend = cpuBackend({ gemm: "wasm" });
const onOne: MemoryOptions = { workers: 1, backend, available: endless };

async function tasksOf(
  asked: ReturnType<typeof study>,
  workers: number,
  options: Partial<MemoryOptions> = {},
) {
  const dataset = await source.load();
  const runs = configurationsOf(asked, dataset, asked.seeds, "cpu");
  return fittingTasks(asked, dataset, (maxLanes) => tasksFor(runs, { workers, maxLanes }), {
    ...onOne,
    workers,
    ...options,
  });
}

const part = (parts: readonly { what: string; bytes: number }[], what: string) =>
  parts.find((one) => one.what.startsWith(what))?.bytes ?? 0;

describe("what a worker takes", () => {
  test("is its program, part by part, and what stands beside it", async () => {
    const asked = small({ problem: problem(40), optimizers: [adam({ lr: 0.01 })], seeds: 1 });
    const { tasks, memory } = await tasksOf(asked, 1);
    // 2 inputs, 40 hidden units, 3 classes; each tensor to a multiple of 64 bytes: 80, 40, 120 and 3 numbers.
    const parameters = 320 + 192 + 512 + 64;
    expect(part(memory!.program, "parameters")).toBe(parameters);
    expect(part(memory!.program, "slots")).toBe(2 * parameters);
    const dataset = await source.load();
    const labelBytes = dataset.train.targets.data.BYTES_PER_ELEMENT;
    expect(part(memory!.beside, "data as loaded")).toBe(250 * (8 + labelBytes));
    expect(memory!.program.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(memory!.programBytes);
    const executable = backend.compile(laneProgram(laneTraining(asked, dataset, tasks[0]), 1).program);
    expect(memory!.programBytes).toBe(executable.bytes);
    executable.release();
    // Parameters and two slots of each, the step and two keys, twice: numbers and file.
    expect(part(memory!.beside, "a checkpoint")).toBe(2 * (3 * 4 * 243 + 4 + 2 * 8));
    expect(memory!.beside.map(({ what }) => what)).toEqual(["data as loaded", "a checkpoint in the making"]);
    expect(memory!.workerBytes).toBe(
      memory!.programBytes + memory!.beside.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  });

  test("has the program of fewer lanes beside that of all, and the best parameters where they are asked for", async () => {
    const { memory } = await tasksOf(small({ keepModel: true }), 1);
    expect(memory).toMatchObject({ lanes: 6, workers: 1, ranks: 1 });
    expect(memory!.beside.map(({ what }) => what)).toEqual([
      "data as loaded",
      "best parameters so far",
      "a checkpoint in the making",
      "the program of 4 lanes, once others ended",
    ]);
    expect(part(memory!.beside, "best")).toBe(part(memory!.program, "parameters"));
  });

  test("is the same of all workers; none counts that has nothing to do", async () => {
    const { memory: two } = await tasksOf(small(), 2);
    expect(two).toMatchObject({ workers: 2, totalBytes: 2 * two!.workerBytes });
    const { memory: ten } = await tasksOf(small({ optimizers: [sgd({ lr: 0.1 })] }), 10);
    expect(ten!.workers).toBe(2);
    expect((await tasksOf(small(), 1, { backend: { memoryOf: undefined } })).memory!.mostProgramBytes).toBe(
      Number.POSITIVE_INFINITY,
    );
  });

  test("counts activations of every rank, shared parameters once", async () => {
    const asked = small({ problem: problem(40), optimizers: [momentum({ lr: 0.01 })], seeds: 1 });
    const [one, two] = await Promise.all(
      [1, 2].map(async (ranks) => (await tasksOf(asked, 1, { backend: { ...backend, ranks } })).memory!),
    );
    expect(part(two.program, "data")).toBe(part(one.program, "data"));
    expect(two.ranks).toBe(2);
    const dataset = await source.load();
    const training = laneTraining(asked, dataset, { choice: 0, seed: 0, configurations: [] });
    const plan = planProgram(laneProgram(training, 1, 2).program);
    expect(part(two.program, "workspaces")).toBe(backend.memoryOf!(plan).workspaceBytes);
    expect(two.programBytes).toBe(plan.arenaBytes + backend.memoryOf!(plan).workspaceBytes);
  });
});

test("a batch in parts takes the activations of one, and sums of gradients", async () => {
  const asked = (microBatch?: number) =>
    small({
      problem: problem(2000),
      optimizers: [sgd({ lr: 0.1 })],
      batchSize: 200,
      ...(microBatch !== undefined && { microBatch }),
    });
  const [whole, parts] = await Promise.all(
    [undefined, 50].map(async (microBatch) => (await tasksOf(asked(microBatch), 1)).memory!),
  );
  expect(part(whole.program, "sums of gradients")).toBe(0);
  // Of each parameter, and of the loss and the count of parts, 64 bytes each.
  expect(part(parts.program, "sums of gradients")).toBeGreaterThanOrEqual(part(parts.program, "parameters"));
  expect([whole, parts].map(({ widestEntry }) => widestEntry)).toEqual(["step", "accumulate"]);
  const activations = [whole, parts].map(({ program }) => part(program, "activations"));
  expect(activations[1]).toBeLessThan(0.5 * activations[0]);
  expect(() => checkMemory(asked(50), { ...parts, available: { bytes: 1000, limit: "machine" } })).toThrow(
    /Take a smaller microBatch, a smaller model or a machine/,
  );
});

describe("lanes of a program", () => {
  test("are fewer for large models", async () => {
    const dataset = await source.load();
    expect(laneLimit(small(), dataset)).toBe(64);
    // Weights of 2 inputs and biases, then weights to 3 classes and their biases.
    const hidden = (units: number) => small({ problem: problem(units) });
    expect(laneLimit(hidden(100_000), dataset)).toBe(Math.floor((8 << 20) / (600_003 * 4)));
    expect(laneLimit(hidden(4_000_000), dataset)).toBe(1);
  });

  test("are as many as fit into memory, each program and all workers", async () => {
    const asked = small({
      problem: problem(2000),
      seeds: 1,
      optimizers: [sgd({ lr: [1, 2, 3, 4, 5, 6, 7, 8] })],
    });
    const widths = ({ tasks }: { tasks: readonly { configurations: readonly unknown[] }[] }) =>
      tasks.map(({ configurations }) => configurations.length);
    const whole = await tasksOf(asked, 1);
    expect(widths(whole)).toEqual([8]);
    const dataset = await source.load();
    for (const share of [0.999, 0.6, 0.3]) {
      const bytes = share * whole.memory!.totalBytes;
      const available = { bytes, limit: "control group" } as const;
      const fitting = await tasksOf(asked, 1, { available });
      const lanes = Math.max(...widths(fitting));
      expect(lanes).toBeLessThan(8);
      expect(fitting.memory!.totalBytes).toBeLessThanOrEqual(bytes);
      expect(widths(fitting).reduce((sum, width) => sum + width, 0)).toBe(8);
      // Wider programs, one task fewer, would not fit.
      const configurations = configurationsOf(asked, dataset, [0], "cpu").map((run) => run.configuration);
      const wider = Math.ceil(8 / (fitting.tasks.length - 1));
      const task = { choice: 0, seed: 0, configurations: configurations.slice(0, wider) };
      expect(memoryOf(asked, dataset, [task], { ...onOne, available }).totalBytes).toBeGreaterThan(bytes);
      expect(memoryLine(fitting.memory!)).toContain(`; ${lanes} lanes a program in place of 8, to fit`);
    }
    const narrow = {
      ...backend,
      memoryOf: () => ({ workspaceBytes: 0, mostBytes: whole.memory!.programBytes / 3, limit: "a third" }),
    };
    const { memory } = await tasksOf(asked, 1, { backend: narrow });
    expect(memory!.programBytes).toBeLessThanOrEqual(memory!.mostProgramBytes);
    expect(memory!.lanes).toBeGreaterThan(1);
  });
});

describe("too little memory", () => {
  const large = small({
    problem: problem(2000),
    optimizers: [adam({ lr: [0.1, 0.2] })],
    seeds: 2,
    batchSize: 200,
  });

  test("is refused with what takes how much, what there is, and what would take less", async () => {
    const { memory } = await tasksOf(large, 2, { available: { bytes: 3e6, limit: "Slurm job" } });
    expect(memory!.lanes).toBe(1);
    let message = "";
    try {
      checkMemory(large, memory!);
    } catch (error) {
      expect(error).toMatchObject({ code: "device" });
      message = (error as Error).message;
    }
    expect(message).toMatch(
      /^study "blobs-perceptron": 2 workers take [\d.]+ MB of memory, and 3\.00 MB are available \(Slurm job\); expected no more than that\.\n\n/,
    );
    expect(message).toContain(memoryTable(memory!));
    expect(message).toContain("\n  parameters ");
    expect(message).toMatch(/\navailable \(Slurm job\) +3\.00 MB\n/);
    expect(message).toMatch(
      /\n\nTake ranks in place of workers \(--workers 1 --ranks 2\), which share parameters and data, a smaller batch, parts of it in turn \(microBatch\), a smaller model or a machine, or a job, with more memory\.$/,
    );
    const some = { ...memory!, available: { bytes: 1.5 * memory!.workerBytes, limit: "machine" } as const };
    expect(() => checkMemory(large, some)).toThrow(/Take fewer workers \(--workers 1\), ranks in place/);
    checkMemory(large, { ...memory!, available: { bytes: memory!.totalBytes, limit: "machine" } });
  });

  test("in one program is the limit of its addresses, wherever it runs", async () => {
    const limit = "all that 32-bit addresses reach";
    const four = { ...backend, memoryOf: () => ({ workspaceBytes: 0, mostBytes: 100_000, limit }) };
    const { memory } = await tasksOf(large, 2, { backend: four });
    expect(() => checkMemory(large, memory!)).toThrow(
      /a program takes [\d.]+ MB of memory, and one can have 100 kB, all that 32-bit addresses reach; expected no more[\s\S]*Take a smaller batch, parts of it in turn \(microBatch\) or a smaller model\.$/,
    );
    const none = planProgram({ name: "none", variables: {}, entries: {}, traceCapacity: 1 });
    expect(backend.memoryOf!(none)).toMatchObject({ mostBytes: 2 ** 32 - 65536, limit });
  });

  test("on a device is the device's, which all workers share", async () => {
    const free = 1e6;
    const device = {
      ...backend,
      memoryOf: () => ({ workspaceBytes: 0, mostBytes: free, limit: "all that is free", onDevice: true }),
    };
    const { memory: host } = await tasksOf(small(), 1, { backend: { memoryOf: undefined } });
    const { memory } = await tasksOf(small(), 1, { backend: device });
    const smaller = "the program of 4 lanes";
    expect(part(memory!.program, smaller)).toBe(part(host!.beside, smaller));
    expect(memory!.programBytes).toBe(memory!.program.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(memory!.workerBytes).toBe(memory!.beside.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(part(memory!.beside, smaller)).toBe(0);
    expect(memoryTable(memory!)).toMatch(
      /\nfree on the device +1\.00 MB\n[\s\S]*\nin all, without the program /,
    );
    expect(memoryLine(memory!)).toMatch(
      /; programs take [\d.]+ kB of the 1\.00 MB that are free on the device$/,
    );

    // Little memory of the machine is no matter, as long as the device has it.
    const available = { bytes: memory!.workerBytes, limit: "machine" } as const;
    checkMemory(small(), (await tasksOf(small(), 1, { backend: device, available })).memory!);
    const { memory: two } = await tasksOf(large, 2, { backend: device });
    expect(two).toMatchObject({ workers: 2, mostProgramBytes: free / 2 });
    // Three workers on two devices: one device has two of them.
    for (const [workers, memories, share] of [
      [2, 2, free],
      [3, 2, free / 2],
    ] as const) {
      const { memory: divided } = await tasksOf(large, workers, { backend: device, memories });
      expect(divided).toMatchObject({ workers, memories, mostProgramBytes: share });
      expect(memoryLine(divided!)).toContain("that are free on the devices");
    }
    expect(() => checkMemory(large, two!)).toThrow(
      /a program takes [\d.]+ MB of memory, and one can have 500 kB, all that is free; expected no more[\s\S]*Take fewer workers, which share the device, a smaller batch,/,
    );
  });

  test("is told before anything is trained, and nothing is where it fits", async () => {
    const folder = temporaryFolder();
    const compiled: string[] = [];
    const executor = inThread({
      ...backend,
      compile: (program) => {
        compiled.push(program.name);
        return backend.compile(program);
      },
    });
    try {
      const store = openStore(folder.path);
      const available = { bytes: 1000, limit: "machine" } as const;
      await expect(runStudy(large, { store, executor, available })).rejects.toThrow(
        /and 1\.00 kB are available/,
      );
      expect(compiled).toEqual([]);
      const planned: number[] = [];
      const onPlanned = ({ totalBytes }: { totalBytes: number }) => planned.push(totalBytes);
      await runStudy(large, { store, executor, onPlanned });
      expect(compiled.length).toBeGreaterThan(0);
      expect(planned).toHaveLength(1);
      // All is stored: nothing takes memory.
      await runStudy(large, { store, executor, onPlanned, available });
      expect(planned).toHaveLength(1);
    } finally {
      folder.remove();
    }
  });
});
