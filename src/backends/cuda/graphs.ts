/**
 * Steps of one entry, put into streams by few calls: its commands are captured once, as a CUDA graph of one step, and once
 * more as a graph of several in a row where many are run. Each device has a graph of its own; where sums go from one to the
 * other, those of all are captured together and launched in turn.
 */

import type { DeviceContext, Handle } from "./driver.js";
import { during } from "./driverErrors.js";
import type { Handles } from "./handles.js";

/** Steps of the longer graph: a launch of a graph takes some microseconds, as long as a small step. */
const stepsInARow = 16;
/** Graphs of more commands take more memory and time to make than they spare. */
const mostCommands = 2048;

/** What runs side by side on one device. Its first stream is where graphs begin and where they are launched. */
export interface DeviceStreams {
  readonly name: string;
  readonly context: DeviceContext;
  readonly streams: readonly RankStream[];
}

export interface RankStream {
  readonly stream: Handle;
  readonly event: Handle;
}

export interface StepGraphsOptions {
  readonly devices: readonly DeviceStreams[];
  /** Frees the graphs. */
  readonly handles: Handles;
  /** Commands of one step in one graph. */
  readonly commands: number;
  /** Puts them into the streams. */
  readonly enqueue: () => void;
}

export class StepGraphs {
  /** One for each device. */
  private one: readonly Handle[] | undefined;
  private several: readonly Handle[] | undefined;

  constructor(private readonly options: StepGraphsOptions) {}

  /** Puts so many steps into the streams. */
  launch(steps: number): void {
    const isLong = steps >= stepsInARow && this.options.commands * stepsInARow <= mostCommands;
    const inRows = isLong ? Math.floor(steps / stepsInARow) : 0;
    const alone = steps - inRows * stepsInARow;
    if (inRows > 0) this.several ??= this.capture(stepsInARow);
    if (alone > 0) this.one ??= this.capture(1);
    for (let i = 0; i < inRows; i++) this.launchAll(this.several!);
    for (let i = 0; i < alone; i++) this.launchAll(this.one!);
  }

  /** In turn: a device that got many steps ahead would have no room for more of them, and wait for those behind. */
  private launchAll(graphs: readonly Handle[]): void {
    for (const [i, { name, context, streams }] of this.options.devices.entries())
      during(name, () => context.launchGraph(graphs[i], streams[0].stream));
  }

  private capture(steps: number): Handle[] {
    const { devices, enqueue } = this.options;
    const begun: DeviceStreams[] = [];
    try {
      for (const device of devices) {
        device.context.beginCapture(device.streams[0].stream);
        begun.push(device);
        fork(device);
      }
      for (let step = 0; step < steps; step++) enqueue();
      for (const device of devices) join(device);
    } catch (error) {
      for (const device of begun) abandon(device);
      throw error;
    }
    return this.instantiate(begun);
  }

  /** Ends the captures. */
  private instantiate(begun: readonly DeviceStreams[]): Handle[] {
    const { handles } = this.options;
    const left = [...begun];
    const graphs: Handle[] = [];
    try {
      for (let device = left.shift(); device; device = left.shift())
        graphs.push(device.context.endCapture(device.streams[0].stream));
      return begun.map(({ name, context }, i) =>
        during(name, () =>
          handles.own(context.instantiate(graphs[i]), (one) => context.destroyExecutableGraph(one)),
        ),
      );
    } finally {
      for (const device of left) abandon(device);
      for (const [i, graph] of graphs.entries()) begun[i].context.destroyGraph(graph);
    }
  }
}

/** The other streams leave the first one. */
export function fork({ context, streams: [first, ...others] }: Omit<DeviceStreams, "name">): void {
  if (others.length > 0) context.record(first.event, first.stream);
  for (const { stream } of others) context.holdUntil(stream, first.event);
}

/** The first stream goes on when the others are done. */
export function join({ context, streams: [first, ...others] }: Omit<DeviceStreams, "name">): void {
  for (const { stream, event } of others) {
    context.record(event, stream);
    context.holdUntil(first.stream, event);
  }
}

/** Ends a capture that failed, after which the streams can be used again. */
function abandon({ context, streams: [{ stream }] }: DeviceStreams): void {
  try {
    const graph = context.endCapture(stream);
    // Of a capture that an error made invalid there is none.
    if (graph !== 0n) context.destroyGraph(graph);
  } catch {
    // The driver says once more what made the capture fail.
  }
}
