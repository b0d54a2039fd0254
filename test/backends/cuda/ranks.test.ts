/**
 * Trainings on several ranks of the CUDA backend, emulated on the CPU: ranks that share a device, and devices whose sums a
 * fake NCCL adds. They train what one rank trains.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CudaBackend } from "../../../src/backends/cuda/backend.js";
import { emitCuda } from "../../../src/backends/cuda/kernels/index.js";
import { logicalSumsSource, openLogicalSums } from "../../../src/backends/cuda/logicalSums.js";
import { openNccl } from "../../../src/backends/cuda/nccl.js";
import { planForRank } from "../../../src/compile/planForRank.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import { certify } from "../../../src/lab/certificate.js";
import { study } from "../../../src/lab/index.js";
import { blobs } from "../../../src/learn/datasets/index.js";
import { activation, batchNorm, dense } from "../../../src/learn/layers/index.js";
import { layersModel, type Model, perceptron } from "../../../src/learn/models/index.js";
import { adam, momentum, type OptimizerChoice, sgd } from "../../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram } from "../../../src/train/index.js";
import type { LoopSnapshot } from "../../../src/train/snapshot.js";
import { classifying, greatestDifference, type Trained, train, withoutTime } from "../../train/support.js";
import { fakeNcclOn } from "./fakeNccl.js";
import type { Order } from "./fakeStreams.js";
import { Emulation, missingCompiler, withoutLibraries } from "./kernels/emulation.js";
import { checkProgram } from "./kernels/structure.js";

async function training(
  model: Model,
  choice: OptimizerChoice,
  changes: Partial<LaneTraining> = {},
): Promise<LaneTraining> {
  const made = await classifying(choice, { steps: 7, ...changes });
  return { ...made, problem: classificationProblem({ dataset: made.problem.dataset!, model }) };
}

const normalised = layersModel({
  name: "normalised",
  layers: (outputs) => [
    dense(12, { bias: "none" }),
    batchNorm({ synchronized: true, momentum: 0.75 }),
    activation("tanh"),
    dense(outputs),
  ],
});
const dropping = perceptron({ hidden: [24], dropout: 0.3 });

/** Each with the difference that rounding may make in its metrics. */
const trainings: readonly (readonly [string, Promise<LaneTraining>, number])[] = [
  [
    "dropout, lanes of Adam, a short last batch",
    training(dropping, adam({ lr: [1e-2, 1e-3], eps: 1e-3 }), { batchSize: 42 }),
    1e-4,
  ],
  [
    "synchronized batch normalisation in float64",
    training(normalised, momentum({ lr: 0.05 }), { dtype: "float64", batchSize: 36 }),
    1e-10,
  ],
  [
    "micro-batches and the gradient noise",
    training(dropping, sgd({ lr: 0.1 }), {
      dtype: "float64",
      batchSize: 36,
      microBatch: 12,
      gradientNoise: true,
    }),
    1e-10,
  ],
  [
    "gradients that travel in several buckets",
    training(perceptron({ hidden: [380, 380] }), momentum({ lr: 0.05 }), {
      dtype: "float64",
      batchSize: 12,
      steps: 2,
    }),
    1e-10,
  ],
];
const certified = study({
  name: "certified",
  problem: classificationProblem({ dataset: blobs({ classes: 4, count: 120 }), model: dropping }),
  optimizers: [adam({ lr: 1e-2 })],
  epochs: 2,
  batchSize: 30,
});

const missing = missingCompiler();

