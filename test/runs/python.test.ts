/**
 * Files of tensors read by the library that defined the format. Needs a Python with numpy and safetensors: `python3`, or
 * the one that SLALOM_PYTHON names.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { inThread, runStudy, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { loadStudy, openStore, readSafetensors, writeSafetensors } from "../../src/runs/index.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-python-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const python = process.env.SLALOM_PYTHON ?? "python3";
const isThere = spawnSync(python, ["-c", "import numpy, safetensors"]).status === 0;

beforeEach((context) => {
  if (!isThere) context.skip(`needs numpy and safetensors in ${python}: pip install numpy safetensors`);
});

const script = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    print(json.dumps({
        "metadata": file.metadata(),
        "tensors": {n: [str(t.dtype), list(t.shape), t.tobytes().hex()] for n, t in tensors.items()},
    }))
`;

/** What Python reads is what we read, bit by bit. */
function expectSame(path: string): void {
  const { status, stdout, stderr } = spawnSync(python, ["-c", script, path], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const { tensors, metadata } = readSafetensors(path);
  const ours = Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
    name,
    [dtype, [...shape], Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex")],
  ]);
  expect(JSON.parse(stdout)).toEqual({ metadata, tensors: Object.fromEntries(ours) });
}

describe("Python reads", () => {
  test("tensors of every type and shape, with texts beside them", () => {
    const path = join(folder, "all.safetensors");
    writeSafetensors(path, {
      tensors: {
        weight: {
          shape: [2, 3],
          dtype: "float32",
          data: Float32Array.of(1, -2, 3.5, Number.NaN, -0, Infinity),
        },
        exact: { shape: [1], dtype: "float64", data: Float64Array.of(0.1) },
        step: { shape: [], dtype: "int32", data: Int32Array.of(-7) },
        none: { shape: [0, 4], dtype: "float32", data: new Float32Array(0) },
        flags: { shape: [3], dtype: "uint8", data: Uint8Array.of(0, 1, 255) },
      },
      metadata: { run: "adam-1", note: "ü" },
    });
    expectSame(path);
  });

  test("a checkpoint and what a run has learned", async () => {
    const asked = study({
      name: "models",
      problem: classificationProblem({ dataset: blobs({ count: 60 }), model: perceptron({ hidden: [4] }) }),
      optimizers: [adam({ lr: [0.01, 0.1] })],
      steps: 20_000,
      batchSize: 20,
      keepModel: true,
    });
    const store = openStore(folder);
    const executor = inThread(referenceBackend());
    const abort = new AbortController();
    const { folder: stored } = await runStudy(asked, {
      store,
      executor,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    const [checkpoint] = readdirSync(join(stored, "checkpoints"));
    expectSame(join(stored, "checkpoints", checkpoint));
    await runStudy(study({ ...asked, name: "short", steps: 10, seeds: 1 }), { store, executor });
    const runs = loadStudy(join(folder, "short")).runs;
    expect(runs).toHaveLength(2);
    for (const run of runs) expectSame(join(run.folder, "last.safetensors"));
  });
});
