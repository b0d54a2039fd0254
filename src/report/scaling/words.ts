/** Scaling studies in words. */
import type { BatchRule } from "../../learn/schedules/index.js";

const rules: Readonly<Record<BatchRule, string>> = {
  kept: "kept",
  linear: "linear",
  squareRoot: "square root",
};

/** How the learning rate follows the batch, as tables and legends name it. */
export const ruleInWords = (rule: BatchRule): string => rules[rule];
