/** What ranks are measured and certified at: one setting and seed of a study, in whole batches that they share, and no more. */
import { SlalomError } from "../base/errors.js";
import type { RunConfiguration } from "../runs/index.js";
import type { LaneTraining } from "../train/index.js";
import type { Study } from "./study.js";
import { configurationsOf, laneTraining } from "./tasks.js";

export interface RankTraining {
  readonly configuration: RunConfiguration;
  readonly training: LaneTraining;
  /** Examples of a step, over all ranks. */
  readonly batchSize: number;
}

/**
 * The first setting of the study's optimizer number `choice`, with its first seed.
 * @param where who asks, for errors
 * @throws SlalomError "option" for a study without batches
 */
export async function rankTraining(
  where: string,
  study: Study,
  { backend, choice = 0 }: { readonly backend: string; readonly choice?: number },
): Promise<RankTraining> {
  const dataset = await study.problem.dataset?.load();
  const { batchSize } = study;
  if (dataset === undefined || batchSize === "full") {
    throw new SlalomError(
      "option",
      `${where}: study "${study.name}" has no batches; expected a problem with data and a batchSize, which ranks share.`,
    );
  }
  const all = configurationsOf(study, dataset, study.seeds.slice(0, 1), backend);
  const { configuration } = all.find((one) => one.choice === choice)!;
  const task = { choice, seed: configuration.seed, configurations: [configuration] };
  const { microBatch: _parts, ...training } = laneTraining(study, dataset, task);
  // Whole batches have no parts that would tell of noise.
  return { configuration, training: { ...training, gradientNoise: false }, batchSize };
}
