/** Scaling studies in words. */
import type { BatchRule } from "../../learn/schedules/index.js";
import { listed } from "../words.js";

const rules: Readonly<Record<BatchRule, string>> = {
  kept: "kept",
  linear: "linear",
  squareRoot: "square root",
};

/** How the learning rate follows the batch, as tables and legends name it. */
export const ruleInWords = (rule: BatchRule): string => rules[rule];

/** "seed 0"; of several what is told of them: "the median of seeds 0, 1 and 2, with the range". */
export const seedsInWords = (seeds: readonly number[]): string =>
  seeds.length === 1
    ? `seed ${seeds[0]}`
    : `the median of seeds ${listed(seeds.map(String))}, with the range`;
