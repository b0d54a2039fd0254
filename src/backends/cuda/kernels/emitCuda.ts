/**
 * A plan as one translation unit of CUDA C and, for each entry, the commands of a step in order. Scratch memory of kernels
 * lies behind the arena, the same bytes for all whose lives do not meet.
 *
 * The source keeps to the host's rounding under the compiler's defaults (no fast math, products and sums contracted);
 * steps that must not be contracted say so.
 */
import { invariant } from "../../../base/errors.js";
import { isUpdate } from "../../../compile/kernelEffects.js";
import type { Kernel, Plan, PlanEntry } from "../../../compile/plan.js";
import { wavesOf } from "../../../compile/waves.js";
import type { CudaCall, CudaLibraries, CudaProgram } from "../commands.js";
import type { ProductPrecision } from "../products.js";
import { emitConvolution } from "./convolutions.js";
import { deviceSource } from "./device/index.js";
import { type EmittedLaunch, emitLaunch, type PartSequence } from "./launch.js";
import { emitLoop } from "./loops.js";
import type { DeviceLibrary, Memory, Stage } from "./part.js";
import { emitPool } from "./pooling.js";
import { emitProduct } from "./products.js";
import { emitScatterAdd } from "./scatter.js";
import { ScratchMemory } from "./scratch.js";
import { type Task, taskOfCall, taskRules, tasksOfStages } from "./tasks.js";
import { emitEnd } from "./traces.js";

/** A program, and what each of its launches computes. */
export interface EmittedProgram extends CudaProgram {
  readonly entries: Readonly<Record<string, { readonly commands: readonly EmittedCommand[] }>>;
  /** Those of the plan, and behind them scratch memory, which parts of launches may name. */
  readonly buffers: Memory["buffers"];
}

export type EmittedCommand = EmittedLaunch | CudaCall;

/**
 * @param plan for one rank
 * @param precision of our own products of float32 that the plan does not round
 */
export function emitCuda(
  plan: Plan,
  libraries: CudaLibraries,
  precision: ProductPrecision = "float32",
): EmittedProgram {
  invariant(plan.ranks === 1, "a device runs the plan of one rank");
  const emitter = new Emitter(plan, libraries, precision);
  const entries = Object.entries(plan.entries).map(
    ([name, entry], i) =>
      [name, { commands: emitter.entry(`${name.replace(/\W/g, "_")}${i}`, entry) }] as const,
  );
  const { arenaBytes, buffers } = emitter.memory;
  return { source: emitter.source(), arenaBytes, buffers, entries: Object.fromEntries(entries) };
}

/** The line between device functions that programs share and what is the program's own. */
export const kernelsMark = "// Kernels";

class Emitter {
  readonly memory: ScratchMemory;
  private readonly functions: string[] = [];
  private readonly used = new Set<DeviceLibrary>();

  constructor(
    plan: Plan,
    private readonly libraries: CudaLibraries,
    private readonly precision: ProductPrecision,
  ) {
    this.memory = new ScratchMemory(plan);
  }

  source(): string {
    return [deviceSource(this.used), kernelsMark, ...this.functions].join("\n");
  }

  /** @param name of the entry, as identifiers may begin */
  entry(name: string, entry: PlanEntry): EmittedCommand[] {
    const calls = new Map(entry.kernels.map((kernel) => [kernel, this.call(kernel)]));
    const emitted = (): Task[] => [
      ...entry.kernels.flatMap((kernel): Task[] => {
        const call = calls.get(kernel);
        if (call) return [taskOfCall(kernel, call)];
        return tasksOfStages(emitKernel(kernel, this.memory, this.precision), {
          company: kernel.kind === "gemm" || kernel.kind === "convolution" ? "product" : "loop",
          updates: isUpdate(kernel, this.memory.buffers),
        });
      }),
      ...tasksOfStages(emitEnd(entry, this.memory.buffers), { company: "loop", updates: false }),
    ];
    // Once with all scratch memory side by side, to see who waits for whom; once more when it has its place.
    const tasks = this.memory.unplaced(emitted);
    const waves = wavesOf(tasks, taskRules(this.memory.buffers));
    const placed = this.memory.placed(
      waves.map((wave) => wave.flat(2).map((n) => tasks[n])),
      emitted,
    );
    return waves.map((wave, w) => {
      const sequences = wave.map((sequence) => sequence.map((level) => level.map((n) => placed[n])));
      return sequences[0][0][0].call ?? this.launch(`${name}_${w}`, sequences);
    });
  }

  /** What others compute: sums over ranks; products over nothing, which are zeros, are ours. */
  private call(kernel: Kernel): CudaCall | undefined {
    if (kernel.kind === "beginAllReduce") return { kind: "beginSum", sum: kernel };
    if (kernel.kind === "finishAllReduce") return { kind: "finishSum", sum: kernel };
    if (kernel.kind === "gemm" && kernel.k > 0 && this.libraries.products(kernel))
      return { kind: "product", product: kernel };
    if (kernel.kind === "convolution" && this.libraries.convolutions(kernel))
      return { kind: "convolution", convolution: kernel };
    return undefined;
  }

  /** One kernel that does tasks of all sequences at once. */
  private launch(name: string, sequences: readonly (readonly (readonly Task[])[])[]): EmittedLaunch {
    const ofParts = sequences.flatMap((levels): PartSequence[] =>
      levels.length === 1
        ? levels[0].flatMap(({ parts }) => parts.map((part) => [[part]]))
        : [levels.map((level) => level.flatMap(({ parts }) => parts))],
    );
    for (const { libraries } of ofParts.flat(2)) for (const library of libraries) this.used.add(library);
    const { launch, functions } = emitLaunch(name, ofParts);
    this.functions.push(...functions);
    return sequences.flat(2).some(({ updates }) => updates) ? { ...launch, updates: true } : launch;
  }
}

function emitKernel(kernel: Kernel, memory: Memory, precision: ProductPrecision): Stage[] {
  switch (kernel.kind) {
    case "loop":
      return emitLoop(kernel, memory);
    case "gemm":
      return emitProduct(kernel, memory, precision);
    case "scatterAdd":
      return emitScatterAdd(kernel, memory);
    case "convolution":
      return emitConvolution(kernel, memory, precision);
    case "pool":
      return emitPool(kernel, memory);
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
    case "barrier":
      return invariant(false, "sums are commands, and the plan of one rank has no barriers") as never;
  }
}
