/** Problems: the built-in ones by name, and what one's own are made with. */
import { checkKeys, SlalomError, unknownName } from "../../base/errors.js";
import { convNet, lenet5, perceptron, resnet } from "../models/index.js";
import { linearRegression } from "./linearRegression.js";
import { mnist } from "./mnist.js";
import type { Problem } from "./problem.js";
import { quadratic } from "./quadratic.js";
import { surfaceProblem } from "./surfaceProblem.js";
import { surfaces } from "./surfaces.js";

/** A built-in problem under the name that the command line takes. */
export interface NamedProblem {
  readonly name: string;
  /** One line on what it is. */
  readonly summary: string;
  /** The problem with its default options. */
  create(): Problem;
}

export const problems: readonly NamedProblem[] = [
  {
    name: "linear-regression",
    summary: "W x + b through four points, sum of squared errors: two parameters, quadratic",
    create: () => linearRegression(),
  },
  {
    name: "quadratic",
    summary: "a quadratic in 10 dimensions with condition number 100",
    create: () => quadratic(),
  },
  {
    name: "mnist-softmax",
    summary: "softmax regression on handwritten digits: 7,850 parameters, convex",
    create: () => mnist(),
  },
  {
    name: "mnist-perceptron",
    summary: "one hidden layer of 512 ReLU units on handwritten digits: 407,050 parameters",
    create: () => mnist({ model: perceptron() }),
  },
  {
    name: "mnist-cnn",
    summary: "two convolutions and two dense layers on handwritten digits: 3,274,634 parameters",
    create: () => mnist({ model: convNet() }),
  },
  {
    name: "mnist-lenet5",
    summary: "LeNet-5 on handwritten digits: 61,706 parameters",
    create: () => mnist({ model: lenet5() }),
  },
  {
    name: "mnist-resnet",
    summary: "a residual network of 8 layers on handwritten digits, with batch normalisation",
    create: () => mnist({ model: resnet() }),
  },
  ...surfaces.map((surface) => ({
    name: surface.name,
    summary: surface.formula,
    create: () => surfaceProblem(surface),
  })),
];

/** The built-in problem of that name with its default options; throws "name" with the valid ones. */
export function findProblem(name: string): Problem {
  const found = problems.find((problem) => problem.name === name);
  if (found) return found.create();
  throw unknownName(
    "problem",
    name,
    problems.map((problem) => problem.name),
  );
}

/**
 * One's own problem, once its fields are sound: a mistake is named here rather than in the middle of a study.
 * @throws SlalomError "option" for unknown fields, a missing name, title, options or build, an unknown reduction
 * @example export default study({ problem: defineProblem({ name: "mine", ... }), ... })
 */
export function defineProblem(problem: Problem): Problem {
  checkKeys("defineProblem", problem, problemFields);
  const refuse = (field: string, received: unknown, expected: string): SlalomError =>
    new SlalomError(
      "option",
      `defineProblem: received ${field} ${JSON.stringify(received) ?? String(received)}; expected ${expected}.`,
    );
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(String(problem.name))) {
    throw refuse("name", problem.name, "letters, digits, dots, hyphens: runs are filed under it");
  }
  if (typeof problem.title !== "string") throw refuse("title", problem.title, "a text");
  if (typeof problem.options !== "object" || problem.options === null) {
    throw refuse("options", problem.options, "an object, {} if there are none");
  }
  if (typeof problem.defaults !== "object" || problem.defaults === null) {
    throw refuse("defaults", problem.defaults, "an object, {} if there are none");
  }
  if (problem.reduction !== "mean" && problem.reduction !== "sum") {
    throw refuse("reduction", problem.reduction, '"mean" or "sum"');
  }
  if (typeof problem.build !== "function") throw refuse("build", problem.build, "a function");
  return problem;
}

const problemFields = [
  "name",
  "title",
  "options",
  "dataset",
  "reduction",
  "defaults",
  "build",
  "optimum",
  "surface",
  "quadratic",
];

export { preparedBatch } from "./batch.js";
export { type ClassificationProblemOptions, classificationProblem } from "./classification.js";
export { type FunctionProblemOptions, functionProblem, type NestedStart } from "./functionProblem.js";
export { type LinearRegressionOptions, linearRegression } from "./linearRegression.js";
export { type MnistProblemOptions, mnist } from "./mnist.js";
export {
  type Batch,
  type BuiltProblem,
  checkEvaluation,
  type Evaluation,
  type Optimum,
  type Problem,
  type QuadraticForm,
  type Surface,
} from "./problem.js";
export { type QuadraticOptions, quadratic } from "./quadratic.js";
export { type RegressionProblemOptions, regressionProblem } from "./regression.js";
export { type SurfaceFunction, type SurfaceOptions, surfaceProblem } from "./surfaceProblem.js";
export {
  ackley,
  beale,
  booth,
  easom,
  goldsteinPrice,
  himmelblau,
  levy,
  matyas,
  mcCormick,
  rastrigin,
  rosenbrock,
  sixHumpCamel,
  styblinskiTang,
  surfaces,
  threeHumpCamel,
} from "./surfaces.js";
