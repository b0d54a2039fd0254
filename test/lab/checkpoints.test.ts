/** Checkpoints as files: what is kept, what is refused, and what another program makes of one. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { loadCheckpoint, saveCheckpoint } from "../../src/lab/checkpoints.js";
import type { Task } from "../../src/lab/index.js";
import { type RunConfiguration, readSafetensors, runId, writeSafetensors } from "../../src/runs/index.js";
import { laneProgram } from "../../src/train/index.js";
import { checkSnapshot, type LoopSnapshot, rememberedVariables } from "../../src/train/snapshot.js";
import { descent } from "../train/support.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = join(folder, "task.safetensors");
const configuration = (lr: number): RunConfiguration => ({
  problem: "linear-regression",
  optimizer: "sgd",
  hyperparameters: { lr },
  seed: 0,
  steps: 10,
  shuffle: true,
  dtype: "float32",
  backend: "cpu",
});
const task: Task = { choice: 0, seed: 0, configurations: [configuration(0.1), configuration(0.2)] };
const lane = { number: 1 } as LoopSnapshot["lanes"][number];
const snapshot: LoopSnapshot = {
  step: 7,
  places: [
    { lane: 0, living: false },
    { lane: 1, living: true },
  ],
  lanes: [lane],
  best: [],
  tensors: {
    "parameter/W": { shape: [2], dtype: "float32", data: Float32Array.of(Number.NaN, -0) },
    step: { shape: [], dtype: "int32", data: Int32Array.of(7) },
  },
};

/** The file with other metadata. */
function retold(change: (metadata: Record<string, string>) => void): void {
  const { tensors, metadata } = readSafetensors(path);
  const told = { ...metadata };
  change(told);
  writeSafetensors(path, { tensors, metadata: told });
}

describe("a checkpoint's file", () => {
  beforeEach(() => saveCheckpoint(path, task, snapshot));

  test("gives back what it was given, its runs, and which of them have ended", () => {
    expect(loadCheckpoint(path)).toEqual({
      head: {
        path,
        step: 7,
        runs: task.configurations.map(runId),
        configurations: task.configurations,
        ended: [0],
      },
      snapshot,
    });
    expect(readdirSync(folder)).toEqual(["task.safetensors"]);
  });

  test("that says something else than was written is refused, whatever was changed", () => {
    retold((metadata) => {
      metadata.loop = metadata.loop.replace('"step":7', '"step":8');
    });
    expect(() => loadCheckpoint(path)).toThrow(/task\.safetensors is damaged: .* checksum/);
    saveCheckpoint(path, task, snapshot);
    const { tensors, metadata } = readSafetensors(path);
    tensors.step.data[0] = 6;
    writeSafetensors(path, { tensors, metadata });
    expect(() => loadCheckpoint(path)).toThrow(/is damaged/);
  });

  test("without a checksum, as earlier versions wrote it, is taken; one of a later format is not", () => {
    retold((metadata) => {
      delete metadata.checksum;
      delete metadata.configurations;
    });
    expect(loadCheckpoint(path)).toMatchObject({ head: { step: 7 }, snapshot });
    retold((metadata) => {
      metadata.format = "2";
    });
    expect(() => loadCheckpoint(path)).toThrow(/no checkpoint of this version \(format 2; expected 1\)/);
  });
});

test("another program names the first of its variables that differs", () => {
  const { program } = laneProgram(descent([0.1]), 1);
  const remembered = Object.fromEntries(
    rememberedVariables(program).map((name) => {
      const { shape, dtype } = program.variables[name];
      return [name, { shape, dtype, data: new Float64Array(4) }];
    }),
  );
  expect(Object.keys(remembered).sort()).toEqual(["key/model", "parameter/W", "parameter/b", "step"]);
  const { "parameter/W": W, "parameter/b": _b, ...others } = remembered;
  const check = (tensors: LoopSnapshot["tensors"]) => () =>
    checkSnapshot({ ...snapshot, tensors }, program, "x.safetensors");
  expect(check(remembered)).not.toThrow();
  expect(check({ "parameter/W": W, ...others })).toThrow(
    /^x\.safetensors is a checkpoint of another training: it has no parameter\/b, which is f64\[1\] here\./,
  );
  expect(check({ ...remembered, "parameter/W": { ...W, shape: [1, 2] } })).toThrow(
    /parameter\/W is f64\[1,2\] there and f64\[1\] here/,
  );
  expect(check({ ...remembered, "slot/W/velocity": W })).toThrow(
    /it has slot\/W\/velocity, which is not here/,
  );
});
