/**
 * What each way of computing a kernel takes on the device that is there: captured as a step is, between two marks, and run
 * some times. Its operands are zeros; no time depends on them.
 */
import { SlalomError } from "../../base/errors.js";
import type { DeviceContext, Handle } from "./driver.js";
import { type RankStream, StepGraphs } from "./graphs.js";
import { Handles } from "./handles.js";
import { type LibraryCall, libraryKernelSource, libraryKernels } from "./libraryCalls.js";
import type { OwnKernels } from "./loneKernels.js";
import { layoutOf } from "./memory.js";
import { surroundingsIn, takeStreams } from "./surroundings.js";

export interface TrialDevice {
  readonly context: DeviceContext;
  /** The device's code for a source. */
  readonly compile: (source: string, program: string) => Uint8Array;
}

/** Of the routes of one kernel, by name. */
export interface RouteTimes {
  /** Milliseconds of one call of each that works. */
  readonly ms: ReadonlyMap<string, number>;
  /** What was said of the others. */
  readonly refused: ReadonlyMap<string, string>;
}

/** The route of kernels of the source. */
export const ownRoute = "own kernels";

/** The shorter a call, the more of them between two marks, which tell half a microsecond apart. */
const shortMs = 0.25;
const mostInARow = 16;
/** A route is run so often, or until it took so long. */
const runs = 5;
const mostMs = 20;
/** What takes so many times as long as the best is not run again; no less, as devices wake up while the first ones run. */
const hopeless = 10;

/**
 * Takes memory for as long as it lasts. A route that the device or a library refuses is left out, and all are where there
 * is too little memory for them.
 * @param own how our own kernels compute each of the kernels
 * @param calls by which libraries do
 */
export function timeRoutes(
  device: TrialDevice,
  own: OwnKernels,
  calls: readonly (readonly LibraryCall[])[],
): readonly RouteTimes[] {
  const handles = new Handles();
  const opened = tried(() => handles.orReleased(() => new TrialStand(device, own, calls.flat(), handles)));
  if ("refusal" in opened) {
    const refusals = (ofKernel: readonly LibraryCall[]) =>
      [...ofKernel.map(({ name }) => name), ownRoute].map((name) => [name, opened.refusal] as const);
    return calls.map((ofKernel) => ({ ms: new Map(), refused: new Map(refusals(ofKernel)) }));
  }
  try {
    return calls.map((ofKernel, i) => opened.value.timesOf(ofKernel, i));
  } finally {
    handles.release();
  }
}

/** Puts one call into the stream. */
type Put = () => void;

/** Memory, streams and compiled kernels for trials, one after another. */
class TrialStand {
  private readonly context: DeviceContext;
  private readonly streams: readonly RankStream[];
  private readonly timers: readonly [Handle, Handle];
  private readonly module: Handle | undefined;
  /** Why our own kernels do not compile. */
  private readonly ownRefusal: string | undefined;
  private readonly memory: Handle;
  private readonly step: Handle;
  private readonly workspace: Handle;

  /** @param handles gives everything back */
  constructor(
    { context, compile }: TrialDevice,
    private readonly own: OwnKernels,
    calls: readonly LibraryCall[],
    handles: Handles,
  ) {
    this.context = context;
    const around = calls.some(({ usesKernels }) => usesKernels) ? libraryKernelSource : "";
    const whole = tried(() => compile(`${own.source}\n${around}`, "routes"));
    this.ownRefusal = "refusal" in whole ? whole.refusal : undefined;
    const kernelsAround = () => (around === "" ? undefined : compile(around, "routes"));
    const image = "value" in whole ? whole.value : kernelsAround();
    const layout = layoutOf(own.arenaBytes, Math.max(...calls.map(({ workspaceBytes }) => workspaceBytes)));
    this.memory = handles.own(context.allocate(layout.bytes), (one) => context.free(one));
    this.workspace = this.memory + BigInt(layout.workspaceOffset);
    this.step = this.memory + BigInt(layout.stepOffset);
    this.streams = takeStreams(context, Math.max(...calls.map(({ branches }) => branches)), handles);
    this.module = image && handles.own(context.loadModule(image), (one) => context.unloadModule(one));
    const timer = (): Handle => handles.own(context.createTimer(), (one) => context.destroyEvent(one));
    this.timers = [timer(), timer()];
    context.clear(this.memory, layout.bytes, this.streams[0].stream);
  }

