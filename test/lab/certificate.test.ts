/** The parity certificate: given to ranks that train what one rank trains, refused to those that don't. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import type { Backend } from "../../src/compile/backend.js";
import { certify } from "../../src/lab/certificate.js";
import { type StudyOptions, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { batchNorm, dense } from "../../src/learn/layers/index.js";
import { layersModel, type Model, perceptron } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { withCalls } from "../support/executables.js";

const [one, two] = [1, 2].map((ranks) => cpuBackend({ ranks }));
afterAll(() => Promise.all([one, two].map((backend) => backend.close())));

const dataset = blobs({ classes: 4, count: 400 });
const model = perceptron({ hidden: [48], dropout: 0.3 });
const normalized = (layers: "alone" | "synchronized" | "both"): Model =>
  layersModel({
    name: "normalized",
    layers: (outputs) => [
      dense(16),
      batchNorm({ synchronized: layers !== "alone" }),
      dense(8),
      batchNorm({ synchronized: layers === "synchronized" }),
      dense(outputs),
    ],
  });
const small = (changes: Partial<StudyOptions> = {}) =>
  study({
    name: "certified",
    problem: classificationProblem({ dataset, model }),
    optimizers: [adam({ lr: 1e-2 })],
    epochs: 10,
    batchSize: 40,
    ...changes,
  });

describe("a certificate", () => {
  test("says how far ranks are from one rank, and how far rounding alone takes it", async () => {
    const trainings: string[] = [];
    const certificate = await certify(small(), {
      backend: two,
      steps: 30,
      onTraining: (what, number, of) => trainings.push(`${number}/${of} ${what}`),
    });
    expect(certificate).toMatchObject({
      study: "certified",
      optimizer: "Adam",
      ranks: 2,
      processes: 1,
      batchSize: 40,
      precision: "float32",
      steps: 30,
      examplesPerRank: 600,
      against: "whole batches",
      passed: true,
    });
    expect(trainings).toEqual(["1/3 one rank", "2/3 one rank, batches in 2 parts", "3/3 2 ranks"]);
    const { difference, rounding, bound } = certificate;
    expect(rounding.loss).toBeGreaterThan(0);
    expect(difference.loss).toBeGreaterThan(0);
    expect(difference.loss).toBeLessThan(1e-4);
    expect(difference.parameters).toBeLessThan(bound.parameters);
    expect(bound.parameters).toBeLessThan(1e-2);
    expect(difference.worst).toMatch(/^dense[12]\.(weight|bias)$/);
  });

  test("counts what ranks sum: the loss and every gradient", async () => {
    const { summedPerStep } = await certify(small(), { backend: two, steps: 2 });
    const elements = 2 * 48 + 48 + 48 * 4 + 4;
    expect(summedPerStep).toEqual({ tensors: 5, bytes: 4 * (elements + 1) });
  });

  test("is given in float64 within far less", async () => {
    const { difference, passed } = await certify(small({ dtype: "float64" }), { backend: two, steps: 30 });
    expect(passed).toBe(true);
    expect(difference.parameters).toBeLessThan(1e-10);
  });

  test.each([
    ["a perceptron", model],
    ["statistics of whole batches", normalized("synchronized")],
  ])("is refused to ranks that train something else: %s", async (_, trained) => {
    // Ranks that are one step ahead: as if they had seen other examples.
    const hasty: Backend = {
      ...two,
      compile(program) {
        const executable = two.compile(program);
        if (program.ranks !== 2) return executable;
        let isFirst = true;
        return withCalls(executable, {
          run(entry, steps) {
            if (isFirst) executable.run(entry, 1);
            isFirst = false;
            executable.run(entry, steps);
          },
        });
      },
    };
    const asked = small({ problem: classificationProblem({ dataset, model: trained }) });
    const { passed, difference, bound } = await certify(asked, { backend: hasty, steps: 20 });
    expect(passed).toBe(false);
    expect(difference.loss).toBeGreaterThan(bound.loss);
  });

  test("holds ranks against batches in parts where each takes the statistics of its own", async () => {
    const certificate = await certify(
      small({
        problem: classificationProblem({ dataset, model: normalized("alone") }),
        optimizers: [sgd({ lr: 0.1 })],
      }),
      { backend: two, steps: 20 },
    );
    expect(certificate.against).toBe("batches in parts");
    expect(certificate.rounding.loss).toBeGreaterThan(0);
    expect(certificate.rounding.loss).toBeLessThan(1e-5);
    expect(certificate.passed).toBe(true);
  });

  test.each([
    ["float32", sgd({ lr: 0.1 }), 1e-5],
    // The biases before the normalisation have no gradient but rounding, which Adam makes as large as any.
    ["float32", adam({ lr: 1e-2 }), 1e-2],
    ["float64", sgd({ lr: 0.1 }), 1e-12],
  ] as const)(
    "holds them against whole batches where they take those of all, %s",
    async (dtype, choice, loss) => {
      const trainings: string[] = [];
      const certificate = await certify(
        small({
          problem: classificationProblem({ dataset, model: normalized("synchronized") }),
          optimizers: [choice],
          dtype,
        }),
        { backend: two, steps: 20, onTraining: (what) => trainings.push(what) },
      );
      expect(trainings).toEqual(["one rank", "the same, its start off by the last digit", "2 ranks"]);
      expect(certificate.against).toBe("whole batches");
      expect(certificate.rounding.loss).toBeGreaterThan(0);
      expect(certificate.rounding.loss).toBeLessThan(loss);
      expect(certificate.difference.loss).toBeLessThan(loss);
      expect(certificate.passed).toBe(true);
    },
  );
});

describe("what is refused", () => {
  test.each<[string, Parameters<typeof certify>, RegExp]>([
    ["one rank", [small(), { backend: one }], /the backend has 1 rank; expected several.*--ranks 2/],
    [
      "a study without batches",
      [small({ batchSize: "full" }), { backend: two }],
      /study "certified" has no batches; expected a problem with data and a batchSize/,
    ],
    [
      "a batch that ranks can't divide",
      [small({ batchSize: 41 }), { backend: two }],
      /a batch of 41 examples on 2 ranks; expected a multiple of 2/,
    ],
    [
      "statistics of whole batches and of parts",
      [small({ problem: classificationProblem({ dataset, model: normalized("both") }) }), { backend: two }],
      /some layers take statistics of whole batches and others those of parts; expected one of both/,
    ],
    [
      "a training that diverges",
      [small({ optimizers: [sgd({ lr: 1e9 })] }), { backend: two, steps: 20 }],
      /the training ended as diverged within 20 steps; expected one that learns/,
    ],
  ])("%s", async (_, [asked, options], message) => {
    await expect(certify(asked, options)).rejects.toThrow(message);
  });
});
