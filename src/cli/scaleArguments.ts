/** Values of the options of `slalom scale`, checked while they are parsed. */
import { InvalidArgumentError } from "commander";
import type { BatchRule } from "../learn/schedules/index.js";

export interface GoalArgument {
  /** Absent: an accuracy of the study. */
  readonly metric?: string;
  readonly value: number;
}

/** "0.99" or "validationLoss=0.05": a value to reach, and of which metric. */
export function goal(text: string): GoalArgument {
  const [, metric, value] = /^(?:([A-Za-z]\w*)=)?(.+)$/.exec(text) ?? [];
  if (value !== undefined && Number.isFinite(Number(value))) {
    return { value: Number(value), ...(metric !== undefined && { metric }) };
  }
  throw new InvalidArgumentError('Expected a value, such as "0.99" or "validationLoss=0.05".');
}

const rulesByName: Readonly<Record<string, BatchRule>> = {
  kept: "kept",
  linear: "linear",
  sqrt: "squareRoot",
};

/** "kept,linear,sqrt". */
export function batchRules(text: string): BatchRule[] {
  const names = [...new Set(text.split(","))];
  const unknown = names.find((name) => !Object.hasOwn(rulesByName, name));
  if (unknown === undefined) return names.map((name) => rulesByName[name]);
  throw new InvalidArgumentError(`"${unknown}" is no rule. Expected some of kept,linear,sqrt.`);
}

/** Above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}
