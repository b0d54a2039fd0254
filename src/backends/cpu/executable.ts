/** A compiled program in memory: its arena, its WebAssembly instance, its prepared matrix products. */
import { allocate, bytesOf, dtypes, type TypedArray } from "../../base/dtype.js";
import { invariant, SlalomError, unknownName } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import type { FloatArray } from "../../collectives/index.js";
import {
  checkSteps,
  checkValues,
  type EntryTimes,
  type Executable,
  type RunOptions,
} from "../../compile/backend.js";
import { kernelEffects } from "../../compile/kernelEffects.js";
import type { Plan, PlanBuffer } from "../../compile/plan.js";
import { mostMemoryBytes } from "./memoryLayout.js";
import type { MemoryPool } from "./memoryPool.js";
import { type RankLibraries, RankProgram, type World } from "./rankProgram.js";
import { breakMeeting, isBroken } from "./ranks/barrier.js";
import { clockMemory, timesIn } from "./ranks/clock.js";
import type { Followers } from "./ranks/followers.js";
import type { WasmMemory } from "./wasm/index.js";

export interface CpuOptions extends RankLibraries {
  readonly memories: MemoryPool;
  /** The threads of the other ranks; absent where there are none. */
  readonly followers?: Followers;
  /** How long a rank may be late at a meeting before it is taken for dead. */
  readonly patienceMs?: number;
  /** Processes with which programs for several are run. */
  readonly world?: World;
}

export class CpuExecutable implements Executable {
  readonly bytes: number;
  private readonly memory: WasmMemory;
  private readonly leader: RankProgram;
  /** What the ranks of this process measure. */
  private readonly counters: SharedArrayBuffer;
  private readonly followers: Followers | undefined;
  private readonly number: number;
  private readonly named: ReadonlyMap<string, PlanBuffer>;
  /** Variables of which each process has its own part alone. */
  private readonly inParts = new Set<PlanBuffer>();
  private lastSteps = new Map<string, number>();
  private released = false;

  /** Throws a SlalomError "device" where the arena is larger than a WebAssembly memory can be. */
  constructor(
    private readonly plan: Plan,
    private readonly traceCapacity: number,
    private readonly options: CpuOptions,
  ) {
    const { memories, followers, patienceMs = defaultPatienceMs, world } = options;
    const process = world?.process ?? 0;
    this.leader = new RankProgram(plan, 0, options, patienceMs, process);
    this.bytes = this.leader.bytes;
    checkFits(plan, this.bytes);
    this.memory = memories.take(this.bytes);
    this.counters = clockMemory(plan.ranks, Object.keys(plan.entries).length);
    this.followers = plan.ranks > 1 ? followers : undefined;
    this.number = this.followers?.nextProgram() ?? 0;
    this.named = new Map(
      plan.buffers
        .filter(({ role }) => role !== "temporary" && role !== "constant")
        .map((buffer) => [buffer.name, buffer]),
    );
    this.followers?.begin({
      kind: "compile",
      program: this.number,
      plan: { ...plan, constants: [] },
      memory: this.memory,
      counters: this.counters,
      patienceMs,
      process,
    });
    this.leader.bind(this.memory, this.counters, world?.communicator);
    for (const { buffer, data } of plan.constants) this.view(plan.buffers[buffer]).set(data);
    this.followers?.end();
  }

  run(entry: string, steps = 1, options: RunOptions = {}): void {
    invariant(!this.released, "a released program runs no more");
    if (!this.plan.entries[entry]) throw unknownName("entry", entry, Object.keys(this.plan.entries));
    checkSteps(steps, this.traceCapacity);
    if (steps > 0) this.changeParts(entry);
    if (this.followers) this.runTogether(this.followers, entry, steps, options);
    else this.leader.run(entry, steps, options);
    this.lastSteps.set(entry, steps);
  }

  /** A rank that fails breaks the meeting, so that the others fail too instead of waiting for it. */
  private runTogether(followers: Followers, entry: string, steps: number, options: RunOptions): void {
    const { memory, plan } = this;
    invariant(!isBroken(memory.buffer, plan.arenaBytes), "a program that failed on a rank runs no more");
    followers.begin({ kind: "run", program: this.number, entry, steps, options });
    let own: { error: unknown } | undefined;
    try {
      this.leader.run(entry, steps, options);
    } catch (error) {
      own = { error };
      breakMeeting(memory.buffer, plan.arenaBytes);
    }
    followers.end();
    if (own) throw own.error;
  }

