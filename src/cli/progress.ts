/** What people see while a study trains: lines that are redrawn on a terminal, a line now and then elsewhere. */
import { createLogUpdate } from "log-update";
import { formatNumber } from "../figures/numbers.js";
import type { StudyProgress } from "../lab/index.js";
import { duration, integer } from "../report/words.js";
import type { Output } from "./output.js";
import type { Style } from "./style.js";

export interface ProgressView {
  show(progress: StudyProgress): void;
  /** Says that Ctrl-C was heard. */
  stopping(): void;
  /** Clears the lines that are redrawn. */
  end(): void;
}

/** The view that fits the output; with --json only a terminal sees any. */
export function progressView(title: string, output: Output): ProgressView {
  if (output.live) return liveView(output.noteStyle);
  return output.json ? silentView : plainView(title, output);
}

const silentView: ProgressView = { show: () => {}, stopping: () => {}, end: () => {} };

const stoppingText = "Stopping after the present steps. Press Ctrl-C again to end at once.";

const redrawMs = 100;

function liveView(style: Style): ProgressView {
  const update = createLogUpdate(process.stderr);
  let drawn = Number.NEGATIVE_INFINITY;
  let lines: readonly string[] = [];
  let ending: readonly string[] = [];
  let ended = false;
  const draw = (): void => {
    if (!ended) update([...lines, ...ending].join("\n"));
  };
  return {
    show(progress) {
      const now = performance.now();
      if (now - drawn < redrawMs) return;
      drawn = now;
      lines = liveLines(progress, style);
      draw();
    },
    stopping() {
      ending = [style.yellow(stoppingText)];
      draw();
    },
    end() {
      if (ended) return;
      ended = true;
      update.clear();
      update.done();
    },
  };
}

/** A line at each tenth of the work, but no more than one in two seconds; and one every ten seconds. */
function plainView(title: string, output: Output): ProgressView {
  let shownAt = 0;
  let shownShare = 0;
  return {
    show(progress) {
      const share = progress.work / progress.runsTotal;
      const waited = progress.elapsedS - shownAt;
      if (share >= 1 || waited < 2 || (share - shownShare < 0.1 && waited < 10)) return;
      shownAt = progress.elapsedS;
      shownShare = share;
      output.note(`${title}: ${plainLine(progress)}`);
    },
    stopping: () => output.note(stoppingText),
    end: () => {},
  };
}

/** "42 %, 30 of 71 runs, 4 diverged, 12,000 steps/s, 12 s left; Adam seed 0: step 300 of 1000, loss 0.12". */
export function plainLine(progress: StudyProgress): string {
  const tasks = progress.running
    .slice(0, 2)
    .map(
      (task) =>
        `; ${task.label}, seed ${task.seed}: step ${integer(task.step)} of ${integer(task.steps)}, loss ${formatNumber(task.bestLoss)}`,
    );
  return facts(progress).join(", ") + tasks.join("");
}

/** A bar over the facts, then a line for each task that trains now. */
export function liveLines(progress: StudyProgress, style: Style): string[] {
  const [share, ...rest] = facts(progress);
  const tasks = progress.running.map((task) => {
    const lanes = task.lanes === 1 ? "1 run " : `${task.lanes} runs`;
    const step = `step ${integer(task.step)} of ${integer(task.steps)}`;
    return `  ${task.label.padEnd(18)} seed ${task.seed}  ${lanes.padStart(8)}  ${step.padEnd(20)}  loss ${formatNumber(task.bestLoss)}`;
  });
  return [
    `${bar(progress.work / progress.runsTotal, style)} ${share.padStart(5)}  ${rest.join(style.dim(" · "))}`,
    ...tasks.map((line) => style.dim(line)),
  ];
}

function facts({
  work,
  runsTotal,
  runsDone,
  diverged,
  stepsPerSecond,
  secondsLeft,
}: StudyProgress): string[] {
  return [
    `${Math.floor((100 * work) / runsTotal)} %`,
    `${integer(runsDone)} of ${integer(runsTotal)} runs`,
    ...(diverged > 0 ? [`${integer(diverged)} diverged`] : []),
    `${rate(stepsPerSecond)} steps/s`,
    ...(secondsLeft === undefined ? [] : [`${duration(Math.round(secondsLeft))} left`]),
  ];
}

/** "870", "12 k", "3.4 M". */
function rate(perSecond: number): string {
  if (perSecond < 1e4) return String(Math.round(perSecond));
  const [value, unit] = perSecond < 1e6 ? [perSecond / 1e3, "k"] : [perSecond / 1e6, "M"];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

const barLength = 28;

/** A bar that is full at 1. */
export function bar(share: number, style: Style): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barLength);
  return style.cyan("━".repeat(full)) + style.dim("━".repeat(barLength - full));
}
