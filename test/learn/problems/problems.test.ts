/** Problems: the exercise's numbers, exact quadratics, minimizers, and classification and regression end to end. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { constant, constantArray, evaluate, keyFromSeed, mean, square } from "../../../src/graph/index.js";
import { blobs, mnistDataset, regression, sourceOf } from "../../../src/learn/datasets/index.js";
import { perceptron, softmaxRegression } from "../../../src/learn/models/index.js";
import {
  checkEvaluation,
  classificationProblem,
  defineProblem,
  findProblem,
  functionProblem,
  linearRegression,
  mnist,
  type Problem,
  problems,
  quadratic,
  regressionProblem,
} from "../../../src/learn/problems/index.js";
import { grad } from "../../../src/transform/index.js";

const context = { training: false, key: keyFromSeed(0) };

/** Loss and gradient of a problem without data, at given values or at its start, in float64. */
function lossAt(problem: Problem, at?: Record<string, readonly number[]>) {
  const built = problem.build();
  const parameters = Object.fromEntries(
    Object.entries(built.parameters).map(([name, { shape, initial }]) => [
      name,
      at ? constantArray(Float64Array.from(at[name]), shape, "float64") : initial(keyFromSeed(0)),
    ]),
  );
  const { loss } = checkEvaluation(
    problem.name,
    built,
    built.evaluate(parameters, undefined, context),
    undefined,
  );
  const [value, ...gradients] = evaluate([loss, ...grad(loss, Object.values(parameters))]);
  return { loss: value.data[0], gradient: gradients.flatMap(({ data }) => [...data]) };
}

describe("linearRegression", () => {
  it("is exercise 1 by default", () => {
    const problem = linearRegression();
    const built = problem.build();
    expect(Object.entries(built.parameters).map(([name, { shape }]) => [name, shape])).toEqual([
      ["W", []],
      ["b", []],
    ]);
    // Residuals at the start: 0.3 x - 0.3 - (1 - x) = 1.3 (x - 1): 0, 1.3, 2.6, 3.9.
    const { loss, gradient } = lossAt(problem);
    expect(loss).toBeCloseTo(1.69 * 14, 12);
    expect(gradient[0]).toBeCloseTo(2 * 1.3 * (2 + 6 + 12), 12);
    expect(gradient[1]).toBeCloseTo(2 * 1.3 * 6, 12);
    expect(problem.quadratic).toEqual({
      parameters: ["W", "b"],
      hessian: [
        [60, 20],
        [20, 8],
      ],
      minimizer: [-1, 1],
      minimum: 0,
      start: [0.3, -0.3],
    });
    expect(problem.optimum).toEqual({ loss: 0, parameters: { W: [-1], b: [1] } });
    expect(problem.surface?.value(0.3, -0.3)).toBeCloseTo(loss, 12);
    expect(problem.defaults).toEqual({ batchSize: "full", steps: 1000 });
  });

  it("fits rows of any length, as a sum or a mean, with its least loss at the minimizer", () => {
    const inputs = [
      [1, 2],
      [0, 1],
      [3, -1],
      [2, 2],
      [-1, 0.5],
    ];
    const targets = [1, 0, 4, 2.5, -3];
    for (const reduction of ["sum", "mean"] as const) {
      const problem = linearRegression({ inputs, targets, reduction, start: { W: [0.1, 0.2], b: 0 } });
      const { optimum, quadratic: form } = problem;
      const { loss, gradient } = lossAt(problem, optimum!.parameters);
      expect(loss).toBeCloseTo(optimum!.loss, 12);
      for (const component of gradient) expect(Math.abs(component)).toBeLessThan(1e-12);
      // The quadratic form gives the loss at the start.
      const distance = form!.start.map((value, i) => value - form!.minimizer[i]);
      const rise = form!.hessian.reduce(
        (s, row, i) => s + row.reduce((t, h, j) => t + distance[i] * h * distance[j], 0),
        0,
      );
      expect(lossAt(problem).loss).toBeCloseTo(form!.minimum + rise / 2, 11);
    }
  });

  it("knows no minimizer where the data leave it open, and names data that do not fit", () => {
    expect(linearRegression({ inputs: [2, 2], targets: [1, 3] }).optimum).toBeUndefined();
    expect(() => linearRegression({ inputs: [1, 2, 3] })).toThrow("received 3 inputs and 0 targets");
    expect(() => linearRegression({ inputs: [[1, 2], [3]], targets: [1, 2] })).toThrow(
      "row 1 of 1 numbers after rows of 2",
    );
    expect(() => linearRegression({ start: { W: [1] } })).toThrow("received start W [1]; expected a number");
    expect(() => linearRegression({ start: { w: 1 } as never })).toThrow('Did you mean "W"?');
  });
});

