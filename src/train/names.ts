/** Names of a lane program's variables and entries, and whose history a variable holds. */
import { type SplitName, splitNames } from "../learn/datasets/dataset.js";

/** Names of the program's variables, by purpose. */
export const names = {
  parameter: (name: string): string => `parameter/${name}`,
  state: (name: string): string => `state/${name}`,
  slot: (parameter: string, slot: string): string => `slot/${parameter}/${slot}`,
  /** Of a parameter or a state. */
  average: (name: string): string => `average/${name}`,
  hyper: (name: string): string => `hyper/${name}`,
  inputs: (split: SplitName): string => `${split}/inputs`,
  targets: (split: SplitName): string => `${split}/targets`,
  total: (metric: string): string => `evaluation/${metric}`,
  /** What the parts of a step's batch sum to so far. */
  accumulated: (name: string): string => `accumulated/${name}`,
  /** Parts of a step's batch that are done. */
  part: "accumulated/parts",
  step: "step",
  orderKey: "key/order",
  modelKey: "key/model",
  position: "evaluation/position",
} as const;

const ofLanes: readonly string[] = ["parameter/", "state/", "slot/", "average/"];

/** Whose history a variable holds: its lane's, that of all lanes, or none: written before it is read. */
export function lifeOf(name: string): "lane" | "shared" | "written" {
  if (ofLanes.some((prefix) => name.startsWith(prefix))) return "lane";
  return name === names.step || name.startsWith("key/") ? "shared" : "written";
}

/** What a variable is for; "rest": counters, keys, hyperparameters, sums of evaluations. */
export function purposeOf(name: string): "parameters" | "slots" | "sums" | "data" | "rest" {
  const [kind] = name.split("/");
  if (kind === "slot") return "slots";
  if (kind === "accumulated") return "sums";
  if (ofLanes.includes(`${kind}/`)) return "parameters";
  return (splitNames as readonly string[]).includes(kind) ? "data" : "rest";
}

/** Entry of the training step; its trace "loss" is the batch's loss before the update. */
export const stepEntry = "step";
/** Entry that adds one part of a step's batch to what `stepEntry` then takes. */
export const accumulateEntry = "accumulate";
/**
 * Entry whose trace "loss" is the training loss of the parameters that evaluations look at: problems without batches
 * end with it.
 */
export const measureEntry = "measure";
/** Entry that takes the statistics of one part of the training split anew, for the average. */
export const statisticsEntry = "statistics";
export const evaluateEntry = (split: SplitName): string => `evaluate ${split}`;
