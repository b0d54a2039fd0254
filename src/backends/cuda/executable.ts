/** A compiled program on the devices of a process: a rank on each, its entries as graphs. */
import { allocate, type TypedArray } from "../../base/dtype.js";
import { invariant, SlalomError, unknownName } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import type { Communicator } from "../../collectives/index.js";
import {
  checkSteps,
  checkValues,
  type EntryTimes,
  type Executable,
  type RunOptions,
} from "../../compile/backend.js";
import type { Plan, PlanBuffer } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import type { CudaCommand } from "./commands.js";
import type { CudaDevice } from "./device.js";
import { during } from "./driverErrors.js";
import { type DeviceStreams, StepGraphs } from "./graphs.js";
import { Handles } from "./handles.js";
import { nameOf, type OwnCommand, RankProgram } from "./rankProgram.js";
import { Measurements } from "./rankTimes.js";
import { type Activity, StepClock } from "./stepClock.js";
import type { DeviceSums } from "./sums.js";
import { TravellingSums } from "./travellingSums.js";
import { waitForAll } from "./waiting.js";

/** What a process has for a program. */
export interface CudaParts {
  /** The device of each of its ranks; one that several share stands there several times in a row. */
  readonly devices: readonly CudaDevice[];
  /** Its number among processes that train together, each with as many ranks; default 0. */
  readonly process?: number;
  /** Of these processes, where there are several. */
  readonly communicator?: Pick<Communicator, "allReduce">;
  /**
   * What carries sums over ranks; called when the program runs for the first time, as all processes have it then. Absent
   * where there is one rank.
   */
  readonly openSums?: () => DeviceSums;
}

export class CudaExecutable implements Executable {
  readonly bytes: number;
  private readonly handles = new Handles();
  private readonly ranks: readonly RankProgram[];
  /** As errors name them; without names where there is one. */
  private readonly names: readonly string[];
  /** Ranks of one device together. */
  private readonly devices: readonly DeviceStreams[];
  /** Each rank by itself. */
  private readonly alone: readonly DeviceStreams[];
  private readonly travelling: TravellingSums | undefined;
  private readonly graphs: ReadonlyMap<string, StepGraphs>;
  private readonly named: ReadonlyMap<string, PlanBuffer>;
  private readonly timed = new Map<string, TimedStep>();
  private readonly measurements: Measurements;
  private readonly lastSteps = new Map<string, number>();
  private isTriedOut = false;
  private released = false;

  /**
   * @param plan for ranks that share no memory: each is what the plan calls a process
   * @throws SlalomError "device" where the memory is too little or a device refuses; nothing stays on it then
   */
  constructor(
    private readonly plan: Plan,
    private readonly traceCapacity: number,
    { devices, process = 0, communicator, openSums }: CudaParts,
  ) {
    invariant(plan.processes === 1 || openSums, "several ranks have something that carries their sums");
    const first = process * devices.length;
    this.measurements = new Measurements(Object.keys(plan.entries), {
      ranks: devices.length,
      first,
      all: plan.processes,
      ...(communicator && { communicator }),
    });
    const { handles } = this;
    this.names = devices.map(({ facts: { ordinal, name } }, i) =>
      plan.processes === 1 ? "" : `rank ${first + i} on device ${ordinal} (${name})`,
    );
    this.named = new Map(
      plan.buffers
        .filter(({ role }) => role !== "temporary" && role !== "constant")
        .map((buffer) => [buffer.name, buffer]),
    );
    [this.ranks, this.travelling] = handles.orReleased(() => {
      const ranks = devices.map((device, i) =>
        during(this.names[i], () => new RankProgram(planForRank(plan, 0, first + i), device, handles)),
      );
      return [ranks, openSums && new TravellingSums(ranks, openSums, handles)];
    });
    this.bytes = this.ranks.reduce((sum, { bytes }) => sum + bytes, 0);
    this.alone = this.ranks.map((rank, i) => ({
      name: this.names[i],
      context: rank.context,
      streams: [rank],
    }));
    this.devices = [...new Set(devices)].map((device) => {
      const ranks = this.ranks.filter((rank) => rank.device === device);
      return { ...this.alone[this.ranks.indexOf(ranks[0])], streams: ranks };
    });
    this.graphs = handles.orReleased(
      () => new Map(Object.keys(plan.entries).map((entry) => [entry, this.graphsOf(this.commandsOf(entry))])),
    );
  }

  /** A timed call takes the times of its last step. */
  run(entry: string, steps = 1, { timed = false }: RunOptions = {}): void {
    invariant(!this.released, "a released program runs no more");
    const graphs = this.graphs.get(entry);
    if (!graphs) throw unknownName("entry", entry, [...this.graphs.keys()]);
    checkSteps(steps, this.traceCapacity);
    if (steps > 0) {
      during(`program ${this.plan.name}, entry ${entry}`, () =>
        this.together(() => {
          const startedMs = performance.now();
          const last = timed ? this.timedStep(entry) : undefined;
          for (const rank of this.ranks) rank.beginRun(this.leadingStream(rank));
          graphs.launch(last ? steps - 1 : steps);
          last?.graphs.launch(1);
          this.waitFor(this.devices);
          this.measurements.ran(entry, performance.now() - startedMs);
          if (last) this.measurements.timed(entry, last.clock.read());
        }),
      );
    }
    this.lastSteps.set(entry, steps);
  }

