/** How many ranks share a training: what is possible, and what is predicted. */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { add, variable } from "../../src/graph/index.js";
import { study } from "../../src/lab/index.js";
import { describeBackend, makeBackend } from "../../src/launch/backends.js";
import { predictRanks } from "../../src/launch/rankChoice.js";
import { openWorkers } from "../../src/launch/threads.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression } from "../../src/learn/problems/index.js";

const small = (batchSize: number) =>
  study({
    name: "small",
    problem: classificationProblem({
      dataset: blobs({ count: 120, dimensions: 5, split: { train: 90, validation: 30 } }),
      model: softmaxRegression(),
    }),
    optimizers: [sgd()],
    steps: 10,
    batchSize,
  });

test("more workers times ranks than cores are refused", async () => {
  const ranks = availableParallelism() + 1;
  await expect(openWorkers({ backend: { backend: "cpu", gemm: "wasm", ranks }, count: 1 })).rejects.toThrow(
    /1 worker of \d+ ranks were asked for, .*; expected workers times ranks of at most that/,
  );
});

test("a backend of one rank has no more", async () => {
  await expect(makeBackend({ backend: "reference", gemm: "auto", ranks: 2 })).rejects.toThrow(
    "backend reference: received 2 ranks; expected 1. Only cpu and cuda have more.",
  );
  const backend = await makeBackend({ backend: "cpu", gemm: "wasm", ranks: 2 });
  expect(backend.ranks).toBe(2);
  expect(backend.description).toContain("2 ranks");
});

test("a backend says how many ranks and processes it has, before it meets any of them", async () => {
  const environment = {};
  const world = { rank: 0, size: 3, environment, command: "" };
  const { description, ranks, processes } = await describeBackend({
    backend: "cpu",
    gemm: "wasm",
    ranks: 2,
    world,
  });
  expect(description).toMatch(/^cpu \(WebAssembly .*, \d+ cores, 6 ranks, 3 processes\)$/);
  expect({ ranks, processes }).toEqual({ ranks: 6, processes: 3 });
  const x = variable("x", [3]);
  const updates = { x: add(x, 1) };
  const adding = {
    name: "adding",
    variables: { x },
    entries: { step: { updates, traces: {} } },
    traceCapacity: 1,
  };
  for (const ranks of [1, 2]) {
    const choice = { backend: "cpu", gemm: "wasm", ranks } as const;
    const {
      compile: _compile,
      close: _close,
      memoryOf: _memory,
      planOf,
      ...made
    } = await makeBackend(choice);
    const described = await describeBackend(choice);
    expect(described).toMatchObject(made);
    expect(described.planOf!(adding)).toEqual(planOf!(adding));
  }
  expect(await describeBackend({ backend: "null", gemm: "auto" })).toMatchObject({ name: "null" });
  await expect(describeBackend({ backend: "reference", gemm: "auto", world })).rejects.toThrow(
    "backend reference: received 3 ranks; expected 1. Only cpu and cuda have more.",
  );
});

test("one rank is chosen without data, for a batch that is not divisible, and for a tiny problem", async () => {
  const alone = { best: 1, speedup: 1 };
  expect(
    await predictRanks(study({ problem: linearRegression(), optimizers: [sgd()], steps: 5 }), 2),
  ).toEqual(alone);
  expect(await predictRanks(small(31), 2)).toEqual(alone);
  expect(await predictRanks(small(30), 2)).toEqual(alone);
  // One rank could not tell the noise of whole batches; what is predicted are steps.
  expect(await predictRanks({ ...small(30), gradientNoise: true }, 2)).toEqual(alone);
});
