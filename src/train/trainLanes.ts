/** Training many settings of one optimizer side by side, as the lanes of one program. */
import { setImmediate } from "node:timers/promises";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { LaneTraining } from "./configuration.js";
import { LaneLoop } from "./laneLoop.js";
import { Ledger } from "./ledger.js";
import { ledgered } from "./ledgered.js";
import type { LaneProgress, LaneSink } from "./results.js";
import type { LoopSnapshot } from "./snapshot.js";

export interface TrainLanesOptions {
  /** Ends training after the current call; unfinished lanes end as "interrupted". */
  readonly signal?: AbortSignal;
  /** Called after each call of the program. */
  readonly onProgress?: (progress: LaneProgress) => void;
  /** Goes on from a snapshot; `source` names it in errors. */
  readonly from?: { readonly snapshot: LoopSnapshot; readonly source: string };
  readonly checkpoints?: Checkpoints;
  /** The stopwatch that was started with what led to this training; by default one that starts here. */
  readonly ledger?: Ledger;
}

/** When a training is kept, and by whom: at these intervals, and when the signal ends it. */
export interface Checkpoints {
  readonly every: CheckpointInterval;
  save(snapshot: LoopSnapshot): void;
}

/** So many steps, or so many minutes of wall time. */
export type CheckpointInterval = { readonly steps: number } | { readonly minutes: number };

/** Trains all lanes to the end. Throws where the program can't be built or compiled. */
export async function trainLanes(
  training: LaneTraining,
  backend: Backend,
  sink: LaneSink,
  options: TrainLanesOptions = {},
): Promise<void> {
  checkTraining(training);
  const { checkpoints, ledger = new Ledger() } = options;
  const fromStep = options.from?.snapshot.step ?? 0;
  const kept = ledgered({ backend, sink, ledger, lanes: training.lanes.length, fromStep });
  const loop = new LaneLoop(training, kept.backend, kept.sink, options.from);
  const save = (): void => ledger.during("checkpoint", () => checkpoints?.save(loop.snapshot()));
  const isDue = due(checkpoints?.every, loop.progress().step);
  ledger.enter("recording");
  try {
    while (!loop.done && !options.signal?.aborted) {
      loop.advance();
      const progress = loop.progress();
      options.onProgress?.(progress);
      if (!loop.done && isDue(progress.step)) save();
      // The thread answers messages between calls.
      await ledger.until("waiting", setImmediate());
    }
    if (loop.done) return;
    save();
    loop.interrupt();
  } finally {
    loop.release();
  }
}

/** Tells at each step whether the interval has passed since it last said so. */
function due(every: CheckpointInterval | undefined, firstStep: number): (step: number) => boolean {
  let [lastStep, lastMs] = [firstStep, performance.now()];
  return (step) => {
    if (!every) return false;
    const passed =
      "steps" in every
        ? step - lastStep >= every.steps
        : performance.now() - lastMs >= every.minutes * 60_000;
    if (passed) [lastStep, lastMs] = [step, performance.now()];
    return passed;
  };
}

function checkTraining({ lanes, steps, batchSize, microBatch, evaluateEvery, choice }: LaneTraining): void {
  const positive = (name: string, value: number): void => {
    if (!Number.isInteger(value) || value < 1)
      throw new SlalomError("option", `training: ${name} is ${value}; expected a positive integer.`);
  };
  positive("number of lanes", lanes.length);
  positive("steps", steps);
  positive("evaluateEvery", evaluateEvery);
  if (batchSize !== "full") positive("batchSize", batchSize);
  if (microBatch !== undefined) positive("microBatch", microBatch);
  for (const lane of lanes) {
    for (const name of Object.keys(choice.optimizer.hyperparameters)) {
      if (lane[name] === undefined)
        throw new SlalomError(
          "option",
          `training: a lane of ${choice.optimizer.id} has no value for ${name}; give one for every hyperparameter.`,
        );
    }
  }
}
