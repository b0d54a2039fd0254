/** Realistic data for the figures' tests: exercise 1 in closed form, curves like MNIST's, a heavy-ball map. */
import type {
  ComparisonData,
  ConfusionMatrixData,
  ConvergenceData,
  ConvergenceSeries,
  HeatMapData,
  ImageGridData,
  MeasurementsData,
  PixelImage,
  SensitivityData,
  TrajectoriesData,
} from "../../src/figures/index.js";
import { formatFixed, formatNumber } from "../../src/figures/index.js";

const hessian = [60, 20, 20, 8];
const lambdaMax = 34 + Math.sqrt(26 ** 2 + 400);
const lambdaMin = 34 - Math.sqrt(26 ** 2 + 400);
const start = { w: 0.3 + 1, b: -0.3 - 1 };

/** Loss ½ dᵀHd of the distance d = (W + 1, b − 1) from the optimum. */
function quadratic(w: number, b: number): number {
  return 0.5 * (hessian[0] * w * w + 2 * hessian[1] * w * b + hessian[3] * b * b);
}

/** Heavy ball on exercise 1: losses of steps 0 to `steps`, and the path. */
export function heavyBall(
  lr: number,
  momentum: number,
  steps: number,
): { x: number[]; y: number[]; path: [number, number][] } {
  let { w, b } = start;
  let [vw, vb] = [0, 0];
  const result = { x: [0], y: [quadratic(w, b)], path: [[w - 1, b + 1]] as [number, number][] };
  for (let step = 1; step <= steps; step++) {
    vw = momentum * vw + hessian[0] * w + hessian[1] * b;
    vb = momentum * vb + hessian[2] * w + hessian[3] * b;
    w -= lr * vw;
    b -= lr * vb;
    result.x.push(step);
    result.y.push(quadratic(w, b));
    result.path.push([w - 1, b + 1]);
  }
  return result;
}

function predictedLoss(lr: number, steps: number): { x: number[]; y: number[] } {
  // The start in the eigenbasis: each part shrinks by (1 − lr λ)² a step.
  const angle = Math.atan2(lambdaMax - hessian[0], hessian[1]);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const large = cos * start.w + sin * start.b;
  const small = -sin * start.w + cos * start.b;
  const x = Array.from({ length: steps + 1 }, (_, i) => i);
  const y = x.map(
    (n) =>
      0.5 *
      (lambdaMax * (large * (1 - lr * lambdaMax) ** n) ** 2 +
        lambdaMin * (small * (1 - lr * lambdaMin) ** n) ** 2),
  );
  return { x, y };
}

function firstDiverged(y: readonly number[]): number | undefined {
  const index = y.findIndex((value) => !(value < 1e6 * y[0]));
  return index < 0 ? undefined : index;
}

const rates1 = [1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 0.05, 0.1, 0.5, 1];

export function exercise1(
  options: { readonly theory?: "shown" | "hidden"; readonly x?: "linear" | "log" } = {},
): ConvergenceData {
  return {
    title: "Gradient descent on the linear model",
    subtitle:
      "Up to 0.01 every rate descends; from 0.05 on, beyond 2/λmax = 0.0299, the loss grows without bound.",
    source: "Exercise 1, float64, 1,000 steps, sum of squared errors.",
    x: { label: "step", scale: options.x ?? "linear", domain: options.x === "log" ? [1, 1000] : undefined },
    y: { label: "loss", scale: "log" },
    colours: { by: "value", label: "learning rate" },
    target: { value: 1e-6, label: "target 10⁻⁶" },
    panels: [
      {
        series: rates1.map((lr) => {
          const run = heavyBall(lr, 0, 1000);
          return {
            label: formatNumber(lr),
            value: lr,
            x: run.x,
            y: run.y,
            divergedAt: firstDiverged(run.y),
            predicted:
              options.theory === "shown" && lr >= 1e-3 && lr < 0.03 ? predictedLoss(lr, 1000) : undefined,
          };
        }),
      },
    ],
  };
}

/** A repeatable noise in [-1, 1]. */
function noise(seed: number): number {
  const value = Math.sin(seed * 12.9898) * 43758.5453;
  return 2 * (value - Math.floor(value)) - 1;
}

const mnistRates = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