  /**
   * Routes take turns, so that none has the device while it is slower than for the others.
   * @param place of the kernel among those that are timed
   */
  timesOf(calls: readonly LibraryCall[], place: number): RouteTimes {
    const { ownRefusal } = this;
    const graphs = new Handles();
    const refused = new Map<string, string>();
    const unlessRefused = <T>(name: string, act: () => T): T | undefined => {
      const result = tried(act);
      if ("value" in result) return result.value;
      refused.set(name, result.refusal);
      return undefined;
    };
    const routes: [string, () => Put][] = calls.map((call) => [call.name, () => this.calling(call)]);
    if (ownRefusal === undefined) routes.push([ownRoute, () => this.launching(place)]);
    else refused.set(ownRoute, ownRefusal);
    return graphs.orReleased(() => {
      const contenders = routes.flatMap(
        ([name, putting]) => unlessRefused(name, () => this.contender(name, putting(), graphs)) ?? [],
      );
      const bestMs = Math.min(...contenders.map(({ leastMs }) => leastMs));
      for (let i = 0; i < runs; i++) {
        for (const one of contenders) {
          const isOver = one.spentMs > mostMs || one.leastMs > hopeless * bestMs;
          if (!isOver && !refused.has(one.name)) unlessRefused(one.name, () => runAgain(one));
        }
      }
      graphs.release();
      const working = contenders.filter(({ name }) => !refused.has(name));
      return { ms: new Map(working.map(({ name, leastMs }) => [name, leastMs])), refused };
    });
  }

  private calling(call: LibraryCall): Put {
    const { context, memory: arena, workspace, streams, module } = this;
    const names = call.usesKernels ? Object.keys(libraryKernels) : [];
    const kernels = new Map(names.map((name) => [name, context.kernel(module!, name, 0)]));
    const surroundings = surroundingsIn({ context, arena, workspace, streams, kernels });
    return () => context.within(() => call.enqueue(surroundings));
  }

  private launching(place: number): Put {
    const { context, memory, step, streams, module } = this;
    const launches = this.own.launches[place].map((launch) => ({
      launch,
      kernel: context.kernel(module!, launch.kernel, launch.sharedBytes),
    }));
    return () => {
      for (const { launch, kernel } of launches)
        context.launch(kernel, launch, streams[0].stream, [memory, step]);
    };
  }

  private contender(name: string, put: Put, handles: Handles): Contender {
    // What is loaded at the first use, a capture would forbid.
    put();
    this.wait();
    const once = this.inARow(put, 1, handles);
    const ms = once();
    const count = Math.max(1, Math.min(mostInARow, Math.floor(shortMs / ms)));
    const run = count === 1 ? once : this.inARow(put, count, handles);
    return { name, run, count, leastMs: ms, spentMs: ms };
  }

  /** What runs so many calls and gives the milliseconds of all. */
  private inARow(put: Put, count: number, handles: Handles): () => number {
    const { context, streams, timers } = this;
    const [from, to] = timers;
    const graph = new StepGraphs({
      devices: [{ name: "", context, streams: streams.slice(0, 1) }],
      handles,
      commands: count,
      enqueue: () => {
        context.mark(from, streams[0].stream);
        for (let i = 0; i < count; i++) put();
        context.mark(to, streams[0].stream);
      },
    });
    return () => {
      graph.launch(1);
      this.wait();
      return context.elapsedMs(from, to);
    };
  }

  private wait(): void {
    const [{ stream, event }] = this.streams;
    this.context.record(event, stream);
    this.context.waitFor(event);
  }
}

interface Contender {
  readonly name: string;
  /** Milliseconds of so many calls. */
  readonly run: () => number;
  readonly count: number;
  /** Of one call. */
  leastMs: number;
  spentMs: number;
}

function runAgain(contender: Contender): void {
  const ms = contender.run();
  contender.spentMs += ms;
  contender.leastMs = Math.min(contender.leastMs, ms / contender.count);
}

/** What `act` gives, or the first line of what a device, a library or a compiler says against it. */
function tried<T>(act: () => T): { readonly value: T } | { readonly refusal: string } {
  try {
    return { value: act() };
  } catch (error) {
    if (error instanceof SlalomError) return { refusal: error.message.split("\n")[0] };
    throw error;
  }
}
