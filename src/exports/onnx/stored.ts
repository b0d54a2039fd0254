/** The model that a stored run keeps, as an ONNX file. */
import { SlalomError } from "../../base/errors.js";
import type { Dataset } from "../../learn/datasets/index.js";
import type { Problem } from "../../learn/problems/index.js";
import {
  betterSide,
  hasModel,
  readModel,
  type StoredRun,
  type StoredStudy,
  type WhichModel,
} from "../../runs/index.js";
import { canonical } from "../../runs/json.js";
import { type OnnxModel, type OnnxModelOptions, onnxModel, withoutLogits } from "./model.js";

export interface StoredOnnxOptions extends Pick<OnnxModelOptions, "batch"> {
  /** What the study trained. */
  readonly problem: Problem;
  /** Default: of those that keep a model the one that did best, on the validation split or else by its training loss. */
  readonly run?: StoredRun;
  /** Default: the best one where the run keeps it, else the last. */
  readonly which?: WhichModel;
}

export interface StoredOnnxModel extends OnnxModel {
  readonly run: string;
  readonly which: WhichModel;
  /** Updates made until then. */
  readonly step: number;
}

/**
 * The model of a stored run as `onnxModel` gives it, with study, run and settings in its metadata.
 * @throws SlalomError "option" as `onnxModel`, and for another problem than the study's; "store" where no model is kept
 */
export async function storedOnnxModel(
  study: StoredStudy,
  { problem, batch, ...choice }: StoredOnnxOptions,
): Promise<StoredOnnxModel> {
  checkProblem(study, problem);
  const { run, which } = chosenModel(study, choice);
  const { values, step } = readModel(run.folder, which);
  const dataset: Dataset | undefined = await problem.dataset?.load();
  if (dataset === undefined) throw withoutLogits(problem);
  const metadata = {
    study: study.record.name,
    run: run.id,
    which,
    step: `${step}`,
    configuration: canonical(run.configuration),
  };
  return { ...onnxModel({ problem, dataset, values, batch, metadata }), run: run.id, which, step };
}

function chosenModel(
  study: StoredStudy,
  { run: wanted, which }: Pick<StoredOnnxOptions, "run" | "which">,
): { run: StoredRun; which: WhichModel } {
  const run = wanted ?? bestRun(study, which);
  const any = keptModel(run);
  if (any === undefined) throw withoutModel(`run ${run.id} (${run.status}) keeps none`);
  const kept = which ?? any;
  if (hasModel(run.folder, kept)) return { run, which: kept };
  throw new SlalomError(
    "store",
    `export to ONNX: run ${run.id} keeps its ${any} model alone, no ${kept} one: its evaluations had no validation split to be ranked by. Take the ${any} model.`,
  );
}

const keptModel = ({ folder }: StoredRun): WhichModel | undefined =>
  (["best", "last"] as const).find((which) => hasModel(folder, which));

/** Of the runs that keep that model, or any, the one whose model did best; the first of equals. */
function bestRun({ record, runs }: StoredStudy, which: WhichModel | undefined): StoredRun {
  const candidates = runs.flatMap((run) => {
    const kept = which ?? keptModel(run);
    return run.summary && kept && hasModel(run.folder, kept) ? [{ run, summary: run.summary, kept }] : [];
  });
  const metric = rankingMetrics.find((name) => candidates.every(({ summary }) => name in summary.final));
  const scoreOf = ({ summary, kept }: (typeof candidates)[number]): number => {
    if (metric === undefined) return 0;
    const value = kept === "best" ? (summary.best[metric]?.value ?? Number.NaN) : summary.final[metric];
    return betterSide(metric) === "above" ? value : -value;
  };
  if (candidates.length === 0)
    throw withoutModel(`no run of "${record.name}" keeps ${which === undefined ? "one" : `its ${which}`}`);
  return candidates.reduce((best, one) => (scoreOf(one) > scoreOf(best) ? one : best)).run;
}

/** As evaluations are ranked in training; without a validation split the training loss tells. */
const rankingMetrics = ["validationAccuracy", "validationLoss", "trainLoss"];

const withoutModel = (what: string): SlalomError =>
  new SlalomError(
    "store",
    `export to ONNX: there is no model: ${what}; expected a run that reached its last step in a study with keepModel: true.`,
  );

function checkProblem({ record }: StoredStudy, { name, options }: Problem): void {
  const [trained, given] = [record.problemOptions ?? {}, options].map(canonical);
  if (record.problem === name && trained === given) return;
  throw new SlalomError(
    "option",
    `export to ONNX: study "${record.name}" trained the problem "${record.problem}" with options ${trained}; received "${name}" with ${given}. Give the problem that it trained.`,
  );
}
