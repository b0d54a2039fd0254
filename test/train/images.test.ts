/** Networks for images in training: they learn, states follow, lanes and backends agree. */
import { describe, expect, test } from "vitest";
import { selectGemm } from "../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { roundedToBfloat16 } from "../../src/base/bfloat16.js";
import type { Backend } from "../../src/compile/backend.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { convNet, type Model, resnet } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { type LaneTraining, laneProgram, stepEntry, variableNames } from "../../src/train/index.js";
import { writeInitialValues } from "../../src/train/initialValues.js";
import { train } from "./support.js";

/** 8 x 8 images of a bar: its row or column tells the class, noise does not. */
function bars(count: number, channels = 1) {
  const pixels = new Uint8Array(count * 64 * channels);
  const targets = new Uint8Array(count);
  for (let n = 0; n < count; n++) {
    const label = n % 4;
    targets[n] = label;
    for (let i = 0; i < 64; i++) {
      const [row, column] = [Math.floor(i / 8), i % 8];
      const isBar = label < 2 ? row === 2 + 3 * label : column === 2 + 3 * (label - 2);
      for (let c = 0; c < channels; c++)
        pixels[(n * 64 + i) * channels + c] = isBar ? 200 : (n * 31 + i * 17 + c * 7) % 60;
    }
  }
  return classification({
    name: "bars",
    inputs: { shape: [count, 8, 8, channels], dtype: "uint8", data: pixels },
    targets,
    classes: 4,
    scale: 1 / 255,
  });
}

function training(model: Model, changes: Partial<LaneTraining> = {}): LaneTraining {
  const dataset = changes.dataset ?? bars(36);
  const choice = changes.choice ?? adam();
  return {
    problem: classificationProblem({ dataset: sourceOf(dataset), model }),
    dataset,
    choice,
    lanes: [{ lr: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 }],
    seed: 1,
    batchSize: 12,
    steps: 60,
    shuffle: true,
    dtype: "float32",
    evaluate: [],
    evaluateEvery: 60,
    recordEvery: 1,
    recordParameters: false,
    ...changes,
  };
}

const tiny = (options = {}) =>
  convNet({ filters: [4, 4], hidden: 16, dropout: 0, initializer: "he", ...options });

describe("learning", () => {
  test.each([
    ["a convolutional network", tiny()],
    ["with batch normalisation", tiny({ batchNorm: true })],
    ["with dropout", tiny({ dropout: 0.3 })],
    ["a residual network", resnet({ width: 4 })],
  ])("%s learns its training images", async (_, model) => {
    const { outcomes, rows } = await train(training(model), cpuBackend());
    expect(outcomes[0].status).toBe("completed");
    expect(rows[0].at(-1)!.finalTrainAccuracy).toBe(1);
  });
});

describe("the same everywhere", () => {
  // 30 images in batches of 12: the last is short, and its padding must not reach the statistics.
  const descent = (model: Model, rates: readonly number[], dtype: "float32" | "float64") =>
    training(model, {
      dataset: bars(30),
      choice: sgd({ lr: rates }),
      lanes: rates.map((lr) => ({ lr, weightDecay: 0 })),
      dtype,
      steps: 7,
    });

  function trained(backend: Backend, run: LaneTraining): Record<string, number[]> {
    const program = laneProgram(run, run.lanes.length);
    const executable = backend.compile(program.program);
    writeInitialValues(executable, run, program);
    executable.run(stepEntry, run.steps);
    const names = [
      ...Object.keys(program.built.parameters).map(variableNames.parameter),
      ...Object.keys(program.built.state ?? {}).map(variableNames.state),
    ];
    const values = Object.fromEntries(names.map((name) => [name, [...executable.read(name)]]));
    executable.release();
    return values;
  }

  const close = (received: number[], expected: number[], tolerance: number): void => {
    expect(received.length).toBe(expected.length);
    const scale = Math.max(...expected.map(Math.abs), 1e-3);
    received.forEach((value, i) => {
      expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(tolerance * scale);
    });
  };

  test.each([
    ["convolutions", tiny({ filters: [2, 3], hidden: 5 })],
    ["batch normalisation", tiny({ filters: [2, 3], hidden: 5, batchNorm: true })],
    ["residuals", resnet({ width: 2 })],
  ])("%s: cpu against reference, parameters and states", (_, model) => {
    const run = descent(model, [0.05], "float64");
    const expected = trained(referenceBackend(), run);
    for (const gemm of ["auto", "wasm"] as const) {
      const received = trained(cpuBackend({ gemm }), run);
      expect(Object.keys(received)).toEqual(Object.keys(expected));
      for (const [name, values] of Object.entries(received)) close(values, expected[name], 1e-10);
    }
  });

  test("a lane equals the run alone", () => {
    const model = tiny({ filters: [2, 3], hidden: 5, batchNorm: true });
    const rates = [0.01, 0.05, 0.1];
    const together = trained(cpuBackend(), descent(model, rates, "float32"));
    rates.forEach((lr, lane) => {
      const alone = trained(cpuBackend(), descent(model, [lr], "float32"));
      for (const [name, values] of Object.entries(alone)) {
        const size = values.length;
        close(together[name].slice(lane * size, (lane + 1) * size), values, 2e-4);
      }
    });
  });

  test("products in bfloat16 change parameters a little, which themselves keep all digits of float32", () => {
    const run = { ...descent(tiny({ filters: [2, 3], hidden: 5 }), [0.05], "float32"), steps: 4 };
    const exact = trained(referenceBackend(), run);
    const rounding = trained(referenceBackend(), { ...run, precision: "bfloat16" });
    for (const [name, values] of Object.entries(rounding)) {
      close(values, exact[name], 0.1);
      expect(values).not.toEqual(exact[name]);
      expect(values).not.toEqual([...roundedToBfloat16(Float32Array.from(values))]);
    }
  });

  test.skipIf(!selectGemm().library.multipliesBfloat16())(
    "products in bfloat16: cpu against reference",
    () => {
      const model = tiny({ filters: [2, 3], hidden: 5, batchNorm: true });
      const run: LaneTraining = { ...descent(model, [0.05], "float32"), steps: 3, precision: "bfloat16" };
      const expected = trained(referenceBackend(), run);
      // A sum that rounds otherwise may put an operand on the other side of a tie.
      for (const [name, values] of Object.entries(trained(cpuBackend(), run)))
        close(values, expected[name], 2e-3);
    },
  );
});