  read(name: string): TypedArray {
    const buffer = this.buffer(name);
    return this.download(buffer, sizeOf(buffer.shape));
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const buffer = this.buffer(name);
    checkValues(name, buffer, values.length);
    const data = allocate(buffer.dtype, values.length);
    data.set(values);
    if (data.length === 0) return;
    during(`program ${this.plan.name}, writing ${name}`, () => {
      for (const [i, rank] of this.ranks.entries())
        during(this.names[i], () => rank.upload(buffer.offset, data));
    });
  }

  trace(entry: string, trace: string): TypedArray {
    const buffer = this.buffer(`${entry}/${trace}`);
    return this.download(buffer, (this.lastSteps.get(entry) ?? 0) * sizeOf(buffer.shape.slice(1)));
  }

  times(): EntryTimes {
    return this.measurements.times();
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    during(`program ${this.plan.name}, releasing`, () => this.handles.release());
  }

  /** The first `count` elements of a buffer: what is kept is the same at every rank. */
  private download(buffer: PlanBuffer, count: number): TypedArray {
    invariant(!this.released, "a released program has no values");
    const data = allocate(buffer.dtype, count);
    if (count > 0)
      during(`program ${this.plan.name}, reading ${buffer.name}`, () =>
        this.ranks[0].download(buffer.offset, data),
      );
    return data;
  }

  private buffer(name: string): PlanBuffer {
    const buffer = this.named.get(name);
    if (!buffer) throw unknownName("variable", name, [...this.named.keys()]);
    return buffer;
  }

  /** Where ranks wait for each other, one that fails must not leave the others waiting. */
  private together(act: () => void): void {
    const { travelling } = this;
    if (!travelling) {
      act();
      return;
    }
    const { sums } = travelling;
    try {
      sums.check();
      if (!this.isTriedOut) {
        travelling.tryOut();
        this.waitFor(this.alone);
        this.isTriedOut = true;
      }
      act();
    } catch (error) {
      if (error instanceof SlalomError) sums.abort(error);
      throw error;
    }
  }

  /** Until all is done that was put into the first stream of each. */
  private waitFor(devices: readonly DeviceStreams[]): void {
    for (const { name, context, streams } of devices)
      during(name, () => context.record(streams[0].event, streams[0].stream));
    if (this.travelling) waitForAll(devices, this.travelling.sums);
    else for (const { context, streams } of devices) context.waitFor(streams[0].event);
  }

  private leadingStream({ device }: RankProgram): bigint {
    return this.ranks.find((rank) => rank.device === device)!.stream;
  }

  private timedStep(entry: string): TimedStep {
    const found = this.timed.get(entry);
    if (found) return found;
    const clock = new StepClock(this.ranks, this.handles);
    const made = { clock, graphs: this.graphsOf(this.commandsOf(entry), clock) };
    this.timed.set(entry, made);
    return made;
  }

  /** Ranks differ by numbers in their kernels alone: command by command they do the same. */
  private commandsOf(entry: string): Commands {
    const commands = this.ranks.map(({ entries }) => entries[entry].commands);
    for (const [i, { kind }] of commands[0].entries())
      invariant(
        commands.every((ofRank) => ofRank.length === commands[0].length && ofRank[i].kind === kind),
        `ranks agree on command ${i} of entry ${entry}`,
      );
    return commands;
  }

  /** @param clock of a step whose times are taken */
  private graphsOf(commands: Commands, clock?: StepClock): StepGraphs {
    const { devices, handles, ranks, travelling } = this;
    const steps = commands[0].map((command, i): (() => void) => {
      if (command.kind === "beginSum") return () => travelling!.begin(command.sum, clock?.markSum);
      if (command.kind === "finishSum") return () => travelling!.finish(command.sum);
      const puts = ranks.map((rank, r) => rank.putting(commands[r][i] as OwnCommand));
      return () => {
        for (const [r, put] of puts.entries()) during(this.names[r], put);
      };
    });
    return new StepGraphs({
      devices,
      handles,
      commands: steps.length * Math.max(...devices.map(({ streams }) => streams.length)),
      enqueue: () => {
        clock?.begin();
        for (const [i, put] of steps.entries()) {
          clock?.turnTo(activityOf(commands[0][i]));
          during(nameOf(commands[0][i]), put);
        }
        clock?.end();
      },
    });
  }
}

/** Of one entry, by rank. */
type Commands = readonly (readonly CudaCommand[])[];

/** A step with marks, and what reads them. */
interface TimedStep {
  readonly clock: StepClock;
  readonly graphs: StepGraphs;
}

function activityOf(command: CudaCommand): Activity {
  if (command.kind === "finishSum") return "waitingForSums";
  return command.kind === "launch" && command.updates ? "updating" : "computing";
}
