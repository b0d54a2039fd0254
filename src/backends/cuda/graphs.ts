/**
 * Steps of one entry, put into a stream by few calls: its commands are captured once, as a CUDA graph of one step, and once
 * more as a graph of several in a row where many are run.
 */
import type { Driver, Handle } from "./driver.js";
import type { Handles } from "./handles.js";

/** Steps of the longer graph: a launch of a graph takes some microseconds, as long as a small step. */
const stepsInARow = 16;
/** Graphs of more commands take more memory and time to make than they spare. */
const mostCommands = 2048;

export interface StepGraphsOptions {
  readonly driver: Driver;
  readonly stream: Handle;
  /** Frees the graphs. */
  readonly handles: Handles;
  /** Commands of one step. */
  readonly commands: number;
  /** Puts them into the stream. */
  readonly enqueue: () => void;
}

export class StepGraphs {
  private one: Handle | undefined;
  private several: Handle | undefined;

  constructor(private readonly options: StepGraphsOptions) {}

  /** Puts so many steps into the stream. */
  launch(steps: number): void {
    const { driver, stream, commands } = this.options;
    let left = steps;
    if (steps >= stepsInARow && commands * stepsInARow <= mostCommands) {
      this.several ??= this.capture(stepsInARow);
      for (; left >= stepsInARow; left -= stepsInARow) driver.launchGraph(this.several, stream);
    }
    if (left > 0) this.one ??= this.capture(1);
    for (; left > 0; left--) driver.launchGraph(this.one!, stream);
  }

  private capture(steps: number): Handle {
    const { driver, stream, handles, enqueue } = this.options;
    driver.beginCapture(stream);
    try {
      for (let step = 0; step < steps; step++) enqueue();
    } catch (error) {
      abandon(driver, stream);
      throw error;
    }
    const graph = driver.endCapture(stream);
    try {
      return handles.own(driver.instantiate(graph), (executable) =>
        driver.destroyExecutableGraph(executable),
      );
    } finally {
      driver.destroyGraph(graph);
    }
  }
}

/** Ends a capture that failed, after which the stream can be used again. */
function abandon(driver: Driver, stream: Handle): void {
  try {
    const graph = driver.endCapture(stream);
    // Of a capture that an error made invalid there is none.
    if (graph !== 0n) driver.destroyGraph(graph);
  } catch {
    // The driver says once more what made the capture fail.
  }
}
