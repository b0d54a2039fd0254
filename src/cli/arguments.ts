/** Values of command line options, checked while they are parsed: a wrong one names the option. */
import { InvalidArgumentError } from "commander";

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive integer.");
}

/** "1,2,4". */
export const positiveIntegers = (text: string): number[] => text.split(",").map(positiveInteger);

/** 0 switches off what counts. */
export function integerFromZero(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("Expected an integer of at least 0.");
}

/** "0,1", each once, or "all". */
export function deviceNumbers(text: string): readonly number[] | "all" {
  if (text === "all") return text;
  const numbers = text.split(",");
  const isList = numbers.every((number) => /^\d{1,4}$/.test(number));
  if (isList && new Set(numbers.map(Number)).size === numbers.length) return numbers.map(Number);
  throw new InvalidArgumentError("Expected numbers of GPUs, such as 0,1, each once, or all.");
}

/** "2/8": the second of eight shares. */
export function share(text: string): { readonly number: number; readonly of: number } {
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (number >= 1 && number <= of) return { number, of };
  throw new InvalidArgumentError("Expected a share of so many, such as 2/8.");
}

/** Adds a text to those before, where an option may be given several times. */
export const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

export const batchSize = (text: string): number | "full" =>
  text === "full" ? "full" : positiveInteger(text);

/** "100" counts steps, "0.5epochs" epochs. */
export function evaluationInterval(text: string): number | { readonly epochs: number } {
  const [, epochs] = /^(\d*\.?\d+)epochs?$/.exec(text) ?? [];
  if (epochs === undefined) return positiveInteger(text);
  if (Number(epochs) > 0) return { epochs: Number(epochs) };
  throw new InvalidArgumentError("Expected epochs above 0.");
}

/** Adds one `name=value` to those before. */
export function setting(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const [, name, value] = /^([A-Za-z]\w*)=(.+)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Expected name=value, such as "lr=0.1".');
  const number = Number(value);
  if (!Number.isFinite(number)) {
    throw new InvalidArgumentError(
      `"${value}" is no number. A run has one value for each setting; lists are for studies.`,
    );
  }
  return { ...before, [name]: number };
}

export interface AverageArgument {
  readonly id: string;
  readonly parameters: Readonly<Record<string, number>>;
}

/** The first word names the average, further ones are `name=value`. */
export const average = (text: string, before?: AverageArgument): AverageArgument =>
  before === undefined
    ? { id: text, parameters: {} }
    : { ...before, parameters: setting(text, before.parameters) };

/** "5" or "trainLoss=5": the evaluations that a run waits for a better one, and by which metric. */
export function patience(text: string): { readonly patience: number; readonly metric?: string } {
  const [, metric, count] = /^(?:([A-Za-z]\w*)=)?(.*)$/.exec(text) ?? [];
  return { patience: positiveInteger(count), ...(metric !== undefined && { metric }) };
}

export interface TargetArgument {
  readonly metric: string;
  readonly value: number;
}

/** Adds one `metric=value` to those before. */
export function target(text: string, before: readonly TargetArgument[] = []): readonly TargetArgument[] {
  const [, metric, value] = /^([A-Za-z][\w.]*)=(.+)$/.exec(text) ?? [];
  if (metric === undefined || !Number.isFinite(Number(value))) {
    throw new InvalidArgumentError('Expected metric=value, such as "trainLoss=1e-4".');
  }
  return [...before, { metric, value: Number(value) }];
}
