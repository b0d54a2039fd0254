/**
 * The parity certificate: a training shared by ranks is the training of one rank. Both run side by side, and so does a
 * third one that shows what rounding alone does: one rank that takes each batch in the parts that ranks would take, which
 * is the same sum in another order. Ranks may differ from one rank by no more than a small multiple of that. Where a model
 * takes statistics of batches, parts are another training: there rounding shows in one whose start is off by the last digit.
 */
import { dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import { encode, makeFolder, writeWhole } from "../runs/index.js";
import { type LaneTraining, laneProgram, type ModelValues, trainLanes } from "../train/index.js";
import { nudgedStart } from "./nudgedStart.js";
import { rankTraining } from "./rankTraining.js";
import type { Study } from "./study.js";
import { type Summed, summedIn } from "./summed.js";

export interface Certificate {
  readonly study: string;
  /** The optimizer that was certified, by its label or id. */
  readonly optimizer: string;
  readonly backend: string;
  readonly ranks: number;
  /** Or GPUs, each of which has a memory of its own too. */
  readonly processes: number;
  readonly batchSize: number;
  readonly precision: "float32" | "float64" | "bfloat16";
  readonly steps: number;
  /** Of all steps together. */
  readonly examplesPerRank: number;
  /** What ranks sum in each step: loss, metrics, gradients. */
  readonly summedPerStep: Summed;
  /** Relative to the largest loss, and to the largest element of a parameter. */
  readonly difference: ParityDifference;
  /** What rounding alone makes: the same between one rank and one that sums in parts, or starts a digit off. */
  readonly rounding: ParityDifference;
  /** How much `difference` may be. */
  readonly bound: ParityDifference;
  /** Where statistics of parts of a batch make them another training, ranks are held against one rank with parts. */
  readonly against: "whole batches" | "batches in parts";
  readonly passed: boolean;
}

export interface ParityDifference {
  /** Of the losses of all steps. */
  readonly loss: number;
  /** Of the parameters after the last step. */
  readonly parameters: number;
  /** The parameter that differs most. */
  readonly worst: string;
}

export interface CertifyOptions {
  readonly backend: Backend;
  /** Updates; default 100, at most those of the study. */
  readonly steps?: number;
  /** Number of the optimizer among the study's, with its first setting; default 0. */
  readonly choice?: number;
  /** Told what is trained next, of how many trainings. */
  readonly onTraining?: (what: string, number: number, of: number) => void;
}

/** How many times the effect of rounding ranks may differ: they round at other places too, in products of other shapes. */
const tolerance = 16;

const defaultSteps = 100;

/**
 * Trains the study's first seed three times: on one rank, on one rank as rounding changes it, on all ranks of the backend.
 * @throws SlalomError "option" for a study without batches that ranks share, or a model with statistics of whole batches
 *   and of parts too; "device" for a backend of one rank
 */
export async function certify(study: Study, options: CertifyOptions): Promise<Certificate> {
  const { backend, choice = 0, onTraining = () => {} } = options;
  const { ranks = 1, processes = 1 } = backend;
  if (ranks === 1) {
    throw new SlalomError(
      "device",
      "certify: the backend has 1 rank; expected several: there is nothing to compare. Ask for --ranks 2, or start with mpirun.",
    );
  }
  const asked = await rankTraining("certify", study, { backend: backend.name, choice });
  const { configuration, batchSize } = asked;
  const { earlyStopping: _stopping, ...rest } = asked.training;
  const steps = Math.min(options.steps ?? defaultSteps, asked.training.steps);
  const training: LaneTraining = {
    ...rest,
    steps,
    evaluate: [],
    evaluateAtEnd: [],
    keepModel: true,
    evaluateEvery: steps,
    recordEvery: 1,
    recordParameters: false,
  };
  const backendOfOne: Backend = { ...backend, ranks: 1 };
  const { program, built } = laneProgram(training, 1, ranks);
  const statistics = statisticsIn(built);
  const parts = { ...training, microBatch: batchSize / ranks };
  const one = statistics === "of parts" ? parts : training;
  const other = statistics === "none" ? parts : nudgedStart(one);

  const inParts = `one rank, batches in ${ranks} parts`;
  onTraining(one === parts ? inParts : "one rank", 1, 3);
  const alone = await trained(one, backendOfOne);
  onTraining(other === parts ? inParts : "the same, its start off by the last digit", 2, 3);
  const beside = await trained(other, backendOfOne);
  onTraining(`${ranks} ranks`, 3, 3);
  const shared = await trained(training, backend);

  const rounding = differenceOf(alone, beside);
  const difference = differenceOf(alone, shared);
  const least = leastBound(training);
  const bound = {
    loss: Math.max(tolerance * rounding.loss, least),
    parameters: Math.max(tolerance * rounding.parameters, least),
    worst: rounding.worst,
  };
  return {
    study: study.name,
    optimizer: configuration.label ?? configuration.optimizer,
    backend: backend.description,
    ranks,
    processes,
    batchSize,
    precision: training.precision ?? training.dtype,
    steps,
    examplesPerRank: (steps * batchSize) / ranks,
    summedPerStep: summedIn(program),
    difference,
    rounding,
    bound,
    against: one === parts ? "batches in parts" : "whole batches",
    passed: difference.loss <= bound.loss && difference.parameters <= bound.parameters,
  };
}

/** Of which examples the model takes statistics. */
function statisticsIn({ state = {} }: BuiltProblem): "none" | "of batches" | "of parts" {
  const specs = Object.values(state);
  if (specs.length === 0) return "none";
  const count = specs.filter(({ follows }) => follows === "batch").length;
  if (count === 0) return "of parts";
  if (count === specs.length) return "of batches";
  throw new SlalomError(
    "option",
    "certify: some layers take statistics of whole batches and others those of parts; expected one of both: no training of one rank is the same. Take batchNorm with synchronized everywhere, or nowhere.",
  );
}

/** What a training came to: the loss of each step, the parameters in the end. */
interface Trained {
  readonly losses: readonly number[];
  readonly parameters: ModelValues;
}

async function trained(training: LaneTraining, backend: Backend): Promise<Trained> {
  const losses: number[] = [];
  let parameters: ModelValues | undefined;
  let status = "";
  await trainLanes(training, backend, {
    rows: (_lane, rows) => {
      for (const { batchLoss } of rows) if (batchLoss !== undefined) losses.push(batchLoss);
    },
    model: (_lane, { last }) => {
      parameters = last;
    },
    finish: (_lane, outcome) => {
      status = outcome.status;
    },
  });
  if (parameters === undefined) {
    throw new SlalomError(
      "option",
      `certify: the training ended as ${status} within ${training.steps} steps; expected one that learns. Take a smaller learning rate, or fewer steps.`,
    );
  }
  return { losses, parameters };
}

function differenceOf(a: Trained, b: Trained): ParityDifference {
  const loss = relativeDifference(a.losses, b.losses);
  let [parameters, worst] = [0, ""];
  for (const [name, { data }] of Object.entries(a.parameters)) {
    const own = relativeDifference(data, b.parameters[name].data);
    if (own >= parameters) [parameters, worst] = [own, name];
  }
  return { loss, parameters, worst };
}

/** The largest difference of two elements over the largest element; infinite where one is no number. */
function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [largest, difference] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(a[i]));
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
  }
  if (a.length !== b.length || Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  return difference === 0 ? 0 : difference / largest;
}

/** Differences that are within rounding in any case: some units in the last place for each step. */
function leastBound({ dtype, steps }: LaneTraining): number {
  const unit = dtype === "float32" ? 2 ** -24 : 2 ** -53;
  return 8 * unit * steps;
}

/** The file of a certificate in a study's folder: one for each world and batch size. */
export function certificateFile(
  studyFolder: string,
  { ranks, processes, batchSize, optimizer }: Certificate,
): string {
  const label = optimizer.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return join(
    studyFolder,
    "certificates",
    `${label}-ranks=${ranks}-processes=${processes}-batch=${batchSize}.json`,
  );
}

/** Keeps it in the study's folder, in place of an earlier one for the same. */
export function keepCertificate(studyFolder: string, certificate: Certificate): void {
  const path = certificateFile(studyFolder, certificate);
  makeFolder(dirname(path));
  writeWhole(path, `${encode(certificate)}\n`);
}
