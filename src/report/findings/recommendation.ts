/** Which optimizer to use and with which settings, or that the data do not decide; who reaches the targets first. */
import type { NamedComparison, Standing } from "../../lab/statistics/index.js";
import { type BestResult, inProse, type StudyAnalysis, withBest } from "../analysis.js";
import { capitalised, counted, duration, integer, listed, targetInWords } from "../words.js";
import type { Finding } from "./finding.js";

export function recommendationFindings(analysis: StudyAnalysis): Finding[] {
  const { standings, leaders } = analysis.standings;
  const figures = ["best-settings", "learning-rate"];
  const first = standings[0];
  if (first === undefined) {
    const text = "Nothing can be recommended: no setting of any optimizer came to an end on every seed.";
    return [{ id: "recommendation", kind: "caution", text, figures: [] }];
  }
  const finding = (kind: Finding["kind"], text: string): Finding[] => [
    { id: "recommendation", kind, text, figures },
  ];
  if (standings.length === 1) return finding("recommendation", alone(analysis, first));
  if (analysis.isDeterministic) {
    const kind = leaders.length > 1 ? "undecided" : "recommendation";
    return finding(kind, deterministic(analysis, standings, leaders));
  }
  if (bestNamed(analysis, first.name).runs.length === 1)
    return finding("undecided", oneSeed(analysis, standings));
  return leaders.length === 1
    ? finding("recommendation", decided(analysis, standings))
    : finding("undecided", undecided(analysis, standings, leaders));
}

/** For each target of the study: who got there, and how soon. */
export function targetFindings(analysis: StudyAnalysis): Finding[] {
  const entries = withBest(analysis);
  if (entries.length === 0) return [];
  return analysis.study.record.targets.flatMap((target, i): Finding[] => {
    const times = entries.map(({ name, best }) => ({ name, time: best.targets[i]?.time }));
    const steps = (one: (typeof times)[number]) => one.time?.steps.median ?? Number.POSITIVE_INFINITY;
    const reached = times.filter((one) => Number.isFinite(steps(one))).sort((a, b) => steps(a) - steps(b));
    const never = times.filter((one) => !reached.includes(one)).map(({ name }) => name);
    const goal = capitalised(targetInWords(target));
    const words = reached.map((one) => `${one.name} after ${timeInWords(one.time!, analysis)}`);
    const missing =
      never.length === 0 ? "" : `${listed(never)} ${never.length === 1 ? "does" : "do"} not get there`;
    const text =
      reached.length === 0
        ? `${goal} is reached by no optimizer at its best setting.`
        : `${goal} is reached by ${listed(words)}${missing === "" ? "" : `; ${missing}`}.${medianNote(analysis)}`;
    return [
      { id: `target-${i + 1}`, kind: "fact", text, figures: ["best-settings", "best-settings-train-loss"] },
    ];
  });
}

const medianNote = ({ isDeterministic, study }: StudyAnalysis): string =>
  isDeterministic || study.record.seeds.length < 2
    ? ""
    : " (Medians over seeds, at each one's best setting.)";

function timeInWords(time: BestResult["targets"][number]["time"], { position }: StudyAnalysis): string {
  const seconds = time.seconds === undefined ? "" : ` (${duration(time.seconds.median)})`;
  const count =
    position === "epoch" && time.epochs !== undefined
      ? `${Number(time.epochs.median.toFixed(2))} epoch${time.epochs.median === 1 ? "" : "s"}`
      : counted(Math.round(time.steps.median), "step");
  return `${count}${seconds}`;
}

/** "Use Adam with learning rate 0.001". */
function advice(analysis: StudyAnalysis, name: string): string {
  const { words } = bestNamed(analysis, name);
  return words === "" ? `Use ${name}` : `Use ${name} with ${inProse(words)}`;
}

/** "Adam (learning rate 0.001)": lists of settings stay readable. */
function named(analysis: StudyAnalysis, name: string): string {
  const { words } = bestNamed(analysis, name);
  return words === "" ? name : `${name} (${words})`;
}

function alone(analysis: StudyAnalysis, first: Standing): string {
  const without = analysis.optimizers.length - 1;
  const others =
    without === 0
      ? "It is the only optimizer of this study."
      : `No setting of the other ${counted(without, "optimizer")} came to an end on every seed.`;
  return `${advice(analysis, first.name)}: ${valueInWords(analysis, first)}. ${others}`;
}

