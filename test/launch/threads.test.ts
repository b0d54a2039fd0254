import { availableParallelism } from "node:os";
import { afterAll, describe, expect, it } from "vitest";
import { inThread, runStudy, type StudyProgress } from "../../src/lab/index.js";
import { makeBackend } from "../../src/launch/backends.js";
import { loadStudies, sourcesOf } from "../../src/launch/studySource.js";
import { openWorkers } from "../../src/launch/threads.js";
import { loadStudy, openStore } from "../../src/runs/index.js";
import { smallStudy, temporaryFolder } from "./support.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const cpu = { backend: "cpu", gemm: "wasm" } as const;

/** Runs the study of a file by worker threads, into a store of its own. */
async function runFile(
  path: string,
  options: { root: string; signal?: AbortSignal; onProgress?: (p: StudyProgress) => void },
) {
  const [study] = await loadStudies(path);
  const workers = await openWorkers({ backend: cpu, count: Math.min(2, availableParallelism()) });
  try {
    const executor = workers.executorFor(sourcesOf(path, [study])[0]);
    return await runStudy(study, { ...options, store: openStore(options.root), executor });
  } finally {
    await workers.close();
  }
}

describe("worker threads", () => {
  it("store the very numbers that one thread stores, and report progress up to the last run", async () => {
    const path = folder.file("small.ts", smallStudy);
    const seen: StudyProgress[] = [];
    const outcome = await runFile(path, {
      root: `${folder.path}/threads`,
      onProgress: (progress) => seen.push(progress),
    });
    expect(outcome).toMatchObject({ status: "completed", runsTotal: 3, runsTrained: 3 });
    expect(seen.at(-1)).toMatchObject({ runsDone: 3, work: 3, running: [] });

    const [study] = await loadStudies(path);
    const alone = await runStudy(study, {
      store: openStore(`${folder.path}/alone`),
      executor: inThread(await makeBackend(cpu)),
    });
    const curves = (at: string) =>
      loadStudy(at).runs.map((run) => ({
        id: run.id,
        loss: [...run.rows().curve("trainLoss").value],
        final: run.summary?.final,
      }));
    expect(curves(outcome.folder)).toEqual(curves(alone.folder));
    // 23.66 is the loss at W = 0.3, b = -0.3.
    expect(curves(outcome.folder)[0].loss[0]).toBeCloseTo(23.66, 12);
  });

  it("end after the present call when told so, and go on from there", async () => {
    const path = folder.file(
      "long.ts",
      smallStudy
        .replace("steps: 50", "steps: 3_000_000, recordEvery: 1_000_000")
        .replace('"small"', '"long"'),
    );
    const abort = new AbortController();
    const outcome = await runFile(path, {
      root: `${folder.path}/interrupted`,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    expect(outcome).toMatchObject({ status: "interrupted", runsTotal: 3 });
    const runs = loadStudy(outcome.folder).runs;
    expect(runs.some(({ status }) => status === "interrupted")).toBe(true);
    expect(runs.every(({ status }) => status !== "running")).toBe(true);
  });

  it("start with the first task: a study that does not fit into memory, or has all of its runs, starts none", async () => {
    const threads = () => (process.report.getReport() as unknown as { workers: object[] }).workers.length;
    const path = folder.file("small.ts", smallStudy);
    const [study] = await loadStudies(path);
    const before = threads();
    const workers = await openWorkers({ backend: cpu, count: 1 });
    const executor = workers.executorFor(sourcesOf(path, [study])[0]);
    const store = openStore(`${folder.path}/memory`);
    try {
      expect(workers.backend).toMatchObject({ name: "cpu", ranks: 1 });
      expect(workers.backend.description).toMatch(/^cpu \(WebAssembly /);
      await expect(
        runStudy(study, { store, executor, available: { bytes: 100, limit: "control group" } }),
      ).rejects.toThrow(
        /^study "small": 1 worker takes [\d.]+ [kM]B of memory, and 100 B are available \(control group\)/,
      );
      expect(threads()).toBe(before);
      expect(await runStudy(study, { store, executor })).toMatchObject({ runsTrained: 3 });
      expect(threads()).toBe(before + 1);
    } finally {
      await workers.close();
    }
    const again = await openWorkers({ backend: cpu, count: 1 });
    const resumed = again.executorFor(sourcesOf(path, [study])[0]);
    expect(await runStudy(study, { store, executor: resumed })).toMatchObject({ runsTrained: 0 });
    expect(threads()).toBe(before);
    await again.close();
  });

  it("refuse more workers than cores, and a backend that can't be made", async () => {
    await expect(openWorkers({ backend: cpu, count: 10_000 })).rejects.toThrow(
      /10000 workers were asked for, and this machine gives \d+ cores?; expected 1 to/,
    );
    await expect(
      openWorkers({ backend: { backend: "cpu", gemm: "nothing" as "wasm" }, count: 1 }),
    ).rejects.toThrow(/unknown matrix library "nothing"/);
  });
});

describe("a worker that fails", () => {
  const failing = (name: string, action: string) =>
    folder.file(
      `${name}.ts`,
      `import { isMainThread } from "node:worker_threads";
       import { functionProblem, sgd, square, study } from "slalom";
       const loss = ({ x }: any) => { if (!isMainThread) { ${action} } return square(x); };
       export default study({ name: "${name}", problem: functionProblem({ name: "x2", start: { x: 1 }, loss }), optimizers: [sgd({ lr: [0.1, 0.2] })], steps: 5 });`,
    );
  const root = `${folder.path}/failing`;

  it("is named with its task when it throws", async () => {
    await expect(
      runFile(failing("throws", 'throw new TypeError("no such thing");'), { root }),
    ).rejects.toThrow(/^study "throws", Gradient descent, seed 0 \(\d runs?\): no such thing$/);
    const statuses = loadStudy(`${root}/throws`).runs.map(({ status }) => status);
    expect(statuses).toContain("failed");
  });

  it("is named with its task when it dies", async () => {
    await expect(runFile(failing("dies", "process.exit(3);"), { root })).rejects.toThrow(
      /^study "dies", Gradient descent, seed 0 \(\d runs?\): its worker thread ended with code 3$/,
    );
  });

  it("says so when the file gives another study each time", async () => {
    const path = folder.file(
      "random.ts",
      smallStudy.replace("lr: 0.1", "lr: 0.1 + Math.random() / 100").replace('"small"', '"random"'),
    );
    await expect(runFile(path, { root })).rejects.toThrow(
      /gives another study each time it is loaded.*hyperparameters\.lr.* was .* and is /,
    );
  });
});