describe("quadratic", () => {
  it("has its gradient H x and its start in every eigenvector, diagonal or rotated", () => {
    for (const problem of [
      quadratic({ eigenvalues: [0.5, 3, 7] }),
      quadratic({ condition: 50, dimension: 6, rotationSeed: 4 }),
    ]) {
      const { hessian, start } = problem.quadratic!;
      const { loss, gradient } = lossAt(problem);
      const product = hessian.map((row) => row.reduce((s, h, j) => s + h * start[j], 0));
      gradient.forEach((g, i) => {
        expect(g).toBeCloseTo(product[i], 12);
      });
      // 1 along every eigenvector: the loss is half the trace.
      expect(loss).toBeCloseTo(hessian.reduce((trace, row, i) => trace + row[i], 0) / 2, 12);
    }
  });

  it("spaces eigenvalues from 1 / condition to 1", () => {
    const diagonal = quadratic({ condition: 100, dimension: 3 }).quadratic!.hessian.map((row, i) => row[i]);
    [0.01, 0.1, 1].forEach((value, i) => {
      expect(diagonal[i]).toBeCloseTo(value, 15);
    });
  });

  it("names impossible options", () => {
    expect(() => quadratic({ eigenvalues: [1, -1] })).toThrow("received eigenvalues [1, -1]");
    expect(() => quadratic({ condition: 0.5 })).toThrow("received condition 0.5; expected a number from 1.");
    expect(() => quadratic({ dimension: 2, start: [1] })).toThrow(
      "received a start of 1 numbers; expected 2",
    );
  });
});

describe("classification and regression", () => {
  it("gives loss and accuracy of each example, with gradients for every parameter", async () => {
    const dataset = blobs({ classes: 3, count: 30 });
    const problem = classificationProblem({ dataset, model: softmaxRegression() });
    const built = problem.build(await dataset.load());
    const parameters = Object.fromEntries(
      Object.entries(built.parameters).map(([name, { initial }]) => [name, initial(keyFromSeed(0))]),
    );
    const batch = {
      inputs: constant([
        [1, 2],
        [3, 4],
      ]),
      targets: constant([0, 2], "int32"),
    };
    const evaluation = checkEvaluation(problem.name, built, built.evaluate(parameters, batch, context), 2);
    const [loss, accuracy, weight] = evaluate([
      evaluation.loss,
      evaluation.metrics.accuracy,
      ...grad(mean(evaluation.loss), [parameters["dense1.weight"]]),
    ]);
    for (const value of loss.data) expect(value).toBeCloseTo(Math.log(3), 6);
    expect([...accuracy.data]).toEqual([1, 0]);
    // (softmax - one-hot) x, averaged: class 0 has (-2/3)(1,2) and (1/3)(3,4).
    expect(weight.data[0]).toBeCloseTo((-2 / 3 + 1) / 2, 6);
    expect(weight.data[1]).toBeCloseTo((-4 / 3 + 4 / 3) / 2, 6);
    expect(problem).toMatchObject({ name: "blobs-softmax", reduction: "mean" });
    expect(problem.options).toEqual({ dataset: "blobs", classes: 3, count: 30, model: { name: "softmax" } });
    expect(() => problem.build()).toThrow('problem "blobs-softmax": build received no data set');
  });

  it("regresses on targets with and without an axis of outputs", async () => {
    const model = perceptron({ hidden: [] });
    for (const targets of [
      [1, 2],
      [
        [1, 5],
        [2, 6],
      ],
    ]) {
      const data = regression({
        name: "line",
        inputs: [
          [1, 0],
          [0, 1],
        ],
        targets,
        dtype: "float64",
      });
      const built = regressionProblem({ dataset: sourceOf(data), model }).build(data);
      const zeros = Object.fromEntries(
        Object.entries(built.parameters).map(([name, { shape }]) => [
          name,
          constantArray(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape, "float64"),
        ]),
      );
      const batch = {
        inputs: constant(
          [
            [1, 0],
            [0, 1],
          ],
          "float64",
        ),
        targets: constant(targets, "float64"),
      };
      const [loss] = evaluate([built.evaluate(zeros, batch, context).loss]);
      expect([...loss.data]).toEqual(targets.map((row) => [row].flat().reduce((s, v) => s + v * v, 0)));
    }
  });

  it("refuses the other kind of data", async () => {
    const data = regression({ name: "line", inputs: [1, 2], targets: [1, 2] });
    const wrong = classificationProblem({ dataset: sourceOf(data), model: softmaxRegression() });
    expect(() => wrong.build(data)).toThrow("Take regressionProblem?");
    const classes = await blobs().load();
    const other = regressionProblem({ dataset: blobs(), model: softmaxRegression() });
    expect(() => other.build(classes)).toThrow("Take classificationProblem?");
  });

  it("names MNIST's problems after their models, with exercise 2's defaults", () => {
    expect(mnist()).toMatchObject({ name: "mnist-softmax", defaults: { batchSize: 100, epochs: 30 } });
    const short = mnist({ model: perceptron({ hidden: [32] }), trainCount: 500 });
    expect(short.name).toBe("mnist-perceptron");
    expect(short.options).toMatchObject({ dataset: "mnist", trainCount: 500, model: { hidden: [32] } });
    expect(short.dataset?.name).toBe(mnistDataset().name);
  });
});