export function mnistCurve(lr: number, optimizer: string, speed: number): ConvergenceSeries {
  const x = Array.from({ length: 31 }, (_, epoch) => epoch);
  const center = x.map(
    (epoch) =>
      0.262 +
      2.04 / (1 + 6.5 * epoch * lr * speed) ** 0.62 +
      0.012 * Math.max(0, Math.log10(lr * speed)) * epoch ** 0.5 * 1.7,
  );
  const spread = x.map((epoch, i) =>
    epoch === 0 ? 0 : 0.004 + 0.02 * Math.max(0, Math.log10(lr * speed * 4)) * (1 + 0.6 * noise(i + lr * 37)),
  );
  return {
    label: formatNumber(lr),
    category: optimizer,
    value: lr,
    x,
    y: center.map((value, i) => value + spread[i] * 0.4 * noise(i * 3 + lr)),
    lower: center.map((value, i) => value - spread[i]),
    upper: center.map((value, i) => value + spread[i]),
  };
}

export function mnist(): ConvergenceData {
  return {
    title: "Gradient descent on MNIST, softmax regression",
    subtitle: "Mean over five seeds; bands reach from the lowest to the highest seed.",
    source: "Exercise 2, batch 100, 30 epochs, 5 seeds.",
    x: { label: "epoch" },
    y: { label: "validation loss", scale: "log" },
    colours: { by: "value", label: "learning rate" },
    unit: "epoch",
    panels: [{ series: mnistRates.map((lr) => mnistCurve(lr, "sgd", 1)) }],
  };
}

export function facets(): ConvergenceData {
  const optimizers: [string, number][] = [
    ["sgd", 1],
    ["momentum 0.9", 9],
    ["adam", 60],
  ];
  return {
    ...mnist(),
    title: "Validation loss of three optimizers",
    panels: optimizers.map(([name, speed]) => ({
      title: name,
      series: mnistRates.map((lr) => {
        const series = mnistCurve(lr, name, speed);
        return lr * speed < 80
          ? series
          : {
              ...series,
              lower: undefined,
              upper: undefined,
              y: Array.from(series.y, (y, i) => (i < 2 ? y : i < 5 ? y * 9 ** (i - 1) : Number.NaN)),
              divergedAt: 5,
            };
      }),
    })),
  };
}

export function optimizersAtBest(): ConvergenceData {
  const named: [string, number, number][] = [
    ["sgd", 0.3, 1],
    ["momentum", 0.1, 5],
    ["nesterov", 0.1, 5.6],
    ["adagrad", 0.1, 8],
    ["rmsprop", 0.003, 400],
    ["adam", 0.003, 300],
    ["adamw", 0.003, 290],
    ["adamax", 0.01, 45],
    ["nadam", 0.003, 320],
  ];
  return {
    ...mnist(),
    title: "Each optimizer at its own best setting",
    colours: { by: "category" },
    target: { value: 0.27, label: "target 0.27" },
    panels: [{ series: named.map(([name, lr, speed]) => ({ ...mnistCurve(lr, name, speed), label: name })) }],
  };
}

export function seventeen(): ConvergenceData {
  const rates = Array.from({ length: 17 }, (_, i) => 1e-4 * 10 ** (i / 5));
  return {
    ...mnist(),
    title: "Seventeen learning rates",
    panels: [
      { series: rates.map((lr) => ({ ...mnistCurve(lr, "sgd", 6), lower: undefined, upper: undefined })) },
    ],
  };
}

export type { ComparisonData, HeatMapData, SensitivityData, TrajectoriesData };
export { firstDiverged, lambdaMax, lambdaMin, mnistRates, noise, quadratic, rates1 };

/** Final losses as a softmax regression on MNIST has them, for four optimizers. */
export function sensitivity(): SensitivityData {
  const curve = (
    label: string,
    best: number,
    floor: number,
    width: number,
    limit: number,
    rates: readonly number[],
  ) => {
    const points = rates.map((x, i) => {
      const off = Math.log10(x / best) / width;
      const value = floor + (off < 0 ? 0.09 * off * off : 0.2 * off ** 2.2);
      const half = 0.002 + 0.012 * Math.abs(noise(i + floor * 97)) * (off > 0 ? 2 : 0.6);
      return x > limit
        ? { x, outcome: "diverged" as const }
        : { x, value, lower: value - half, upper: value + half };
    });
    const lowest = Math.min(...points.map((point) => point.value ?? Number.POSITIVE_INFINITY));
    const good = points
      .filter((point) => (point.value ?? Number.POSITIVE_INFINITY) <= lowest * 1.15)
      .map((point) => point.x);
    return { label, points, goodRange: { from: Math.min(...good), to: Math.max(...good) } };
  };
  const rates = Array.from({ length: 13 }, (_, i) => 10 ** (-5 + i / 2));
  return {
    title: "How sensitive each optimizer is to its learning rate",
    subtitle: "Adam forgives over the widest range; momentum diverges first.",
    source: "Exercise 2, 30 epochs, mean of 5 seeds; bars are 95 % intervals.",
    x: { label: "learning rate" },
    y: { label: "validation loss after 30 epochs", scale: "log" },
    tolerance: "within 15 % of the best",
    curves: [
      curve("sgd", 0.4, 0.268, 1, 20, rates.slice(5)),
      curve("momentum", 0.05, 0.266, 0.9, 0.5, rates.slice(3)),
      curve("adam", 0.0012, 0.265, 1.4, 0.3, rates.slice(0, 11)),
      curve("adagrad", 0.04, 0.27, 1.3, 100, rates.slice(3)),
    ],
  };
}