  /** Collective where processes have but parts of the variable. */
  read(name: string): TypedArray {
    const buffer = this.buffer(name);
    if (this.inParts.has(buffer)) this.gather([buffer]);
    const view = this.view(buffer);
    // A copy outside of shared memory: a typed array like any other.
    const copy = allocate(buffer.dtype, view.length);
    copy.set(view);
    return copy;
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const buffer = this.buffer(name);
    checkValues(name, buffer, values.length);
    this.inParts.delete(buffer);
    const copies = buffer.scope === "private" ? this.plan.ranks : 1;
    for (let rank = 0; rank < copies; rank++)
      this.view({ ...buffer, offset: buffer.offset + rank * this.plan.privateBytes }).set(values);
  }

  trace(entry: string, trace: string): TypedArray {
    const buffer = this.buffer(`${entry}/${trace}`);
    const length = (this.lastSteps.get(entry) ?? 0) * sizeOf(buffer.shape.slice(1));
    return this.view(buffer).slice(0, length);
  }

  /** Collective where processes run the program together. */
  times(): EntryTimes {
    const { plan, options, counters } = this;
    const own = new Float64Array(counters);
    const all = new Float64Array(own.length * plan.processes);
    const { process = 0, communicator } = options.world ?? {};
    const isOneOfSeveral = plan.processes > 1;
    all.set(own, isOneOfSeveral ? process * own.length : 0);
    if (isOneOfSeveral) communicator?.allReduce(all);
    const entries = Object.keys(plan.entries);
    const ofRanks = Array.from({ length: plan.ranks * plan.processes }, (_, rank) =>
      timesIn(all, entries.length, rank),
    );
    return Object.fromEntries(entries.map((entry, i) => [entry, ofRanks.map((of) => of[i])]));
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.leader.release();
    this.followers?.begin({ kind: "release", program: this.number });
    this.followers?.end();
    this.options.memories.giveBack(this.memory);
  }

  /** Gathers what the entry needs whole; what it leaves in parts is in parts from now on. */
  private changeParts(entry: string): void {
    const { buffers, entries } = this.plan;
    const { kernels, inParts = [] } = entries[entry];
    const left = new Set(inParts.map((buffer) => buffers[buffer]));
    if (this.inParts.size > 0) {
      const touched = new Set(kernels.flatMap((kernel) => Object.values(kernelEffects(kernel)).flat()));
      const needed = [...touched].map((buffer) => buffers[buffer]);
      this.gather(
        needed.filter((buffer) => this.inParts.has(buffer) && !left.has(buffer)),
        entry,
      );
    }
    for (const buffer of left) this.inParts.add(buffer);
  }

  /** Makes variables whole that are in parts. Collective. */
  private gather(parted: readonly PlanBuffer[], entry?: string): void {
    if (parted.length === 0) return;
    this.leader.gather(
      parted.map((buffer) => this.view(buffer) as FloatArray),
      entry,
    );
    for (const buffer of parted) this.inParts.delete(buffer);
  }

  private buffer(name: string): PlanBuffer {
    const buffer = this.named.get(name);
    if (!buffer) throw unknownName("variable", name, [...this.named.keys()]);
    return buffer;
  }

  private view({ dtype, shape, offset }: PlanBuffer): TypedArray {
    return new dtypes[dtype].array(this.memory.buffer, offset, sizeOf(shape));
  }
}

const defaultPatienceMs = 120_000;

function checkFits(plan: Plan, bytes: number): void {
  if (bytes <= mostMemoryBytes) return;
  const largest = [...plan.buffers].sort(
    (a, b) => sizeOf(b.shape) * bytesOf(b.dtype) - sizeOf(a.shape) * bytesOf(a.dtype),
  )[0];
  throw new SlalomError(
    "device",
    `program ${plan.name}: needs ${mebibytes(bytes)} MiB, and a program can have ${mebibytes(mostMemoryBytes)} MiB; its largest tensor is ${largest.name} with ${mebibytes(sizeOf(largest.shape) * bytesOf(largest.dtype))} MiB. Use fewer lanes, a smaller batch or a smaller model.`,
  );
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
