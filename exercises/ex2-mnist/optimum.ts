/**
 * The optimum of exercise 2's convex problem: the least training loss of softmax regression on MNIST, by L-BFGS on the
 * gradient over all 50,000 images, and the greatest curvature at the start and there. Writes optimum.json, which the
 * studies read. A few minutes on two cores.
 *
 *     npx jiti exercises/ex2-mnist/optimum.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Dataset, mnist, softmaxRegression } from "slalom";
import { cpuBackend } from "slalom/backends/cpu";
import { largestEigenvalues, leastLoss, type Objective, type SplitLoss, splitLoss } from "slalom/theory";

const longestSearchS = 200;

const problem = mnist({ model: softmaxRegression() });
const dataset = await problem.dataset!.load();
const backend = cpuBackend();
const fast = splitLoss({ problem, dataset, backend, partSize: 2500 });
const start = new Float64Array(fast.dimension);

/**
 * The search is done in units of its own: each weight times the root mean square of its pixel. Pixels are lit in
 * anything from one image to all of them, and in their own units the rare ones would take thousands of iterations.
 */
const units = unitsOf(dataset);
const inUnits = (point: Float64Array): Float64Array => point.map((value, i) => value * units[i]);

const began = performance.now();
const trace: { iteration: number; loss: number; gradientNorm: number; parameterNorm: number }[] = [];
const objective: Objective = (scaled) => {
  const { loss, gradient } = fast.objective(inUnits(scaled));
  return { loss, gradient: inUnits(gradient) };
};
const found = leastLoss(objective, start, {
  iterations: 20_000,
  gradientNorm: 1e-7,
  relativeDecrease: 1e-7,
  memory: 40,
  rounding: 1e-8,
  onIteration({ iteration, loss, gradientNorm, point }) {
    const elapsedS = (performance.now() - began) / 1000;
    if (isTold(iteration)) {
      const parameterNorm = lengthOf(inUnits(point));
      trace.push({ iteration, loss, gradientNorm, parameterNorm });
      console.log(
        `${elapsedS.toFixed(0).padStart(4)} s  iteration ${iteration}  loss ${loss.toFixed(9)}  gradient ${gradientNorm.toExponential(2)}  parameters ${parameterNorm.toFixed(1)}`,
      );
    }
    return elapsedS < longestSearchS;
  },
});
const point = inUnits(found.point);
const searchS = (performance.now() - began) / 1000;
const largestEigenvalueAtStart = sharpness(fast, start);
const largestEigenvalueAtEnd = sharpness(fast, point);
fast.release();

// The search computes in float32; what is kept of it is computed again in float64.
const exact = splitLoss({ problem, dataset, backend, partSize: 2500, dtype: "float64" });
const { loss, gradient } = exact.objective(point);
exact.release();

const optimum = {
  loss,
  gradientNorm: lengthOf(gradient),
  parameterNorm: lengthOf(point),
  iterations: found.iterations,
  evaluations: found.evaluations,
  endedBy: found.reason,
  searchS: Math.round(searchS),
  largestEigenvalueAtStart,
  largestEigenvalueAtEnd,
  pixelsOfOneClass: pixelsOfOneClass(dataset),
  trace,
};
writeFileSync(
  fileURLToPath(new URL("optimum.json", import.meta.url)),
  `${JSON.stringify(optimum, null, 2)}\n`,
);
console.log(JSON.stringify({ ...optimum, trace: undefined }, null, 2));

/** For each parameter 1 / root mean square of its input: of its pixel for a weight, of 1 for a bias; 0 for dark pixels. */
function unitsOf({ train: { inputs, count } }: Dataset): Float64Array {
  const pixels = inputs.shape[1];
  const squares = new Float64Array(pixels);
  for (let i = 0; i < inputs.data.length; i++) squares[i % pixels] += (inputs.data[i] / 255) ** 2;
  const ofPixels = Array.from(squares, (sum) => (sum === 0 ? 0 : Math.sqrt(count / sum)));
  const shapes = Object.values(problem.build(dataset).parameters).map(({ shape }) => shape);
  return Float64Array.from(
    shapes.flatMap(([classes, width]) =>
      width === pixels
        ? Array.from({ length: classes }, () => ofPixels).flat()
        : new Array<number>(classes).fill(1),
    ),
  );
}

/** 1, 2, 5, 10, 20, 50, ... */
function isTold(iteration: number): boolean {
  const digits = `${iteration}`;
  return /^[125]0*$/.test(digits);
}

function sharpness(of: SplitLoss, point: Float64Array): number {
  const options = { iterations: 60, tolerance: 1e-5 };
  return largestEigenvalues(of.hessianAt(point), of.dimension, options).values[0];
}

/**
 * Pixels that are dark in all training images but those of one digit. The weight from such a pixel to its digit lowers
 * the loss however large it grows: the infimum is not attained while there is one.
 */
function pixelsOfOneClass({ train: { inputs, targets, count } }: Dataset): number {
  const pixels = inputs.shape[1];
  const lit = Array.from({ length: pixels }, () => new Set<number>());
  for (let image = 0; image < count; image++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      if (inputs.data[image * pixels + pixel] > 0) lit[pixel].add(targets.data[image]);
    }
  }
  return lit.filter(({ size }) => size === 1).length;
}

function lengthOf(vector: Float64Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
}
