/** A plan as one rank runs it: its WebAssembly instance over the memory of all, its prepared library calls. */
import type { Communicator } from "../../collectives/index.js";
import type { Plan } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import type { BoundConvolution, ConvolutionLibrary } from "./convolution/index.js";
import { advanceSums, type EmittedPlan, emitPlan, exportedEntry } from "./emitPlan.js";
import type { BoundGemm, GemmLibrary } from "./gemm/index.js";
import { prepareLibraryCall } from "./libraryCalls.js";
import { mathImports } from "./loops/index.js";
import { type MemoryLayout, memoryLayout } from "./memoryLayout.js";
import { TravellingSums } from "./processes/travellingSums.js";
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
  private convolutions: BoundConvolution | undefined;
  private products: BoundGemm | undefined;

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

  /** Makes it ready to run in `memory`; the leading rank of one of several processes needs their communicator. */
  bind(memory: WasmMemory, communicator?: Communicator): void {
    const { gemm, convolution } = this.libraries;
    const { gemmAt, convolutionAt } = this.layout.workspaces[this.rank];
    this.products = gemm.bind(memory, gemmAt);
    this.convolutions = convolution.bind(memory, convolutionAt, this.products);
    const sums = communicator && new TravellingSums(communicator);
    const bound = { gemm: this.products, convolution: this.convolutions, memory, ...(sums && { sums }) };
    const { bytes, libraryCalls } = this.emitted;
    this.exports = instantiate(compileModule(bytes), {
      env: { memory },
      math: mathImports,
      library: {
        ...Object.fromEntries(
          libraryCalls.map((kernel, i) => [`${i}`, prepareLibraryCall(kernel, this.plan, bound)]),
        ),
        ...(sums && { [advanceSums]: () => sums.advance() }),
      },
    });
  }

  run(entry: string, steps: number): void {
    this.exports![exportedEntry(this.plan, entry)](steps);
  }

  release(): void {
    this.convolutions?.release();
    this.products?.release?.();
  }
}
