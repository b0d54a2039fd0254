/** Where the time of trainings went, in words: a line, a table for the page, and a table of one training with its ranks. */
import {
  type Account,
  type AccountTimes,
  accounts,
  ledgersTogether,
  type StoredRun,
  type TimeLedger,
  totalS,
  wholeLedgers,
} from "../runs/index.js";
import type { StudyAnalysis } from "./analysis.js";
import { numberCell, type ReportTable, textCell } from "./table.js";
import { capitalised, counted, duration } from "./words.js";

const words: Readonly<Record<Account, string>> = {
  startUp: "start-up",
  input: "input",
  forwardBackward: "forward and backward",
  update: "update",
  allReduce: "all-reduce",
  evaluation: "evaluation",
  recording: "recording",
  checkpoint: "checkpoints",
  waiting: "waiting",
};

/** Where no time of `all` is the update's, it was not told apart from what leads to it. */
const wordsFor = (account: Account, all: readonly AccountTimes[]): string =>
  account === "forwardBackward" && all.every(({ update }) => update === 0)
    ? "forward, backward and update"
    : words[account];

/** Of runs that have one. */
export const ledgersOf = (runs: readonly StoredRun[]): TimeLedger[] =>
  runs.flatMap(({ summary }) => summary?.ledger ?? []);

/** A share of less than one in a hundred is not worth a word in a line. */
const leastShare = 0.01;

/** "Where 12 s of 3 trainings went: forward and backward 61 %, update 20 %, ..."; undefined where no run says. */
export function timeLine(runs: readonly StoredRun[]): string | undefined {
  const ledgers = ledgersOf(runs);
  if (ledgers.length === 0) return undefined;
  const times = ledgersTogether(ledgers);
  const total = totalS(times);
  const trainings = wholeLedgers(ledgers).length;
  const shares = accounts
    .filter((account) => times[account] >= leastShare * total)
    .sort((a, b) => times[b] - times[a])
    .map((account) => `${wordsFor(account, [times])} ${percent(times[account] / total)}`);
  const of = trainings > 1 ? ` of ${counted(trainings, "training")}` : "";
  return `Where ${duration(total)}${of} went: ${shares.join(", ")}.`;
}

/** A table of the shares of each optimizer's trainings; none where no run says. */
export function timeTable({ optimizers }: StudyAnalysis): ReportTable[] {
  const rows = optimizers.flatMap(({ name, settings }) => {
    const ledgers = ledgersOf(settings.flatMap(({ runs }) => runs));
    return ledgers.length === 0 ? [] : [{ name, times: ledgersTogether(ledgers) }];
  });
  if (rows.length === 0) return [];
  const shown = accounts.filter((account) => rows.some(({ times }) => times[account] > 0));
  const all = rows.map(({ times }) => times);
  const table: ReportTable = {
    id: "time",
    title: "Where the time went",
    note: "Wall time of trainings, as their leading ranks spent it; settings that trained side by side are one training. The share of the update in steps is estimated from steps whose kernels were timed.",
    columns: [
      { label: "Optimizer" },
      { label: "Time", align: "right" },
      ...shown.map((account) => ({ label: capitalised(wordsFor(account, all)), align: "right" }) as const),
    ],
    rows: rows.map(({ name, times }) => [
      textCell(name),
      numberCell(totalS(times), duration),
      ...shown.map((account) => numberCell(times[account] / totalS(times), percent)),
    ]),
  };
  return [table];
}

/** What a rank spent, and which share of the wall time that is; accounts that no rank has time in are left out. */
export interface TrainingTime {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the numbers rest on. */
  readonly notes: readonly string[];
}

/** The table of one training: a row for each account, and for each rank its seconds and their share. */
export function trainingTime({
  ranks,
  slowest,
  wallS,
  timedSteps,
  lanes,
  fromStep,
}: TimeLedger): TrainingTime {
  const all = ranks.map(({ accounts: times }) => times);
  const shown = accounts.filter((account) => all.some((times) => times[account] > 0));
  const cells = (of: (times: AccountTimes) => number): string[] =>
    all.flatMap((times) => [duration(of(times)), percent(of(times) / wallS)]);
  const hidden = ranks.reduce((most, { hiddenS }) => Math.max(most, hiddenS), 0);
  const names = ranks.map((_, rank) => `rank ${rank}${rank === slowest ? ", slowest" : ""}`);
  return {
    header: ["", ...(ranks.length === 1 ? ["time", "share"] : names.flatMap((name) => [name, ""]))],
    rows: [
      ...shown.map((account) => [wordsFor(account, all), ...cells((times) => times[account])]),
      ["in all", ...cells(totalS)],
    ],
    notes: [
      ...(lanes > 1
        ? [`${counted(lanes, "run")} trained side by side: the time is that of all of them.`]
        : []),
      ...(fromStep > 0 ? [`Counted from the checkpoint of step ${fromStep}.`] : []),
      ...(timedSteps === undefined
        ? []
        : [`The share of the update is estimated from ${counted(timedSteps, "timed step")}.`]),
      ...(hidden > 0
        ? [`Up to ${duration(hidden)} of all-reduce on a rank was hidden behind other work.`]
        : []),
    ],
  };
}

const percent = (share: number): string =>
  share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
