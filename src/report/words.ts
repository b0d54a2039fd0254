/** Numbers, settings and lists as a reader expects them in a sentence, a table or a legend. */
import { formatFixed, formatNumber } from "../figures/index.js";
import type { GoodRange } from "../lab/statistics/index.js";
import type { Json, Target } from "../runs/index.js";

/** "a", "a and b", "a, b and c". */
export function listed(items: readonly string[], conjunction: "and" | "or" = "and"): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} ${conjunction} ${items[items.length - 1]}`;
}

/** "1 run", "12,500 runs", "no runs". */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count === 0 ? "no" : integer(count)} ${count === 1 ? singular : plural}`;
}

/** A count in full: 12,500. */
export const integer = (value: number): string => formatFixed(value, 0);

/** Seconds as people say them: "0.8 ms", "4.2 s", "3 min 20 s", "2 h 5 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds === 0) return "0 s";
  if (seconds < 1e-3) return `${formatNumber(seconds * 1e6)} µs`;
  if (seconds < 1) return `${formatNumber(seconds * 1e3)} ms`;
  if (seconds < 99.95) return `${formatNumber(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds - 60 * minutes)} s`;
  return `${integer(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}

/** A metric as prose and axes name it: "validationAccuracy" becomes "validation accuracy". */
export function metricName(metric: string): string {
  return metric
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/[_.]/g, " ")
    .toLowerCase();
}

export const isAccuracy = (metric: string): boolean => /accuracy$/i.test(metric);

/** A value of a metric: accuracies in per cent with two decimals, everything else with `digits` (default 3). */
export function metricValue(
  metric: string,
  value: number,
  options: { readonly digits?: number } = {},
): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  return isAccuracy(metric) ? `${formatFixed(100 * value, 2)} %` : formatNumber(value, options);
}

/** A difference of two values of a metric, with its sign: "+0.12 points", "−0.0031". */
export function metricDifference(metric: string, value: number): string {
  const sign = value > 0 ? "+" : "";
  return isAccuracy(metric)
    ? `${sign}${formatFixed(100 * value, 2)} points`
    : `${sign}${formatNumber(value, { digits: 2 })}`;
}

/** A value with its interval, all with the decimals that the width supports: "0.2671 (0.2665 to 0.2678)". */
export function metricInterval(metric: string, value: number, lower: number, upper: number): string {
  if (!(Number.isFinite(lower) && Number.isFinite(upper)) || lower === upper)
    return metricValue(metric, value);
  if (isAccuracy(metric)) {
    const percent = (part: number) => formatFixed(100 * part, 2);
    return `${percent(value)} % (${percent(lower)} to ${percent(upper)})`;
  }
  // Two digits of the width; beyond six decimals powers of ten read better.
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(upper - lower)));
  const format = (part: number) => (decimals <= 6 ? formatFixed(part, decimals) : formatNumber(part));
  return `${format(value)} (${format(lower)} to ${format(upper)})`;
}

/** Hyperparameters that a table or legend should name: the learning rate first. */
const symbols: Readonly<Record<string, string>> = {
  lr: "learning rate",
  weightDecay: "weight decay",
  trustCoefficient: "trust coefficient",
  minimumAxes: "fewest axes",
  beta1: "β₁",
  beta2: "β₂",
  eps: "ε",
  rho: "ρ",
  alpha: "α",
};

/** A hyperparameter as prose names it: "lr" becomes "learning rate". */
export const hyperparameterName = (name: string): string => symbols[name] ?? name;

/** A value that was chosen, not measured: all its digits, as it was written. */
export function chosenValue(value: number): string {
  const plain = formatNumber(value, { digits: 12 });
  return plain.length <= 8 ? plain : formatNumber(value, { digits: 4 });
}

/** A setting in words: "learning rate 0.1, momentum 0.9"; `names` picks and orders, default all. */
export function settingInWords(
  hyperparameters: Readonly<Record<string, number>>,
  options: { readonly names?: readonly string[]; readonly style?: "prose" | "short" } = {},
): string {
  const names = options.names ?? Object.keys(hyperparameters);
  const nameOf = options.style === "short" ? (name: string) => name : hyperparameterName;
  return names
    .filter((name) => name in hyperparameters)
    .map((name) => `${nameOf(name)} ${chosenValue(hyperparameters[name])}`)
    .join(", ");
}

/** "train loss ≤ 10⁻⁶" or "test accuracy ≥ 92.00 %". */
export function targetInWords({ metric, value, direction }: Target): string {
  const bound = isAccuracy(metric)
    ? `${chosenValue(Number((100 * value).toPrecision(12)))} %`
    : chosenValue(value);
  return `${metricName(metric)} ${direction === "below" ? "≤" : "≥"} ${bound}`;
}

/** JSON as a reader's text: strings bare, numbers as chosen, objects as "name: value". */
export function jsonInWords(value: Json | undefined): string {
  if (value === undefined || value === null) return "none";
  if (typeof value === "number") return chosenValue(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map((item: Json) => jsonInWords(item)).join(", ");
  return Object.entries(value as { readonly [key: string]: Json })
    .map(([name, item]) => `${name}: ${isRecord(item) ? `(${jsonInWords(item)})` : jsonInWords(item)}`)
    .join("; ");
}

const isRecord = (value: Json | undefined): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The sentence with a capital first letter. */
export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The width of a good range: "1.4 decades", "at least 2 decades" where the grid ends it, "one setting". */
export function decadesInWords({
  decades,
  lowEnd,
  highEnd,
}: Pick<GoodRange, "decades" | "lowEnd" | "highEnd">): string {
  const bound = lowEnd === "grid" || highEnd === "grid" ? "at least " : "";
  return decades < 0.05 ? `${bound}one setting` : `${bound}${formatFixed(decades, 1)} decades`;
}

/** A width in decades: "1.4". */
export const formatDecades = (decades: number): string => formatFixed(decades, 1);

/** A measured number with this many significant digits. */
export const significant = (value: number, digits: number): string => formatNumber(value, { digits });