describe.skipIf(missing)(`several ranks by emulated CUDA${missing ? `: ${missing}` : ""}`, () => {
  const emulation = new Emulation(checkProgram);
  const expected = new Map<string, Trained>();
  beforeAll(async () => {
    for (const [name, one] of trainings) expected.set(name, await train(await one, emulation.collecting()));
    for (const ranks of [2, 3]) {
      emulation.addSource(logicalSumsSource(ranks));
      for (const [, one] of trainings) await train(await one, emulation.collecting(ranks));
    }
    await certify(certified, { backend: emulation.collecting(2), steps: 4 });
    await emulation.compile();
  }, 600_000);
  afterAll(() => emulation.release());

  /** Ranks that share a device. */
  const sharing = (ofDevice: number, order?: Order): CudaBackend =>
    emulation.backend({
      driver: emulation.driver({ ...(order && { order }) }),
      ranks: {
        ofDevice,
        process: 0,
        processes: 1,
        openSums: ([device]) => openLogicalSums(device, ofDevice),
      },
    });
  /** A rank on each of several devices. */
  const apart = (devices: number, order?: Order): CudaBackend => {
    const driver = emulation.driver({ devices, ...(order && { order }) });
    const nccl = fakeNcclOn(driver);
    const library = { name: "nccl", title: "NCCL", path: nccl.path, native: nccl } as const;
    return emulation.backend({
      driver,
      ranks: {
        ofDevice: 1,
        process: 0,
        processes: 1,
        openSums: (ofRanks) => openNccl({ library, devices: ofRanks }),
      },
    });
  };

  const backends: readonly (readonly [string, () => CudaBackend])[] = [
    ["2 logical ranks", () => sharing(2)],
    ["3 logical ranks, sums before the kernels beside them", () => sharing(3, "backwards")],
    ["2 devices", () => apart(2)],
    ["3 devices, sums before the kernels beside them", () => apart(3, "backwards")],
  ];

  describe.each(backends)("%s", (_, open) => {
    test.each(trainings)("%s", { timeout: 300_000 }, async (name, one, tolerance) => {
      const backend = open();
      const { rows, outcomes } = await train(await one, backend);
      await backend.close();
      for (const { ledger } of outcomes) expect(ledger?.ranks.length).toBe(backend.ranks);
      const { lanes } = await one;
      expect(rows.length).toBe(lanes.length);
      for (const [lane, received] of rows.entries())
        expect(greatestDifference(expected.get(name)!.rows[lane], received)).toBeLessThan(tolerance);
    });
  });

  test("gradients in several buckets: kernels run while sums travel", async () => {
    const [, one] = trainings[3];
    const { program } = laneProgram(await one, 1, 2);
    const { kernels } = planProgram(program, { processes: 2 }).entries.step;
    const numbersOf = (kind: string): number[] =>
      kernels.flatMap((kernel, i) => (kernel.kind === kind ? [i] : []));
    const [begun, finished] = [numbersOf("beginAllReduce"), numbersOf("finishAllReduce")];
    expect(begun.length).toBeGreaterThan(1);
    expect(finished.length).toBe(begun.length);
    expect(finished[0] - begun[0]).toBeGreaterThan(3);
    const { commands } = emitCuda(planForRank(planProgram(program, { processes: 2 }), 0, 1), withoutLibraries)
      .entries.step;
    const at = (kind: string): number => commands.findIndex((command) => command.kind === kind);
    expect(at("finishSum") - at("beginSum")).toBeGreaterThan(3);
  });

  test("launches that update say so, and come when sums have arrived", async () => {
    const [, one] = trainings[0];
    const { program } = laneProgram(await one, 2, 2);
    const plan = planForRank(planProgram(program, { processes: 2 }), 0, 1);
    const { commands } = emitCuda(plan, withoutLibraries).entries.step;
    const updates = commands.flatMap((command, i) =>
      command.kind === "launch" && command.updates ? [i] : [],
    );
    expect(updates.length).toBeGreaterThan(0);
    const firstBegun = commands.findIndex(({ kind }) => kind === "beginSum");
    expect(commands.findIndex(({ kind }) => kind === "finishSum")).toBeGreaterThan(firstBegun);
    expect(Math.min(...updates)).toBeGreaterThan(firstBegun);
  });

  test("the certificate: 2 logical ranks train what one does", { timeout: 300_000 }, async () => {
    const backend = sharing(2);
    const certificate = await certify(certified, { backend, steps: 4 });
    expect(certificate).toMatchObject({ ranks: 2, processes: 2, passed: true, against: "whole batches" });
    const most = Math.max(...certificate.quantities.map((quantity) => quantity.most));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(1e-4);
    await backend.close();
  });

  test("a resumed training goes on bit for bit", { timeout: 300_000 }, async () => {
    const [, one] = trainings[0];
    const backend = apart(2);
    const snapshots: LoopSnapshot[] = [];
    const whole = await train(await one, backend, {
      checkpoints: { every: { steps: 1 }, save: (snapshot) => snapshots.push(snapshot) },
    });
    const middle = snapshots.find(({ step }) => step > 1 && step < 7)!;
    const rest = await train(await one, backend, { from: { snapshot: middle, source: "a test" } });
    for (const [lane, rows] of rest.rows.entries()) {
      const [{ step: first }] = rows;
      expect(first).toBeGreaterThan(1);
      expect(withoutTime(rows)).toEqual(withoutTime(whole.rows[lane].filter(({ step }) => step >= first)));
    }
    await backend.close();
  });
});
