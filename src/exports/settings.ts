/** What sets the runs of a study apart, as columns of tables and as hyperparameters of other programs. */

import type { RunConfiguration, StoredRun } from "../runs/index.js";
import { canonical } from "../runs/json.js";

/** What the optimizer of a run is called: two choices of one optimizer have different labels. */
export const optimizerOf = ({ label, optimizer }: RunConfiguration): string => label ?? optimizer;

/** Its hyperparameters, and what goes around the optimizer; a schedule as JSON. */
export const settingsOf = ({
  hyperparameters,
  schedule,
  clipNorm,
  decoupledWeightDecay,
}: RunConfiguration): Readonly<Record<string, number | string>> => ({
  ...hyperparameters,
  ...(clipNorm !== undefined && { clipNorm }),
  ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
  ...(schedule !== undefined && { schedule: canonical(schedule) }),
});

/** Names of the settings that some run has, in the order in which they appear. */
export const settingNames = (runs: readonly StoredRun[]): string[] => [
  ...new Set(runs.flatMap(({ configuration }) => Object.keys(settingsOf(configuration)))),
];