describe("the optimum of softmax regression on MNIST", () => {
  const found = JSON.parse(
    readFileSync(new URL("../../../exercises/ex2-mnist/optimum.json", import.meta.url), "utf8"),
  ) as { loss: number; trace: { loss: number }[] };

  it("is what exercise 2's search found, below all that it saw", () => {
    expect(mnist().optimum).toEqual({ loss: found.loss });
    expect(found.loss).toBeLessThan(Math.min(...found.trace.map(({ loss }) => loss)) + 1e-6);
  });

  it("is not claimed of other images or models, can be given, and identifies no run", () => {
    expect(mnist({ trainCount: 500 }).optimum).toBeUndefined();
    expect(mnist({ model: perceptron() }).optimum).toBeUndefined();
    const given = mnist({ trainCount: 500, optimum: { loss: 0.1 } });
    expect(given.optimum).toEqual({ loss: 0.1 });
    expect(given.options).toEqual(mnist({ trainCount: 500 }).options);
  });
});

describe("built-in problems", () => {
  it("are found by name, and are named as listed", () => {
    for (const { name, create } of problems) expect(create().name).toBe(name);
    expect(new Set(problems.map(({ name }) => name)).size).toBe(problems.length);
    expect(findProblem("rosenbrock").title).toBe("Rosenbrock");
    expect(() => findProblem("rosenbrok")).toThrow('unknown problem "rosenbrok". Did you mean "rosenbrock"?');
  });

  it("define a finite loss at their start, in both dtypes", () => {
    for (const { create } of problems.filter(({ name }) => !name.startsWith("mnist"))) {
      const { loss, gradient } = lossAt(create());
      expect([loss, ...gradient].every(Number.isFinite), create().name).toBe(true);
    }
  });
});

describe("one's own problem", () => {
  const bowl = functionProblem({ name: "bowl", start: { x: [3, 4] }, loss: ({ x }) => mean(square(x)) });

  it("is a start and a formula", () => {
    expect(lossAt(bowl)).toEqual({ loss: 12.5, gradient: [3, 4] });
    expect(defineProblem(bowl)).toBe(bowl);
  });

  it("is told what is wrong with it", () => {
    expect(() => functionProblem({ name: "n", start: {}, loss: ({ x }) => x })).toThrow("start is empty");
    expect(() => functionProblem({ name: "n", start: { x: [1, Number.NaN] }, loss: ({ x }) => x })).toThrow(
      "holds NaN",
    );
    expect(() => defineProblem({ ...bowl, name: "a b" })).toThrow('received name "a b"; expected letters');
    expect(() => defineProblem({ ...bowl, build: 3 as never })).toThrow(
      "received build 3; expected a function",
    );
    expect(() => defineProblem({ ...bowl, reductio: "sum" } as never)).toThrow('Did you mean "reduction"?');
    const vector = functionProblem({ name: "vector", start: { x: [1, 2] }, loss: ({ x }) => square(x) });
    expect(() => lossAt(vector)).toThrow(
      'problem "vector": the loss is f64[2]; expected a float of shape []. Take its sum or mean?',
    );
  });

  it("is told of metrics other than it announced", () => {
    const built = bowl.build();
    const evaluation = { loss: constant(1), metrics: { accuracy: constant(1) } };
    expect(() => checkEvaluation("bowl", built, evaluation, undefined)).toThrow(
      "evaluate gave metrics [accuracy]; expected []",
    );
  });
});
