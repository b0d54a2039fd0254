/** study({...}): what it fills in, and what it says to what it can't use. */
import { describe, expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import { type StudyOptions, study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { adam, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression } from "../../src/learn/problems/index.js";

const problem = classificationProblem({
  dataset: blobs(),
  model: softmaxRegression(),
  defaults: { batchSize: 20, epochs: 7 },
});
const line = linearRegression();
const optimizers = [sgd({ lr: [0.1, 1] }), adam()];

describe("defaults", () => {
  test("come from the problem", () => {
    expect(study({ problem, optimizers })).toEqual({
      name: "blobs-softmax",
      title: problem.title,
      problem,
      optimizers,
      seeds: [0],
      epochs: 7,
      batchSize: 20,
      shuffle: true,
      dtype: "float32",
      precision: "float32",
      test: "each",
      trainMetrics: false,
      gradientNoise: false,
      keepModel: false,
      checkpointEvery: { minutes: 5 },
      targets: [],
      comparisons: [],
    });
    expect(study({ problem: line, optimizers })).toMatchObject({
      name: "linear-regression",
      steps: 1000,
      batchSize: "full",
    });
  });

  test("round operands of products only where they are float32", () => {
    expect(study({ problem, optimizers, precision: "bfloat16" })).toMatchObject({ precision: "bfloat16" });
    expect(() => study({ problem, optimizers, precision: "float16" as never })).toThrow(
      'study: precision is "float16"; expected "float32" or "bfloat16".',
    );
    expect(() => study({ problem, optimizers, precision: "bfloat16", dtype: "float64" })).toThrow(
      'study: precision is "bfloat16" and dtype "float64"; expected dtype "float32" with it.',
    );
  });

  test("name what the test split, checkpoints and models can't be asked for", () => {
    expect(() => study({ problem, optimizers, test: "never" as never })).toThrow(
      'study: test is "never"; expected "each" or "end".',
    );
    expect(() => study({ problem, optimizers, checkpointEvery: { hours: 1 } as never })).toThrow(
      'study: checkpointEvery is {"hours":1}; expected { steps: 500 } or { minutes: 5 }.',
    );
    expect(() => study({ problem, optimizers, keepModel: "best" as never })).toThrow(
      'study: keepModel is "best"; expected true or false.',
    );
  });

  test("evaluations come after steps or epochs, and nothing else", () => {
    const every = (evaluateEvery: unknown, of = problem) =>
      study({ problem: of, optimizers, evaluateEvery: evaluateEvery as never }).evaluateEvery;
    expect([every(7), every({ steps: 7 }), every({ epochs: 0.5 })]).toEqual([
      7,
      { steps: 7 },
      { epochs: 0.5 },
    ]);
    const expected = "expected { steps: 100 } or { epochs: 0.5 }.";
    for (const wrong of [{ epochs: 0 }, { minutes: 1 }, { steps: 1, epochs: 1 }, {}])
      expect(() => every(wrong)).toThrow(`study: evaluateEvery is ${JSON.stringify(wrong)}; ${expected}`);
    expect(() => every({ steps: 1.5 })).toThrow("evaluateEvery.steps is 1.5; expected a positive integer");
    expect(() => every({ epochs: 1 }, line)).toThrow(
      'evaluateEvery is {"epochs":1}, but the problem "linear-regression" has no data; expected { steps: 100 }.',
    );
  });

  test("early stopping waits for the validation loss, to the last digit, and restores nothing", () => {
    const stopping = (earlyStopping: object) =>
      study({ problem, optimizers, earlyStopping: earlyStopping as never }).earlyStopping;
    expect(stopping({ patience: 3 })).toEqual({ patience: 3, metric: "validationLoss", minDelta: 0 });
    const all = { patience: 1, metric: "trainLoss", minDelta: 0.1, restore: "best" };
    expect(stopping(all)).toEqual(all);
    expect(study({ problem, optimizers }).earlyStopping).toBeUndefined();
    expect(() => stopping({})).toThrow("earlyStopping.patience is absent; expected a positive integer");
    expect(() => stopping({ patience: 1, metric: "testLoss" })).toThrow(
      'study: earlyStopping.metric is "testLoss"; expected a metric of the validation or the training data',
    );
    expect(() => stopping({ patience: 1, minDelta: -1 })).toThrow(
      "earlyStopping.minDelta is -1; expected a number of at least 0.",
    );
    expect(() => stopping({ patience: 1, restore: true })).toThrow(
      'earlyStopping.restore is true; expected "best", or nothing.',
    );
    expect(() => stopping({ patience: 1, delta: 1 })).toThrow('option of earlyStopping "delta"');
  });

  test("a micro-batch is a number of examples of a problem with data", () => {
    expect(study({ problem, optimizers, microBatch: 5 }).microBatch).toBe(5);
    expect(() => study({ problem, optimizers, microBatch: 0 })).toThrow(
      "microBatch is 0; expected a positive",
    );
    expect(() => study({ problem: line, optimizers, microBatch: 5 })).toThrow(
      'microBatch is 5, but the problem "linear-regression" has no data; leave it out.',
    );
  });

  test("give way to what is asked for", () => {
    const asked = { name: "mine", title: "Mine", batchSize: 5, shuffle: false, dtype: "float64" } as const;
    expect(
      study({ problem, optimizers, ...asked, epochs: 2, evaluateEvery: 3, recordEvery: 0 }),
    ).toMatchObject({
      ...asked,
      epochs: 2,
      evaluateEvery: 3,
      recordEvery: 0,
    });
    // Steps take the place of the problem's epochs.
    const inSteps = study({ problem, optimizers, steps: 50 });
    expect(inSteps).toMatchObject({ steps: 50 });
    expect(inSteps.epochs).toBeUndefined();
  });

  test("seeds: a count, or a list", () => {
    expect(study({ problem, optimizers, seeds: 3 }).seeds).toEqual([0, 1, 2]);
    expect(study({ problem, optimizers, seeds: [7, 3] }).seeds).toEqual([7, 3]);
  });

  test("a target's direction follows from its metric", () => {
    const { targets } = study({
      problem,
      optimizers,
      targets: [
        { metric: "validationAccuracy", value: 0.9 },
        { metric: "trainLoss", value: 0.1 },
        { metric: "trainLoss", value: 5, direction: "above" },
      ],
    });
    expect(targets.map(({ direction }) => direction)).toEqual(["above", "below", "above"]);
  });

  test("a comparison passes if the study trains all its settings", () => {
    const comparisons = [
      { id: "one", title: "At one", settings: [{ optimizer: "sgd", hyperparameters: { lr: 1 } }] },
    ];
    expect(study({ problem, optimizers, comparisons }).comparisons).toEqual(comparisons);
  });
});

describe("mistakes are named with what was received, what is expected, and a way out", () => {
  const setting = (lr: number) => [{ optimizer: "sgd", hyperparameters: { lr } }];
  test.each<[string, object, RegExp]>([
    [
      "an unknown option",
      { epoch: 3 },
      /option of study "epoch"\. Did you mean "epochs"\? Valid: .*batchSize/,
    ],
    ["no problem", { problem: undefined }, /problem is absent; expected a problem such as mnist/],
    [
      "a problem not called",
      { problem: linearRegression },
      /problem is a function; expected a problem such as/,
    ],
    ["no optimizers", { optimizers: [] }, /optimizers is \[\]; expected a list such as \[sgd/],
    ["an optimizer alone", { optimizers: sgd() }, /optimizers is \{.*\}; expected a list/],
    [
      "an optimizer not called",
      { optimizers: [sgd(), adam] },
      /optimizers\[1\] is a function; .*Call it, as in sgd\(\)\?$/,
    ],
    [
      "a value twice",
      { optimizers: [sgd({ lr: [0.1, 1, 0.1] })] },
      /sgd's lr lists 0\.1 twice; expected different values/,
    ],
    ["epochs and steps", { epochs: 3, steps: 5 }, /both epochs and steps are given; expected one of them/],
    [
      "epochs without data",
      { problem: line, epochs: 3 },
      /epochs is 3, but the problem "linear-regression" has no data; give steps/,
    ],
    ["no epochs", { epochs: 0 }, /epochs is 0; expected a positive integer/],
    ["a broken step", { steps: 2.5 }, /steps is 2\.5; expected a positive integer/],
    ["seldom evaluations", { evaluateEvery: -1 }, /evaluateEvery is -1; expected a positive integer/],
    ["seldom rows", { recordEvery: 0.5 }, /recordEvery is 0\.5; expected a positive integer/],
    ["an empty batch", { batchSize: 0 }, /batchSize is 0; expected a positive integer/],
    ["a batch by name", { batchSize: "all" }, /batchSize is "all"; expected a positive integer/],
    ["integers", { dtype: "int32" }, /dtype is "int32"; expected "float32" or "float64"/],
    ["a vague shuffle", { shuffle: "no" }, /shuffle is "no"; expected true or false/],
    ["no seeds", { seeds: 0 }, /seeds is 0; expected a positive integer/],
    [
      "one seed twice",
      { seeds: [1, 1] },
      /seeds is \[1,1\]; expected a count, or a list of different integers from 0/,
    ],
    ["a negative seed", { seeds: [-1] }, /seeds is \[-1\]; expected a count/],
    ["a target alone", { targets: { metric: "trainLoss", value: 1 } }, /targets is \{.*\}; expected a list/],
    [
      "a target's option",
      { targets: [{ metric: "trainLoss", goal: 1 }] },
      /option of a target "goal".*Valid: /,
    ],
    [
      "a target without value",
      { targets: [{ metric: "trainLoss" }] },
      /a target is \{"metric":"trainLoss"\}; expected \{ metric/,
    ],
    [
      "a target's direction",
      { targets: [{ metric: "trainLoss", value: 1, direction: "up" }] },
      /direction "above" or "below"/,
    ],
    [
      "a comparison's option",
      { comparisons: [{ id: "c", title: "C", setting: [] }] },
      /option of a comparison "setting"\. Did you mean "settings"/,
    ],
    [
      "a comparison without settings",
      { comparisons: [{ id: "c", title: "C" }] },
      /comparison "c" has settings absent; expected a list/,
    ],
    [
      "a comparison of what is not trained",
      { comparisons: [{ id: "c", title: "C", settings: setting(3) }] },
      /comparison "c" asks for sgd at \{"lr":3\}, which the study does not train; add these values/,
    ],
  ])("%s", (_, change, message) => {
    const options = { problem, optimizers, ...change } as StudyOptions;
    expect(() => study(options)).toThrow(message);
    expect(() => study(options)).toThrow(SlalomError);
  });

  test("a problem without a default budget asks for one", () => {
    const endless = { ...problem, defaults: {} };
    expect(() => study({ problem: endless, optimizers })).toThrow(
      /neither epochs nor steps are given, and the problem "blobs-softmax" has no default/,
    );
  });
});