export function sensitivityQuadratic(): SensitivityData {
  const rates = Array.from({ length: 13 }, (_, i) => 10 ** (-4 + i / 4));
  return {
    title: "Heavy ball on the linear model, loss after 200 steps",
    subtitle: "Momentum moves the limit of stability to the right: 2(1 + β)/λmax.",
    x: { label: "learning rate" },
    y: { label: "loss", scale: "log" },
    colours: { by: "value", label: "momentum" },
    references: [
      { x: 2 / lambdaMax, label: "2/λmax" },
      { x: (2 * 1.9) / lambdaMax, label: "2(1 + 0.9)/λmax" },
    ],
    curves: [0, 0.3, 0.6, 0.9].map((beta) => ({
      label: formatNumber(beta),
      value: beta,
      points: rates.map((x) => {
        const run = heavyBall(x, beta, 200);
        return firstDiverged(run.y) === undefined
          ? { x, value: run.y[200] }
          : { x, outcome: "diverged" as const };
      }),
    })),
  };
}

function stabilityBoundary(): [number, number][] {
  return Array.from({ length: 50 }, (_, i) => {
    const beta = -0.2 + (i / 49) * 1.4;
    return [(2 * (1 + beta)) / lambdaMax, beta];
  });
}

function stepsToTarget(lr: number, beta: number) {
  const run = heavyBall(lr, beta, 1000);
  if (firstDiverged(run.y) !== undefined) return { x: lr, y: beta, outcome: "diverged" as const };
  const reached = run.y.findLastIndex((loss) => loss >= 1e-6) + 1;
  return reached > 1000
    ? { x: lr, y: beta, outcome: "not-reached" as const }
    : { x: lr, y: beta, value: reached };
}

export function heatMap(): HeatMapData {
  const rates = Array.from({ length: 17 }, (_, i) => 10 ** (-4 + i / 5));
  const betas = Array.from({ length: 20 }, (_, i) => i * 0.05);
  return {
    title: "Steps of heavy ball until the loss is below 10⁻⁶",
    subtitle:
      "The stable region ends where the theory says; the fastest settings lie close to its upper corner.",
    source: "Exercise 1, float64, at most 1,000 steps.",
    x: { label: "learning rate", scale: "log" },
    y: { label: "momentum" },
    values: { label: "steps to target", scale: "log" },
    boundaries: [{ label: "stability limit 2(1 + β)/λmax", points: stabilityBoundary() }],
    cells: betas.flatMap((beta) => rates.map((lr) => stepsToTarget(lr, beta))),
  };
}

export function smallHeatMap(): HeatMapData {
  const rates = [0.0005, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1];
  return {
    ...heatMap(),
    x: { label: "learning rate", scale: "log", spacing: "even" },
    y: { label: "momentum", spacing: "even" },
    cells: [0, 0.1, 0.3, 0.6, 0.9].flatMap((beta) => rates.map((lr) => stepsToTarget(lr, beta))),
  };
}

export function trajectories(): TrajectoriesData {
  return {
    title: "Paths over the loss of the linear model",
    subtitle:
      "Gradient descent crawls along the valley; momentum swings and arrives; 0.034 is past the limit.",
    surface: (w, b) => quadratic(w + 1, b - 1),
    optima: [[-1, 1]],
    x: { label: "W", domain: [-1.9, 1.2] },
    y: { label: "b", domain: [-1.2, 2.6] },
    paths: [
      { label: "gradient descent 0.01", points: heavyBall(0.01, 0, 200).path },
      { label: "momentum 0.01, 0.9", points: heavyBall(0.01, 0.9, 200).path },
      { label: "momentum 0.02, 0.6", points: heavyBall(0.02, 0.6, 200).path },
      { label: "gradient descent 0.034", points: heavyBall(0.034, 0, 60).path, outcome: "diverged" },
    ],
  };
}

