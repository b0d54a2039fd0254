/** Training many settings of one optimizer side by side, as the lanes of one program. */
import { setImmediate } from "node:timers/promises";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { LaneTraining } from "./configuration.js";
import { LaneLoop } from "./laneLoop.js";
import type { LaneProgress, LaneSink } from "./results.js";

export interface TrainLanesOptions {
  /** Ends training after the current call; unfinished lanes end as "interrupted". */
  readonly signal?: AbortSignal;
  /** Called after each call of the program. */
  readonly onProgress?: (progress: LaneProgress) => void;
}

/** Trains all lanes to the end. Throws where the program can't be built or compiled. */
export async function trainLanes(
  training: LaneTraining,
  backend: Backend,
  sink: LaneSink,
  options: TrainLanesOptions = {},
): Promise<void> {
  checkTraining(training);
  const loop = new LaneLoop(training, backend, sink);
  try {
    while (!loop.done && !options.signal?.aborted) {
      loop.advance();
      options.onProgress?.(loop.progress());
      // The thread answers messages between calls.
      await setImmediate();
    }
    loop.finish(loop.done ? "completed" : "interrupted");
  } finally {
    loop.release();
  }
}

function checkTraining({ lanes, steps, batchSize, evaluateEvery, choice }: LaneTraining): void {
  const positive = (name: string, value: number): void => {
    if (!Number.isInteger(value) || value < 1)
      throw new SlalomError("option", `training: ${name} is ${value}; expected a positive integer.`);
  };
  positive("number of lanes", lanes.length);
  positive("steps", steps);
  positive("evaluateEvery", evaluateEvery);
  if (batchSize !== "full") positive("batchSize", batchSize);
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
