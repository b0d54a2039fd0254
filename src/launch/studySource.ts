/**
 * Where a study comes from, as plain data: worker threads can't be sent a study (it holds functions), so each
 * loads it again from its source.
 */
import { SlalomError } from "../base/errors.js";
import { recordOf, type Study, type StudyOptions, study } from "../lab/index.js";
import { type AverageDescription, averageFrom } from "../learn/averages/index.js";
import { findOptimizer } from "../learn/optimizers/index.js";
import { findProblem } from "../learn/problems/index.js";
import { canonical, firstDifference } from "../runs/json.js";
import { loadUserModule } from "./userModule.js";

export type StudySource = FileSource | TrainSource;

/** A study of a user's file; `index` counts in a file that exports a list. */
export interface FileSource {
  readonly kind: "file";
  readonly path: string;
  readonly index: number;
  readonly overrides: StudyOverrides;
}

/** One run without a file, of a built-in problem. */
export interface TrainSource {
  readonly kind: "train";
  readonly arguments: TrainArguments;
}

/** What the command line puts in place of what a file says. */
export interface StudyOverrides {
  readonly name?: string;
  readonly epochs?: number;
  readonly steps?: number;
  /** How many: 0, 1, 2, ... */
  readonly seeds?: number;
  readonly precision?: "float32" | "bfloat16";
  readonly microBatch?: number;
  readonly gradientNoise?: boolean;
}

export interface TrainArguments
  extends Pick<
    StudyOptions,
    | "name"
    | "steps"
    | "epochs"
    | "batchSize"
    | "microBatch"
    | "gradientNoise"
    | "shuffle"
    | "dtype"
    | "precision"
    | "evaluateEvery"
    | "recordEvery"
    | "earlyStopping"
    | "targets"
  > {
  readonly problem: string;
  readonly optimizer: string;
  /** Hyperparameters, `clipNorm` and `decoupledWeightDecay` by name. */
  readonly settings: Readonly<Record<string, number>>;
  readonly average?: AverageDescription;
  readonly seed: number;
}

/** The study of a source. Errors: those of the file, of unknown names, of impossible options. */
export async function loadStudy(source: StudySource): Promise<Study> {
  if (source.kind === "train") return trainStudy(source.arguments);
  return (await loadStudies(source.path, source.overrides))[source.index];
}

/** All studies of a file: its default export, which is one study or a list. */
export async function loadStudies(path: string, overrides: StudyOverrides = {}): Promise<Study[]> {
  const exports = await loadUserModule(path);
  const exported = exports.default;
  const all: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (all.length === 0 || !all.every(isStudy)) {
    throw new SlalomError(
      "option",
      `${path}: ${wrongExport(exports)}; expected export default study({ ... }), or a list of studies.`,
    );
  }
  if (all.length > 1 && overrides.name !== undefined) {
    throw new SlalomError(
      "option",
      `--name ${overrides.name}: ${path} holds ${all.length} studies (${all.map(({ name }) => name).join(", ")}); a name fits one. Leave it out.`,
    );
  }
  return all.map((one) => overridden(one, overrides));
}

/** Where each study of `loadStudies(path, overrides)` comes from. */
export const sourcesOf = (
  path: string,
  studies: readonly Study[],
  overrides: StudyOverrides = {},
): FileSource[] => studies.map((_, index) => ({ kind: "file", path, index, overrides }));

/** Throws "option" where a study, loaded again, is not the one of this fingerprint. */
export function checkSame(loaded: Study, fingerprint: string, name: string): void {
  const difference = firstDifference(JSON.parse(fingerprint), JSON.parse(fingerprintOf(loaded)));
  if (difference === undefined) return;
  throw new SlalomError(
    "option",
    `study "${name}": its file gives another study each time it is loaded, and every worker thread loads it: ${difference.path} was ${difference.left} and is ${difference.right}. Leave out what changes, such as Math.random() or the date.`,
  );
}

/** Text that is equal for studies that ask the same. */
export function fingerprintOf(loaded: Study): string {
  const { created: _created, versions: _versions, ...question } = recordOf(loaded, noVersions, false);
  return canonical(question);
}

const noVersions = { slalom: "", node: "", backend: "", cpu: "" };

function trainStudy({
  problem,
  optimizer,
  settings,
  average,
  seed,
  name,
  ...options
}: TrainArguments): Study {
  const chosen = findOptimizer(optimizer)(settings);
  const choice = average ? { ...chosen, average: averageFrom(average) } : chosen;
  return study({
    ...options,
    name: name ?? `${problem}-${optimizer}`,
    title: `${choice.optimizer.title} on ${problem}`,
    problem: findProblem(problem),
    optimizers: [choice],
    seeds: [seed],
  });
}

function overridden(
  original: Study,
  { name, epochs, steps, seeds, microBatch, gradientNoise, precision }: StudyOverrides,
): Study {
  const budget =
    epochs !== undefined || steps !== undefined
      ? { epochs, steps }
      : { epochs: original.epochs, steps: original.steps };
  return study({
    ...original,
    ...(name !== undefined && { name }),
    ...budget,
    seeds: seeds ?? original.seeds,
    precision: precision ?? original.precision,
    ...(microBatch !== undefined && { microBatch }),
    ...(gradientNoise !== undefined && { gradientNoise }),
  });
}

const isStudy = (value: unknown): value is Study =>
  typeof value === "object" && value !== null && "problem" in value && "optimizers" in value;

function wrongExport(exports: Readonly<Record<string, unknown>>): string {
  if (exports.default !== undefined) return "its default export is no study";
  const names = Object.keys(exports).filter((name) => name !== "default" && name !== "__esModule");
  return `it has no default export${names.length > 0 ? ` (it exports ${names.join(", ")})` : ""}`;
}