function deterministic(
  analysis: StudyAnalysis,
  standings: readonly Standing[],
  leaders: readonly string[],
): string {
  const { report } = analysis;
  const [first, ...others] = standings;
  const rest = others.map(({ name, mean }) =>
    Number.isFinite(mean)
      ? `${name} ${report.format(mean)}${timesAsMany(analysis, mean, first.mean)}`
      : `${name} never`,
  );
  const note = "The runs are deterministic (same start, same batches): another seed gives the same numbers.";
  const lead = leaders.length > 1 ? `${listed(leaders)} are equal` : `${advice(analysis, first.name)}`;
  const counts =
    report.kind === "steps"
      ? `${report.words}: ${integer(first.mean)}`
      : `${report.words} ${report.format(first.mean)}`;
  return `${lead}. ${capitalised(counts)}; ${listed(rest)}. ${note}`;
}

const timesAsMany = ({ report }: StudyAnalysis, value: number, best: number): string =>
  report.kind === "steps" && best > 0 && value / best >= 1.2
    ? ` (${Number((value / best).toPrecision(2))} times as many)`
    : "";

function oneSeed(analysis: StudyAnalysis, standings: readonly Standing[]): string {
  const { report } = analysis;
  const values = standings.map(({ name, mean }) => `${named(analysis, name)} ${report.format(mean)}`);
  return `The data do not decide: with one seed nothing is known of the spread. In ${report.words} the order was ${listed(values)}. Run at least three seeds for a verdict.`;
}

function decided(analysis: StudyAnalysis, standings: readonly Standing[]): string {
  const [first, ...others] = standings;
  const seeds = bestNamed(analysis, first.name).runs.length;
  const gaps = others.map((other) => gapInWords(analysis, other));
  return `${advice(analysis, first.name)}: ${valueInWords(analysis, first)}. Paired over ${counted(seeds, "seed")} it is ahead of ${listed(gaps)}.`;
}

function undecided(
  analysis: StudyAnalysis,
  standings: readonly Standing[],
  leaders: readonly string[],
): string {
  const tied = standings.filter(({ name }) => leaders.includes(name));
  const behind = standings.filter(({ name }) => !leaders.includes(name));
  const [first, ...others] = tied;
  const settings = tied.map(({ name }) => named(analysis, name));
  const seeds = bestNamed(analysis, first.name).runs.length;
  const gaps = others.map((other) => gapInWords(analysis, other));
  const rest =
    behind.length === 0
      ? ""
      : ` Behind ${first.name}: ${listed(behind.map((other) => gapInWords(analysis, other)))}.`;
  return `The data do not decide between ${listed(settings)}. ${capitalised(valueInWords(analysis, first))} for ${first.name}, which leads ${listed(gaps)}, paired over ${counted(seeds, "seed")}.${rest}`;
}

/** "test accuracy after 30 epochs is 92.56 % (95 % interval 92.50 to 92.61)". */
function valueInWords({ report }: StudyAnalysis, { mean, interval }: Standing): string {
  const value = `${report.words} ${report.kind === "steps" ? "are" : "is"} ${report.format(mean)}`;
  if (interval === undefined || !Number.isFinite(interval.low)) return value;
  return `${value} (${percent(interval.level)} interval ${report.format(interval.low)} to ${report.format(interval.high)})`;
}

/** "SGD by 0.12 points (0.05 to 0.19)"; of a pair that diverged, only that. */
function gapInWords({ report }: StudyAnalysis, { name, versusFirst }: Standing): string {
  const difference = versusFirst && leadOf(versusFirst);
  if (difference === undefined || !Number.isFinite(difference.estimate))
    return `${name} (${versusFirst?.reason ?? "not compared"})`;
  const format = (value: number) => report.formatDifference(value).replace(/^\+/, "");
  const interval = Number.isFinite(difference.low)
    ? ` (${format(difference.low).replace(/ [a-z]+$/, "")} to ${format(difference.high).replace(/ [a-z]+$/, "")})`
    : "";
  return `${name} by ${format(difference.estimate)}${interval}`;
}

/** How far the first is ahead: positive where it is better, whichever side of the metric that is. */
function leadOf({ difference }: NamedComparison): { estimate: number; low: number; high: number } {
  const { estimate, low, high } = difference;
  return estimate < 0 ? { estimate: -estimate, low: -high, high: -low } : { estimate, low, high };
}

const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

function bestNamed(analysis: StudyAnalysis, name: string): BestResult {
  return withBest(analysis).find((optimizer) => optimizer.name === name)!.best;
}
