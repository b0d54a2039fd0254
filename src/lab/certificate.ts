/**
 * The parity certificate: a training shared by ranks is the training of one rank. One rank trains first. Then all ranks, and
 * one that rounds otherwise, make the same steps stretch by stretch, each from where the first one stood: ranks may differ by
 * no more than a small multiple of what rounding makes of the same quantity.
 */
import { dirname, join } from "node:path";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { BuiltProblem } from "../learn/problems/problem.js";
import { encode, makeFolder, writeWhole } from "../runs/index.js";
import { divergenceFactor, type LaneTraining, variableNames } from "../train/index.js";
import { isTelling, isWithin, type ParityQuantity, parityOf } from "./parity.js";
import { rankTraining } from "./rankTraining.js";
import { Replay, type TrainingState } from "./replay.js";
import { nudged, summingInHalves } from "./roundedOtherwise.js";
import { differencesFrom, inStretches, lengthsOf, lossName, type Stretches } from "./stretches.js";
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
  /** Each begins where one rank stood. */
  readonly stretches: number;
  /** Of all steps together. */
  readonly examplesPerRank: number;
  /** What ranks sum in each step: loss, metrics, gradients. */
  readonly summedPerStep: Summed;
  /** All that training changes and the loss, the nearest to its bound first. */
  readonly quantities: readonly ParityQuantity[];
  /** Parameters in which a mistake would not show, as rounding alone decides them or hides it. */
  readonly undetermined: readonly string[];
  /** Of the loss, and of what is nearest to its bound among all else. */
  readonly difference: ParityDifference;
  /** What rounding alone makes of them: one rank that sums in halves, from a start that is off by the last digit. */
  readonly rounding: ParityDifference;
  /** How much `difference` may be. */
  readonly bound: ParityDifference;
  /** Where statistics of parts of a batch make them another training, ranks are held against one rank with parts. */
  readonly against: "whole batches" | "batches in parts";
  /** "inconclusive" where all is within bounds and rounding hides most parameters: a mistake could be there as well. */
  readonly verdict: "passed" | "failed" | "inconclusive";
  readonly passed: boolean;
}

/** As a study may hold it: earlier versions told the parameters together, relative to their largest element. */
export type StoredCertificate = Omit<Certificate, NewSince> & Partial<Pick<Certificate, NewSince>>;
type NewSince = "stretches" | "quantities" | "undetermined" | "verdict";

export interface ParityDifference {
  /** Relative to the loss. */
  readonly loss: number;
  /** Relative to what a stretch changes. */
  readonly parameters: number;
  /** What is told under `parameters`. */
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

const defaultSteps = 100;

/** Few enough that their states find room in memory, and enough to tell the rare from the common. */
const mostStretches = 10;

/**
 * Trains the study's first seed three times: on one rank, on one rank that rounds otherwise, on all ranks of the backend.
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
    recordParameters: false,
  };
  const statistics = statisticsIn(training.problem.build(training.dataset));
  const one = statistics === "of parts" ? { ...training, microBatch: batchSize / ranks } : training;
  const alone: Backend = { ...backend, ranks: 1 };
  const lengths = lengthsOf(steps, mostStretches);

  onTraining(one === training ? "one rank" : `one rank, batches in ${ranks} parts`, 1, 3);
  const reference = await replayed(one, alone, (replay) => inStretches(replay, lengths));
  checkLearning(reference, steps);
  onTraining("the same, its sums in halves and its starts off by the last digit", 2, 3);
  const unit = training.dtype === "float32" ? 2 ** -23 : 2 ** -52;
  const rounding = await replayed(one, summingInHalves(alone), (replay) =>
    differencesFrom(reference, replay, (stretch) => nudgedStart(reference, stretch, unit)),
  );
  onTraining(`${ranks} ranks`, 3, 3);
  const { differences, summedPerStep } = await replayed(training, backend, async (replay) => ({
    differences: await differencesFrom(reference, replay),
    summedPerStep: summedIn(replay.program.program),
  }));
  const quantities = parityOf(differences, rounding, unit);
  const undetermined = undeterminedAmong(quantities, reference);
  const verdict = verdictOf(quantities, undetermined);
  return {
    study: study.name,
    optimizer: configuration.label ?? configuration.optimizer,
    backend: backend.description,
    ranks,
    processes,
    batchSize,
    precision: training.precision ?? training.dtype,
    steps,
    stretches: lengths.length,
    examplesPerRank: (steps * batchSize) / ranks,
    summedPerStep,
    quantities,
    undetermined: undetermined.map(({ name }) => name),
    difference: togetherOf(quantities, ({ difference }) => difference),
    rounding: togetherOf(quantities, ({ rounding: rounded }) => rounded),
    bound: togetherOf(quantities, ({ bound }) => bound),
    against: one === training ? "whole batches" : "batches in parts",
    verdict,
    passed: verdict === "passed",
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

/** What `use` makes of a training that stands at its start. */
async function replayed<T>(
  training: LaneTraining,
  backend: Backend,
  use: (replay: Replay) => Promise<T>,
): Promise<T> {
  const replay = new Replay(training, backend);
  try {
    return await use(replay);
  } finally {
    replay.release();
  }
}

function nudgedStart({ states }: Stretches, stretch: number, unit: number): TrainingState {
  const [start, end] = [states[stretch], states[stretch + 1]];
  const variables = Object.keys(start).filter(isParameter);
  return nudged(start, end, { variables, unit, seed: stretch });
}

const isParameter = (variable: string): boolean => variable.startsWith(variableNames.parameter(""));

function checkLearning({ losses }: Stretches, steps: number): void {
  const all = losses.flat();
  const [first, last] = [all[0], all[all.length - 1]];
  if (all.every(Number.isFinite) && !(first > 0 && last > divergenceFactor * first)) return;
  throw new SlalomError(
    "option",
    `certify: the training diverged within ${steps} steps; expected one that learns. Take a smaller learning rate, or fewer steps.`,
  );
}

interface Undetermined {
  readonly name: string;
  /** Of all numbers of the parameters. */
  readonly share: number;
}

function undeterminedAmong(
  quantities: readonly ParityQuantity[],
  { states: [start] }: Stretches,
): Undetermined[] {
  const parameters = Object.keys(start).filter(isParameter);
  const total = parameters.reduce((sum, variable) => sum + start[variable].length, 0);
  return quantities.flatMap((quantity) => {
    const values = start[variableNames.parameter(quantity.name)];
    return values === undefined || isTelling(quantity)
      ? []
      : [{ name: quantity.name, share: values.length / total }];
  });
}

function verdictOf(
  quantities: readonly ParityQuantity[],
  undetermined: readonly Undetermined[],
): Certificate["verdict"] {
  if (!quantities.every(isWithin)) return "failed";
  const hidden = undetermined.reduce((sum, { share }) => sum + share, 0);
  return hidden > 0.5 ? "inconclusive" : "passed";
}

function togetherOf(
  quantities: readonly ParityQuantity[],
  told: (quantity: ParityQuantity) => number,
): ParityDifference {
  const loss = quantities.find(({ name }) => name === lossName)!;
  const worst = quantities.find((one) => one !== loss)!;
  return { loss: told(loss), parameters: told(worst), worst: worst.name };
}

/** The file of a certificate in a study's folder: one for each world and batch size. */
export function certificateFile(
  studyFolder: string,
  { ranks, processes, batchSize, optimizer }: StoredCertificate,
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
