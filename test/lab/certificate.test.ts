/** The parity certificate: given to ranks that train what one rank trains, refused to those that don't. */
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import type { Backend, Executable } from "../../src/compile/backend.js";
import { certify } from "../../src/lab/certificate.js";
import { type StudyOptions, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { activation, batchNorm, dense } from "../../src/learn/layers/index.js";
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
      steps: 25,
      onTraining: (what, number, of) => trainings.push(`${number}/${of} ${what}`),
    });
    expect(certificate).toMatchObject({
      study: "certified",
      optimizer: "Adam",
      ranks: 2,
      processes: 1,
      batchSize: 40,
      precision: "float32",
      steps: 25,
      stretches: 9,
      examplesPerRank: 500,
      against: "whole batches",
      undetermined: [],
      verdict: "passed",
      passed: true,
    });
    expect(trainings).toEqual([
      "1/3 one rank",
      "2/3 the same, its sums in halves and its starts off by the last digit",
      "3/3 2 ranks",
    ]);
    const { difference, rounding, bound, quantities } = certificate;
    expect(rounding.loss).toBeGreaterThan(0);
    expect(difference.loss).toBeGreaterThan(0);
    expect(bound.loss).toBeLessThan(1e-5);
    expect(difference.parameters).toBeLessThan(bound.parameters);
    expect(bound.parameters).toBeLessThan(1e-4);
    const parameters = ["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"];
    const moments = ["firstMoment", "secondMoment"];
    const names = [
      "loss",
      ...parameters,
      ...parameters.flatMap((one) => moments.map((of) => `${of} of ${one}`)),
    ];
    expect(quantities.map(({ name }) => name).sort()).toEqual(names.sort());
    expect(difference.worst).toBe(quantities.find(({ name }) => name !== "loss")!.name);
  });

  test("counts what ranks sum: the loss and every gradient", async () => {
    const { summedPerStep } = await certify(small(), { backend: two, steps: 2 });
    const elements = 2 * 48 + 48 + 48 * 4 + 4;
    expect(summedPerStep).toEqual({ tensors: 5, bytes: 4 * (elements + 1) });
  });

  test("is given in float64 within far less", async () => {
    const { quantities, passed } = await certify(small({ dtype: "float64" }), { backend: two, steps: 30 });
    expect(passed).toBe(true);
    for (const { difference, bound } of quantities) {
      expect(difference).toBeLessThan(1e-13);
      expect(bound).toBeLessThan(1e-11);
    }
  });

  test.each([
    ["a perceptron", model],
    ["statistics of whole batches", normalized("synchronized")],
  ])("is refused to ranks that train something else: %s", async (_, trained) => {
    // Ranks that are one step ahead: as if they had seen other examples.
    const hasty = changed(two, (executable) => ({
      run(entry, steps) {
        executable.run(entry, 1);
        executable.run(entry, steps);
      },
    }));
    const asked = small({ problem: classificationProblem({ dataset, model: trained }) });
    const { verdict, difference, bound } = await certify(asked, { backend: hasty, steps: 20 });
    expect(verdict).toBe("failed");
    expect(difference.loss).toBeGreaterThan(1000 * bound.loss);
    expect(difference.parameters).toBeGreaterThan(1000 * bound.parameters);
  });

  test("names the parameter that is wrong, and finds what is wrong once", async () => {
    // Weights of ranks that are lost in one stretch of ten.
    let reads = 0;
    const forgetful = changed(two, (executable) => ({
      read(name) {
        const values = executable.read(name);
        const isLost = name === "parameter/dense2.weight" && ++reads === 3;
        return isLost ? values.map((value) => 1.2 * value) : values;
      },
    }));
    const { verdict, difference, bound, quantities } = await certify(small(), {
      backend: forgetful,
      steps: 20,
    });
    expect(verdict).toBe("failed");
    expect(difference.worst).toBe("dense2.weight");
    expect(difference.parameters).toBeLessThan(bound.parameters);
    const [{ name, most, mostBound }, next] = quantities;
    expect(name).toBe("dense2.weight");
    expect(most).toBeGreaterThan(mostBound);
    expect(next.most).toBeLessThan(next.mostBound);
  });

  test("holds ranks against batches in parts where each takes the statistics of its own", async () => {
    const trainings: string[] = [];
    const certificate = await certify(
      small({ problem: classificationProblem({ dataset, model: normalized("alone") }) }),
      { backend: two, steps: 20, onTraining: (what) => trainings.push(what) },
    );
    expect(trainings[0]).toBe("one rank, batches in 2 parts");
    expect(certificate.against).toBe("batches in parts");
    expect(certificate.rounding.loss).toBeGreaterThan(0);
    expect(certificate.bound.loss).toBeLessThan(1e-5);
    expect(certificate.passed).toBe(true);
  });

  test.each([
    ["float32", sgd({ lr: 0.1 }), 1e-5],
    ["float32", adam({ lr: 1e-2 }), 1e-5],
    ["float64", adam({ lr: 1e-2 }), 1e-13],
  ] as const)(
    "holds them against whole batches where they take those of all, %s",
    async (dtype, choice, bound) => {
      const certificate = await certify(
        small({
          problem: classificationProblem({ dataset, model: normalized("synchronized") }),
          optimizers: [choice],
          dtype,
        }),
        { backend: two, steps: 20 },
      );
      expect(certificate.against).toBe("whole batches");
      expect(certificate.bound.loss).toBeLessThan(bound);
      expect(certificate.passed).toBe(true);
      // What is added before a normalisation has no gradient but rounding; that hides no other parameter.
      expect([...certificate.undetermined].sort()).toEqual([
        "batchNorm1.shift",
        "dense1.bias",
        "dense2.bias",
      ]);
      const told = certificate.quantities.filter(({ name }) =>
        /^(dense\d\.weight|batchNorm\d\.scale)$/.test(name),
      );
      expect(told).toHaveLength(5);
      for (const one of told) expect(one.bound).toBeLessThan(1e3 * bound);
    },
  );

  test("is neither given nor refused where rounding hides what is trained", async () => {
    // At such a rate the last digit soon decides where a training leads, within ten steps that are a stretch.
    const chaotic = layersModel({
      name: "chaotic",
      layers: (outputs) => [dense(16), activation("tanh"), dense(16), activation("tanh"), dense(outputs)],
    });
    const problem = classificationProblem({ dataset, model: chaotic });
    const asked = small({ problem, optimizers: [sgd({ lr: 10 })], epochs: 20 });
    const { verdict, passed, undetermined } = await certify(asked, { backend: two, steps: 100 });
    expect(undetermined).toContain("dense1.weight");
    expect({ verdict, passed }).toEqual({ verdict: "inconclusive", passed: false });
    expect((await certify(asked, { backend: two, steps: 20 })).verdict).toBe("passed");
  });
});

/** The backend with other programs of two ranks. */
const changed = (backend: Backend, change: (executable: Executable) => Partial<Executable>): Backend => ({
  ...backend,
  compile(program) {
    const executable = backend.compile(program);
    if (program.ranks !== 2) return executable;
    return withCalls(executable, change(executable));
  },
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
      /the training diverged within 20 steps; expected one that learns/,
    ],
  ])("%s", async (_, [asked, options], message) => {
    await expect(certify(asked, options)).rejects.toThrow(message);
  });
});
