/** Values of the options of `slalom scale`, checked while they are parsed. */
import { InvalidArgumentError } from "commander";
import type { StepTime } from "../lab/forecast.js";
import { type Link, links } from "../lab/links.js";
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

export const overlapShare = (text: string): number => {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("Expected a share from 0 to 1.");
};

/** "nvlink", "measured", or "alpha=2e-6,beta=1e-10". */
export function link(text: string): Link | "measured" {
  const known = links.find(({ name }) => name === text);
  if (known) return known;
  if (text === "measured") return text;
  const parts = Object.fromEntries(text.split(",").map((part) => part.split("=", 2)));
  const [alphaS, betaSPerByte] = [Number(parts.alpha), Number(parts.beta)];
  const isGiven = Object.keys(parts).sort().join() === "alpha,beta";
  if (isGiven && [alphaS, betaSPerByte].every((value) => value >= 0 && Number.isFinite(value))) {
    return { name: text, alphaS, betaSPerByte, source: "given" };
  }
  const names = links.map(({ name }) => name).join(", ");
  throw new InvalidArgumentError(
    `Expected ${names}, measured, or seconds of a message and of a byte, such as alpha=2e-6,beta=1e-10.`,
  );
}

/** "50=0.0004,5000=0.006": seconds of a step by its examples. */
export function stepTimes(text: string): StepTime[] {
  return text.split(",").map((part) => {
    const [, batchSize, seconds] = /^(\d+)=(.+)$/.exec(part) ?? [];
    if (Number(batchSize) > 0 && Number(seconds) > 0 && Number.isFinite(Number(seconds))) {
      return { batchSize: Number(batchSize), seconds: Number(seconds) };
    }
    throw new InvalidArgumentError(
      "Expected examples of a step and its seconds on one rank, such as 50=0.0004,5000=0.006.",
    );
  });
}
