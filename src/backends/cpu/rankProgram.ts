/** A plan as one rank runs it: its WebAssembly instance over the memory of all, its prepared library calls. */
import type { Plan } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import type { BoundConvolution, ConvolutionLibrary } from "./convolution/index.js";
import { type EmittedPlan, emitPlan, exportedEntry } from "./emitPlan.js";
import type { BoundGemm, GemmLibrary } from "./gemm/index.js";
import { prepareLibraryCall } from "./libraryCalls.js";
import { mathImports } from "./loops/index.js";
import { type MemoryLayout, memoryLayout } from "./memoryLayout.js";
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

/** What is emitted for a rank, before it has a memory. */
export class RankProgram {
  readonly plan: Plan;
  private readonly emitted: EmittedPlan;
  private readonly layout: MemoryLayout;
  private exports: WasmExports | undefined;
  private convolutions: BoundConvolution | undefined;
  private products: BoundGemm | undefined;

  /** @param patienceMs how long it waits for the other ranks at a meeting */
  constructor(
    whole: Plan,
    private readonly rank: number,
    private readonly libraries: RankLibraries,
    patienceMs: number,
  ) {
    this.plan = planForRank(whole, rank);
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

  /** Makes it ready to run in `memory`. */
  bind(memory: WasmMemory): void {
    const { gemm, convolution } = this.libraries;
    const { gemmAt, convolutionAt } = this.layout.workspaces[this.rank];
    this.products = gemm.bind(memory, gemmAt);
    this.convolutions = convolution.bind(memory, convolutionAt, this.products);
    const bound = { gemm: this.products, convolution: this.convolutions };
    const { bytes, libraryCalls } = this.emitted;
    this.exports = instantiate(compileModule(bytes), {
      env: { memory },
      math: mathImports,
      library: Object.fromEntries(
        libraryCalls.map((kernel, i) => [`${i}`, prepareLibraryCall(kernel, this.plan, bound)]),
      ),
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
