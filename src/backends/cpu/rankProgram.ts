/** A plan as one rank runs it: its WebAssembly instance over the memory of all, its prepared library calls. */
import type { Plan } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import type { BoundConvolution, ConvolutionLibrary } from "./convolution/index.js";
import { type EmittedPlan, emitPlan, exportedEntry } from "./emitPlan.js";
import type { BoundGemm, GemmLibrary } from "./gemm/index.js";
import { convolutionSpec, prepareLibraryCall } from "./libraryCalls.js";
import { mathImports } from "./loops/index.js";
import { meetingBytes } from "./ranks/barrier.js";
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
  private readonly gemmBytes: number;
  private readonly convolutionBytes: number;
  private exports: WasmExports | undefined;
  private convolutions: BoundConvolution | undefined;
  private products: BoundGemm | undefined;

  /** @param patienceMs how long it waits for the other ranks at a meeting */
  constructor(
    private readonly whole: Plan,
    private readonly rank: number,
    private readonly libraries: RankLibraries,
    patienceMs: number,
  ) {
    this.plan = planForRank(whole, rank);
    const { ranks, arenaBytes: offset } = whole;
    const { gemm, convolution, features } = libraries;
    this.emitted = emitPlan(
      this.plan,
      features,
      ranks === 1 ? undefined : { ranks, rank, offset, patienceMs },
    );
    const specs = this.emitted.libraryCalls
      .filter((kernel) => kernel.kind === "convolution")
      .map(convolutionSpec);
    this.gemmBytes = aligned(gemm.workspaceBytes);
    this.convolutionBytes = aligned(convolution.workspaceBytes(specs));
  }

  /** Bytes of memory that all ranks need together: they run the same library calls. */
  get bytes(): number {
    const { arenaBytes, ranks } = this.whole;
    return arenaBytes + meetingBytes(ranks) + ranks * (this.gemmBytes + this.convolutionBytes);
  }

  /** Makes it ready to run in `memory`. */
  bind(memory: WasmMemory): void {
    const { arenaBytes, ranks } = this.whole;
    const { gemm, convolution } = this.libraries;
    const workspace = arenaBytes + meetingBytes(ranks) + this.rank * (this.gemmBytes + this.convolutionBytes);
    this.products = gemm.bind(memory, workspace);
    this.convolutions = convolution.bind(memory, workspace + this.gemmBytes, this.products);
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

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
