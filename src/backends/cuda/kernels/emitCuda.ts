/**
 * A plan as one translation unit of CUDA C and, for each entry, the commands of a step in order. Scratch memory of kernels
 * lies behind the arena, the same bytes for every wave of kernels: commands run one after another.
 *
 * The source keeps to the host's rounding under the compiler's defaults (no fast math, products and sums contracted);
 * steps that must not be contracted say so.
 */
import { bytesOf } from "../../../base/dtype.js";
import { invariant } from "../../../base/errors.js";
import type { Kernel, Plan, PlanBuffer, PlanEntry } from "../../../compile/plan.js";
import type { CudaCommand, CudaEntry, CudaLibraries, CudaProgram, Launch } from "../commands.js";
import { emitConvolution } from "./convolutions.js";
import { deviceSource } from "./device/index.js";
import { emitLoop } from "./loops.js";
import {
  block,
  blockThreads,
  type DeviceLibrary,
  indented,
  type Memory,
  type Part,
  type Stage,
} from "./part.js";
import { emitPool } from "./pooling.js";
import { emitProduct } from "./products.js";
import { emitScatterAdd } from "./scatter.js";
import { emitEnd, emitLargeTraces } from "./traces.js";
import { wavesOf } from "./waves.js";

/** @param plan for one rank */
export function emitCuda(plan: Plan, libraries: CudaLibraries): CudaProgram {
  invariant(plan.ranks === 1, "a device runs the plan of one rank");
  const emitter = new Emitter(plan, libraries);
  const entries = Object.entries(plan.entries).map(([name, entry], i): [string, CudaEntry] => [
    name,
    { commands: emitter.entry(`${name.replace(/\W/g, "_")}${i}`, entry) },
  ]);
  return { source: emitter.source(), arenaBytes: emitter.arenaBytes, entries: Object.fromEntries(entries) };
}

/** The line between device functions that programs share and what is the program's own. */
export const kernelsMark = "// Kernels";

class Emitter {
  arenaBytes: number;
  private readonly memory: ScratchMemory;
  private readonly functions: string[] = [];
  private readonly used = new Set<DeviceLibrary>();

  constructor(
    private readonly plan: Plan,
    private readonly libraries: CudaLibraries,
  ) {
    this.memory = new ScratchMemory(plan);
    this.arenaBytes = plan.arenaBytes;
  }

  source(): string {
    return [deviceSource(this.used), kernelsMark, ...this.functions].join("\n");
  }

  /** @param name of the entry, as identifiers may begin */
  entry(name: string, entry: PlanEntry): CudaCommand[] {
    const commands: CudaCommand[] = [];
    const launch = (stage: Stage): void => {
      if (stage.length > 0) commands.push(this.launch(`${name}_${commands.length}`, stage));
    };
    const ofLibraries = new Map(entry.kernels.map((kernel) => [kernel, this.libraryCommand(kernel)]));
    const likeness = (kernel: Kernel): string | undefined =>
      ofLibraries.get(kernel) ? undefined : likenessOf(kernel);
    for (const wave of wavesOf(entry.kernels, this.plan.buffers, likeness)) {
      const command = ofLibraries.get(wave[0]);
      if (command) commands.push(command);
      else for (const stage of this.stages(wave)) launch(stage);
    }
    launch(emitLargeTraces(entry, this.plan.buffers));
    launch([emitEnd(entry, this.plan.buffers)]);
    return commands;
  }

  /** What others compute: sums over ranks; products over nothing, which are zeros, are ours. */
  private libraryCommand(kernel: Kernel): CudaCommand | undefined {
    if (kernel.kind === "beginAllReduce") return { kind: "beginSum", sum: kernel };
    if (kernel.kind === "finishAllReduce") return { kind: "finishSum", sum: kernel };
    if (kernel.kind === "gemm" && kernel.k > 0 && this.libraries.products(kernel))
      return { kind: "product", product: kernel };
    if (kernel.kind === "convolution" && this.libraries.convolutions(kernel))
      return { kind: "convolution", convolution: kernel };
    return undefined;
  }

  /** The stages of kernels that run at once: each has all kernels' parts of its number. */
  private stages(wave: readonly Kernel[]): Stage[] {
    this.memory.clear();
    const own = wave.map((kernel) => emitKernel(kernel, this.memory));
    this.arenaBytes = Math.max(this.arenaBytes, this.memory.end);
    const count = Math.max(...own.map(({ length }) => length));
    return Array.from({ length: count }, (_, s) => own.flatMap((stages) => stages[s] ?? []));
  }

  /** One kernel that runs all parts of a stage side by side, each on blocks of its own. */
  private launch(kernel: string, parts: Stage): Launch {
    let before = 0;
    const calls = parts.map(({ blocks, title, code, libraries }, i) => {
      for (const library of libraries) this.used.add(library);
      const part = parts.length === 1 ? `${kernel}_part` : `${kernel}_part${i}`;
      const parameters = `unsigned char* arena, unsigned block, unsigned* step`;
      this.functions.push(
        `// ${title}\n${block(`__device__ __forceinline__ void ${part}(${parameters})`, code)}\n`,
      );
      const own = before === 0 ? "blockIdx.x" : `blockIdx.x - ${before}u`;
      before += blocks;
      return { call: `${part}(arena, ${own}, step);`, end: before };
    });
    const body = calls
      .map(({ call, end }, i) => (i < calls.length - 1 ? `if (blockIdx.x < ${end}u) return ${call}` : call))
      .join("\n");
    const parameters = "unsigned char* arena, unsigned int* step";
    const head = `extern "C" __global__ void __launch_bounds__(${blockThreads}) ${kernel}(${parameters})`;
    this.functions.push(`${head} {\n${indented(body)}\n}\n`);
    return {
      kind: "launch",
      kernel,
      grid: before,
      block: blockThreads,
      sharedBytes: Math.max(...parts.map((part: Part) => part.sharedBytes)),
    };
  }
}

/** Kernels that need about as many registers are alike: one that needs many would slow down the others of its launch. */
const likenessOf = ({ kind }: Kernel): string =>
  kind === "gemm" || kind === "convolution" ? "product" : "loop";

function emitKernel(kernel: Kernel, memory: Memory): Stage[] {
  switch (kernel.kind) {
    case "loop":
      return emitLoop(kernel, memory);
    case "gemm":
      return emitProduct(kernel, memory);
    case "scatterAdd":
      return emitScatterAdd(kernel, memory);
    case "convolution":
      return emitConvolution(kernel, memory);
    case "pool":
      return emitPool(kernel, memory);
    case "beginAllReduce":
    case "finishAllReduce":
    case "barrier":
      return invariant(false, "sums are commands, and the plan of one rank has no barriers") as never;
  }
}

/** Buffers behind the arena, which one wave of kernels has to itself. */
class ScratchMemory implements Memory {
  readonly buffers: PlanBuffer[];
  /** The byte behind the last buffer. */
  end: number;

  constructor(private readonly plan: Plan) {
    this.buffers = [...plan.buffers];
    this.end = plan.arenaBytes;
  }

  clear(): void {
    this.end = this.plan.arenaBytes;
  }

  scratch(dtype: PlanBuffer["dtype"], count: number): number {
    const bytes = Math.ceil((count * bytesOf(dtype)) / alignment) * alignment;
    this.buffers.push({
      name: "scratch",
      role: "temporary",
      shape: [count],
      dtype,
      offset: this.end,
      scope: "shared",
    });
    this.end += bytes;
    return this.buffers.length - 1;
  }
}

/** As buffers of a plan are aligned. */
const alignment = 64;
