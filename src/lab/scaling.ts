/**
 * Scaling studies: how much faster a training gets with ranks. Strong scaling divides a batch of fixed size among them,
 * weak scaling gives each rank a batch of its own of that size. A speed-up stands only beside a certificate that both
 * trained the same.
 */
import { SlalomError } from "../base/errors.js";
import type { Backend, Executable } from "../compile/backend.js";
import { laneProgram, stepEntry } from "../train/index.js";
import { initialParameters, writeInitialValues } from "../train/initialValues.js";
import { certify, type StoredCertificate } from "./certificate.js";
import { rankTraining } from "./rankTraining.js";
import type { Study } from "./study.js";
import type { TargetStudy } from "./targetTraining.js";
import { configurationsOf } from "./tasks.js";

export type ScalingMode = "strong" | "weak";

export interface ScalingPoint {
  readonly ranks: number;
  /** Or GPUs, each of which has a memory of its own too. */
  readonly processes: number;
  /** Examples of a step, over all ranks. */
  readonly batchSize: number;
  /** Seconds of a step: the median of the samples, the least and the greatest. */
  readonly stepS: { readonly median: number; readonly least: number; readonly greatest: number };
  readonly examplesPerS: number;
  /** Over one rank of the same curve; absent without a certificate. */
  readonly speedup?: number;
  /** Speed-up over ranks. */
  readonly efficiency?: number;
  /** Of ranks above 1. */
  readonly certificate?: StoredCertificate;
}

/** One for each batch size that was asked for: of all ranks in strong scaling, of each in weak. */
export interface ScalingCurve {
  readonly batchSize: number;
  readonly points: readonly ScalingPoint[];
  /** The most ranks of which each step up gained at least a tenth. */
  readonly paysUpTo: number;
}

export interface ScalingStudy {
  readonly study: string;
  readonly optimizer: string;
  readonly mode: ScalingMode;
  readonly backend: string;
  readonly date: string;
  readonly curves: readonly ScalingCurve[];
  /** How far the same batch sizes must train, where that was asked for. */
  readonly target?: TargetStudy;
}

export interface ScaleOptions {
  readonly mode: ScalingMode;
  /** Numbers of ranks; one rank is measured in any case. */
  readonly ranks: readonly number[];
  readonly batchSizes: readonly number[];
  /** A backend of so many ranks; it is closed after use. */
  readonly backendOf: (ranks: number) => Promise<Backend>;
  /** Updates of the trainings that certify; default 20. */
  readonly certifySteps?: number;
  /** Seconds of a sample; default 0.5. */
  readonly sampleS?: number;
  /** Told of each point. */
  readonly onPoint?: (point: ScalingPoint) => void;
}

const samples = 5;

/**
 * Measures the study's first optimizer at its first setting. Starting, compiling, evaluation and certificates are not in
 * the times.
 * @throws SlalomError "option" for a study without batches or for impossible numbers
 */
export async function scale(study: Study, options: ScaleOptions): Promise<ScalingStudy> {
  const { mode, batchSizes, backendOf, onPoint = () => {} } = options;
  checkPositive("ranks", options.ranks);
  checkPositive("batch", batchSizes);
  const ranks = [...new Set([1, ...options.ranks])].sort((a, b) => a - b);
  const curves: ScalingCurve[] = [];
  let description = "";
  for (const batchSize of batchSizes) {
    const points: ScalingPoint[] = [];
    for (const count of ranks) {
      const asked: Study = { ...study, batchSize: mode === "weak" ? batchSize * count : batchSize };
      const backend = await backendOf(count);
      try {
        const point = await measured(asked, backend, points[0], options);
        points.push(point);
        onPoint(point);
        description = backend.description;
      } finally {
        await backend.close?.();
      }
    }
    curves.push({ batchSize, points, paysUpTo: paysUpTo(points) });
  }
  const [{ configuration }] = configurationsOf(study, undefined, study.seeds.slice(0, 1), "cpu");
  const { label, optimizer } = configuration;
  const date = new Date().toISOString();
  return { study: study.name, optimizer: label ?? optimizer, mode, backend: description, date, curves };
}

async function measured(
  study: Study,
  backend: Backend,
  alone: ScalingPoint | undefined,
  { certifySteps = 20, sampleS = 0.5 }: ScaleOptions,
): Promise<ScalingPoint> {
  const { ranks = 1, processes = 1 } = backend;
  const batchSize = study.batchSize as number;
  const certificate = ranks === 1 ? undefined : await certify(study, { backend, steps: certifySteps });
  const stepS = await timeOfStep(study, backend, sampleS);
  const examplesPerS = batchSize / stepS.median;
  const speedup = examplesPerS / (alone?.examplesPerS ?? examplesPerS);
  const isCertified = certificate === undefined || certificate.passed;
  return {
    ranks,
    processes,
    batchSize,
    stepS,
    examplesPerS,
    ...(isCertified && { speedup, efficiency: speedup / ranks }),
    ...(certificate && { certificate }),
  };
}

async function timeOfStep(study: Study, backend: Backend, sampleS: number): Promise<ScalingPoint["stepS"]> {
  const { training } = await rankTraining("scale", study, { backend: backend.name });
  const program = laneProgram(training, 1, backend.ranks);
  // Before the program takes its memory.
  const initial = initialParameters(training, program.built, backend);
  const executable = backend.compile(program.program);
  try {
    writeInitialValues(executable, training, program, initial);
    const most = program.program.traceCapacity;
    const steps = stepsOfSample(executable, sampleS, most);
    const times = Array.from({ length: samples }, () => timeOf(executable, steps)).sort((a, b) => a - b);
    return { median: times[(samples - 1) / 2], least: times[0], greatest: times[samples - 1] };
  } finally {
    executable.release();
  }
}

/** Enough steps for a sample, found while the program warms up. */
function stepsOfSample(executable: Executable, sampleS: number, most: number): number {
  timeOf(executable, 1);
  let steps = 1;
  while (steps < most && timeOf(executable, steps) * steps < sampleS / 2) steps = Math.min(most, 2 * steps);
  return steps;
}

/** Seconds of a step. */
function timeOf(executable: Executable, steps: number): number {
  const started = performance.now();
  executable.run(stepEntry, steps);
  return (performance.now() - started) / 1000 / steps;
}

/** Gains below this are not worth a rank. */
const worthwhile = 1.1;

/** The most ranks of which each step up gained at least a tenth, and is certified; of points with rising ranks. */
export function paysUpTo(
  points: readonly Pick<ScalingPoint, "ranks" | "examplesPerS" | "speedup">[],
): number {
  let [last] = points;
  for (const point of points.slice(1)) {
    if (point.speedup === undefined || point.examplesPerS < worthwhile * last.examplesPerS) break;
    last = point;
  }
  return last.ranks;
}

function checkPositive(what: string, values: readonly number[]): void {
  if (values.length > 0 && values.every((value) => Number.isInteger(value) && value > 0)) return;
  throw new SlalomError(
    "option",
    `scale: ${what} ${values.join(",")}; expected positive integers, such as 1,2,4.`,
  );
}