export function rosenbrock(): TrajectoriesData {
  const path = (lr: number, beta: number) => {
    let [x, y, vx, vy] = [-1.4, 1.6, 0, 0];
    const points: [number, number][] = [[x, y]];
    for (let step = 0; step < 2500; step++) {
      vx = beta * vx - 2 * (1 - x) - 400 * x * (y - x * x);
      vy = beta * vy + 200 * (y - x * x);
      x -= lr * vx;
      y -= lr * vy;
      points.push([x, y]);
    }
    return points;
  };
  return {
    title: "Rosenbrock's valley",
    surface: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    optima: [[1, 1]],
    x: { label: "x", domain: [-2, 2] },
    y: { label: "y", domain: [-0.8, 3] },
    paths: [
      { label: "sgd", points: path(0.0005, 0) },
      { label: "momentum", points: path(0.0004, 0.9) },
    ],
  };
}

export function comparison(): ComparisonData {
  const row = (
    label: string,
    setting: string,
    accuracy: number,
    half: number,
    steps: number | undefined,
  ) => ({
    label,
    setting,
    values: [
      { value: 100 * accuracy, lower: 100 * (accuracy - half), upper: 100 * (accuracy + half) },
      steps === undefined
        ? { note: "not reached" }
        : { value: steps, lower: steps * 0.9, upper: steps * 1.12 },
    ],
  });
  return {
    title: "Each optimizer at its best setting",
    subtitle: "Dots are means of five seeds, lines 95 % intervals.",
    source: "Exercise 2, softmax regression, 30 epochs.",
    columns: [
      { label: "test accuracy (%)", better: "higher", format: (value) => formatFixed(value, 2) },
      { label: "steps to validation loss 0.28", scale: "log" },
    ],
    rows: [
      row("sgd", "lr 0.5", 0.9246, 0.0004, 9000),
      row("momentum", "lr 0.05, momentum 0.9", 0.9251, 0.0005, 6100),
      row("nesterov", "lr 0.05, momentum 0.9", 0.9253, 0.0005, 5800),
      row("adagrad", "lr 0.05", 0.9238, 0.0003, 12000),
      row("rmsprop", "lr 0.001", 0.9229, 0.0009, 4700),
      row("adam", "lr 0.001", 0.9256, 0.0006, 3900),
      row("adadelta", "rho 0.9", 0.9182, 0.0004, undefined),
      {
        label: "adamw",
        setting: "lr 10, weightDecay 0.1",
        values: [{ outcome: "diverged" as const, note: "diverged at 57" }, { note: "—" }],
      },
    ],
  };
}

/** Ten digits of which few are taken for others, as after training. */
export function confusionMatrix(): ConfusionMatrixData {
  const counts = Array.from({ length: 10 }, (_, i) =>
    Array.from({ length: 10 }, (_, j) =>
      i === j ? 980 - 3 * i : (i * 7 + j * 5) % 11 === 0 ? 1 + ((i + j) % 9) : 0,
    ),
  );
  return {
    title: "What is taken for what",
    subtitle: "Rows are digits as they are, columns what they were taken for.",
    counts,
  };
}

/** A ring, lighter from tile to tile. */
function ring(step: number): PixelImage {
  const pixels = new Uint8Array(28 * 28);
  for (let y = 0; y < 28; y++)
    for (let x = 0; x < 28; x++)
      pixels[y * 28 + x] = Math.abs(Math.hypot(x - 13.5, y - 13.5) - 9) < 2 ? 255 - 6 * step : 0;
  return { width: 28, height: 28, channels: 1, pixels };
}

export const imageGrid = (): ImageGridData => ({
  title: "Misclassified",
  subtitle: "Under each: what it is, what it was taken for and with which probability.",
  images: Array.from({ length: 25 }, (_, i) => ({
    image: ring(i),
    lines: [`0 \u2192 ${i % 10}`, `${50 + i} %`],
  })),
});

/** Times by Amdahl's law on 1 to 8 ranks, measured on the first three, in two panels. */
export function ranksMeasured(): MeasurementsData {
  const ranks = [1, 2, 4, 8];
  const speedup = (serial: number) => ranks.map((count) => 1 / (serial + (1 - serial) / count));
  const panelOf = (title: string, serials: readonly [number, number]) => ({
    title,
    series: serials.flatMap((serial, i) => {
      const label = `batch ${50 * 10 ** i}`;
      const y = speedup(serial);
      return [
        { label, kind: "forecast" as const, x: ranks, y, ...(i === 0 && { ringAt: 4 }) },
        { label, x: ranks.slice(0, 3), y: y.slice(0, 3).map((value) => 0.96 * value) },
      ];
    }),
    reference: { label: "ideal", x: ranks, y: ranks },
  });
  return {
    title: "Speed-up of ranks",
    subtitle: "Dashed: forecast.",
    source: "Amdahl's law.",
    panels: [panelOf("threads", [0.4, 0.05]), panelOf("processes", [0.5, 0.1])],
    x: { label: "ranks", scale: "log" },
    y: { label: "speed-up", scale: "log" },
    rings: "past this more ranks gain little",
  };
}
