/** A plan as one rank runs it: its WebAssembly instance over the memory of all, its prepared library calls. */
import { invariant } from "../../base/errors.js";
import type { Communicator, FloatArray } from "../../collectives/index.js";
import type { RunOptions } from "../../compile/backend.js";
import { isExchange } from "../../compile/kernelEffects.js";
import type { Plan } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import type { BoundConvolution, ConvolutionLibrary } from "./convolution/index.js";
import { advanceSums, type EmittedPlan, emitPlan, exportedEntry, exportedTimed } from "./emitPlan.js";
import type { BoundGemm, GemmLibrary } from "./gemm/index.js";
import { prepareLibraryCall } from "./libraryCalls.js";
import { mathImports } from "./loops/index.js";
import { type MemoryLayout, memoryLayout } from "./memoryLayout.js";
import { RankClock } from "./ranks/clock.js";
import { TravellingSums } from "./travellingSums.js";
import {
  compileModule,
  instantiate,
  type WasmExports,
  type WasmFeatures,
  type WasmMemory,
} from "./wasm/index.js";

export interface RankLibraries {
  readonly gemm: GemmLibrary;
  readonly convolution: ConvolutionLibrary;
  readonly features: WasmFeatures;
}

/** The processes that a program runs on, as one of them sees them. */
export interface World {
  /** Of this one. */
  readonly process: number;
  readonly communicator: Communicator;
}

/** What is emitted for a rank, before it has a memory. */
export class RankProgram {
  readonly plan: Plan;
  private readonly emitted: EmittedPlan;
  private readonly layout: MemoryLayout;
  private exports: WasmExports | undefined;
  private clock: RankClock | undefined;
  private convolutions: BoundConvolution | undefined;
  private products: BoundGemm | undefined;
  private sums: TravellingSums | undefined;

  /**
   * @param rank of this process
   * @param process its number
   * @param patienceMs how long it waits for the other ranks at a meeting
   */
  constructor(
    whole: Plan,
    private readonly rank: number,
    private readonly libraries: RankLibraries,
    patienceMs: number,
    process = 0,
  ) {
    this.plan = planForRank(whole, rank, process);
    const { ranks, arenaBytes: offset } = whole;
    this.emitted = emitPlan(
      this.plan,
      libraries.features,
      ranks === 1 ? undefined : { ranks, rank, offset, patienceMs },
    );
    this.layout = memoryLayout(whole, libraries);
  }

  /** Bytes of memory that all ranks need together. */
  get bytes(): number {
    return this.layout.bytes;
  }

  /**
   * Makes it ready to run in `memory`; the leading rank of one of several processes needs their communicator.
   * @param counters `clockMemory` of all ranks
   */
  bind(memory: WasmMemory, counters: SharedArrayBuffer, communicator?: Communicator): void {
    const { gemm, convolution } = this.libraries;
    const { gemmAt, convolutionAt } = this.layout.workspaces[this.rank];
    this.products = gemm.bind(memory, gemmAt);
    this.convolutions = convolution.bind(memory, convolutionAt, this.products);
    const sums = communicator && new TravellingSums(communicator);
    this.sums = sums;
    const bound = { gemm: this.products, convolution: this.convolutions, memory, ...(sums && { sums }) };
    const { bytes, libraryCalls } = this.emitted;
    const clock = new RankClock(counters, Object.keys(this.plan.entries).length, this.rank);
    const carrying = (carry: () => void): (() => void) =>
      clock.carrying(carry, () => sums?.isUnderway ?? false);
    this.exports = instantiate(compileModule(bytes), {
      env: { memory },
      math: mathImports,
      clock: clock.imports,
      library: {
        ...Object.fromEntries(
          libraryCalls.map((kernel, i) => {
            const call = prepareLibraryCall(kernel, this.plan, bound);
            return [`${i}`, isExchange(kernel) ? carrying(call) : call];
          }),
        ),
        [advanceSums]: carrying(() => sums?.advance()),
      },
    });
    this.clock = clock;
  }

  run(entry: string, steps: number, { timed = false }: RunOptions = {}): void {
    const { plan } = this;
    const exports = this.exports!;
    const isTimed = timed && exportedTimed(plan, entry) in exports;
    const run = exports[isTimed ? exportedTimed(plan, entry) : exportedEntry(plan, entry)];
    // Its caller knows how long a rank alone runs, and a step may take less than reading the clock.
    if (!isTimed && plan.ranks * plan.processes === 1) {
      run(steps);
      return;
    }
    const number = Object.keys(plan.entries).indexOf(entry);
    this.clock!.run({ entry: number, timedSteps: isTimed ? steps : 0 }, () => run(steps));
  }

  /**
   * Gathers what processes have in parts, before other ranks of this one need it.
   * @param entry that is about to run, whose time it is; absent: the caller's
   */
  gather(arrays: readonly FloatArray[], entry?: string): void {
    const { sums } = this;
    invariant(sums, "only processes that meet others have parts");
    const gather = (): void => sums.gather(arrays);
    if (entry === undefined) {
      gather();
      return;
    }
    const clock = this.clock!;
    const number = Object.keys(this.plan.entries).indexOf(entry);
    clock.run(
      { entry: number, timedSteps: 0 },
      clock.carrying(gather, () => false),
    );
  }

  release(): void {
    this.convolutions?.release();
    this.products?.release?.();
  }
}
