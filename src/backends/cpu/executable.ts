/** A compiled program in memory: its arena, its WebAssembly instance, its prepared matrix products. */
import { allocate, bytesOf, dtypes, type TypedArray } from "../../base/dtype.js";
import { invariant, SlalomError, unknownName } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { checkSteps, checkValues, type Executable } from "../../compile/backend.js";
import type { Plan, PlanBuffer } from "../../compile/plan.js";
import type { BoundConvolution, ConvolutionLibrary } from "./convolution/index.js";
import { emitPlan, exportedEntry } from "./emitPlan.js";
import type { GemmLibrary } from "./gemm/index.js";
import { convolutionSpec, prepareLibraryCall } from "./libraryCalls.js";
import { mathImports } from "./loops/index.js";
import type { MemoryPool } from "./memoryPool.js";
import {
  compileModule,
  instantiate,
  type WasmExports,
  type WasmFeatures,
  type WasmMemory,
} from "./wasm/index.js";

export interface CpuOptions {
  readonly gemm: GemmLibrary;
  readonly convolution: ConvolutionLibrary;
  readonly features: WasmFeatures;
  readonly memories: MemoryPool;
}

export class CpuExecutable implements Executable {
  readonly bytes: number;
  private readonly memory: WasmMemory;
  private readonly exports: WasmExports;
  private readonly named: ReadonlyMap<string, PlanBuffer>;
  private lastSteps = new Map<string, number>();
  private readonly convolutions: BoundConvolution;
  private released = false;

  /** Throws a SlalomError "device" where the arena is larger than a WebAssembly memory can be. */
  constructor(
    private readonly plan: Plan,
    private readonly traceCapacity: number,
    private readonly options: CpuOptions,
  ) {
    const { gemm, convolution, features, memories } = options;
    const { bytes, libraryCalls } = emitPlan(plan, features);
    const convolutions = libraryCalls.filter((kernel) => kernel.kind === "convolution").map(convolutionSpec);
    const gemmEnd = plan.arenaBytes + gemm.workspaceBytes;
    this.bytes = gemmEnd + convolution.workspaceBytes(convolutions);
    checkFits(plan, this.bytes);
    this.memory = memories.take(this.bytes);
    this.named = new Map(
      plan.buffers
        .filter(({ role }) => role !== "temporary" && role !== "constant")
        .map((buffer) => [buffer.name, buffer]),
    );
    const boundGemm = gemm.bind(this.memory, plan.arenaBytes);
    this.convolutions = convolution.bind(this.memory, gemmEnd, boundGemm);
    const bound = { gemm: boundGemm, convolution: this.convolutions };
    this.exports = instantiate(compileModule(bytes), {
      env: { memory: this.memory },
      math: mathImports,
      library: Object.fromEntries(
        libraryCalls.map((kernel, i) => [`${i}`, prepareLibraryCall(kernel, plan, bound)]),
      ),
    });
    for (const { buffer, data } of plan.constants) this.view(plan.buffers[buffer]).set(data);
  }

  run(entry: string, steps = 1): void {
    invariant(!this.released, "a released program runs no more");
    if (!this.plan.entries[entry]) throw unknownName("entry", entry, Object.keys(this.plan.entries));
    checkSteps(steps, this.traceCapacity);
    this.exports[exportedEntry(this.plan, entry)](steps);
    this.lastSteps.set(entry, steps);
  }

  read(name: string): TypedArray {
    const view = this.view(this.buffer(name));
    // A copy outside of shared memory: a typed array like any other.
    const copy = allocate(this.buffer(name).dtype, view.length);
    copy.set(view);
    return copy;
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const buffer = this.buffer(name);
    checkValues(name, buffer, values.length);
    this.view(buffer).set(values);
  }

  trace(entry: string, trace: string): TypedArray {
    const buffer = this.buffer(`${entry}/${trace}`);
    const length = (this.lastSteps.get(entry) ?? 0) * sizeOf(buffer.shape.slice(1));
    return this.view(buffer).slice(0, length);
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.convolutions.release();
    this.options.memories.giveBack(this.memory);
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

/** What a WebAssembly memory with 32-bit addresses can hold. */
const mostBytes = 2 ** 32 - 65536;

function checkFits(plan: Plan, bytes: number): void {
  if (bytes <= mostBytes) return;
  const largest = [...plan.buffers].sort(
    (a, b) => sizeOf(b.shape) * bytesOf(b.dtype) - sizeOf(a.shape) * bytesOf(a.dtype),
  )[0];
  throw new SlalomError(
    "device",
    `program ${plan.name}: needs ${mebibytes(bytes)} MiB, and a program can have ${mebibytes(mostBytes)} MiB; its largest tensor is ${largest.name} with ${mebibytes(sizeOf(largest.shape) * bytesOf(largest.dtype))} MiB. Use fewer lanes, a smaller batch or a smaller model.`,
  );
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20);
