/**
 * A plan as one WebAssembly module: a function for each loop kernel, and for each entry a function that runs it any
 * number of times, so that steps follow one another without JavaScript between them.
 */
import { invariant } from "../../base/errors.js";
import { beginsExchange, finishesExchange, isExchange, isUpdate } from "../../compile/kernelEffects.js";
import type {
  ConvolutionKernel,
  ExchangeKernel,
  GemmKernel,
  Kernel,
  Plan,
  PlanEntry,
} from "../../compile/plan.js";
import { createLoopTarget, emitLoop, emitScatterAdd, type LoopTarget } from "./loops/index.js";
import { emitPool } from "./pooling/index.js";
import { defineBarrier, type Meeting } from "./ranks/barrier.js";
import { clockCalls, timedKernels } from "./ranks/clock.js";
import {
  call,
  type FunctionReference,
  i32,
  ModuleBuilder,
  memory,
  type Statement,
  type WasmFeatures,
} from "./wasm/index.js";

export interface EmittedPlan {
  readonly bytes: Uint8Array;
  /** What libraries compute, or exchange with other processes: the module imports each as `library.<number>`: () => void. */
  readonly libraryCalls: readonly LibraryKernel[];
}

export type LibraryKernel = GemmKernel | ConvolutionKernel | ExchangeKernel;

const isOfLibrary = (kernel: Kernel): kernel is LibraryKernel =>
  kernel.kind === "gemm" || kernel.kind === "convolution" || isExchange(kernel);

/** Whether a kernel ends what the step before began; after the last step such kernels run once more. */
const isOfStepBefore = (kernel: Kernel): boolean =>
  kernel.kind === "finishAllGather" && kernel.ofStepBefore === true;

/** Beside the calls: `library.advanceSums` moves on what travels, after each kernel while something does. */
export const advanceSums = "advanceSums";

/** The name under which the module exports an entry. */
export const exportedEntry = (plan: Plan, entry: string): string =>
  `entry${Object.keys(plan.entries).indexOf(entry)}`;

/** The name under which it exports an entry that times its kernels, where there is something to tell apart. */
export const exportedTimed = (plan: Plan, entry: string): string => `${exportedEntry(plan, entry)}Timed`;

/**
 * The module for `plan`, whose arena begins at byte 0 of the imported memory.
 * @param meeting where ranks meet; only for the plan of one of several
 */
export function emitPlan(plan: Plan, features: WasmFeatures, meeting?: Meeting): EmittedPlan {
  const module = new ModuleBuilder();
  module.importMemory(
    { module: "env", name: "memory" },
    { initialPages: 1, maximumPages: 65536, shared: true },
  );
  const libraryCalls = Object.values(plan.entries)
    .flatMap(({ kernels }) => kernels)
    .filter(isOfLibrary);
  const imported = (name: string): Callable =>
    module.importFunction({ module: "library", name }, { parameters: {} });
  const imports: LibraryImports = new Map(libraryCalls.map((kernel, i) => [kernel, imported(`${i}`)]));
  const advance = libraryCalls.some(beginsExchange) ? imported(advanceSums) : undefined;
  const clock = clockCalls(module);
  const target = createLoopTarget(module, plan.buffers, features);
  const barrier = meeting && defineBarrier(module, meeting, clock);
  const defineEntry = (name: string, calls: readonly Statement[], { kernels, traces }: PlanEntry): void => {
    module.function(name, { parameters: { steps: "i32" } }, (f, { steps }) => {
      const step = f.let(i32.const(0));
      f.while(i32.lt_s(step, steps), () => {
        for (const statement of calls) f.do(statement);
        for (const { source, target: ring, bytes } of traces) {
          const to = i32.add(plan.buffers[ring].offset, i32.mul(step, bytes));
          f.do(memory.copy(to, plan.buffers[source].offset, bytes));
        }
        f.add(step, 1);
      });
      for (const kernel of kernels.filter(isOfStepBefore)) f.do(call(imports.get(kernel)!, {}));
    });
  };
  for (const [name, entry] of Object.entries(plan.entries)) {
    let underway = entry.kernels.filter(isOfStepBefore).length;
    const calls = entry.kernels.map((kernel): Statement[] => {
      if (beginsExchange(kernel)) underway++;
      if (finishesExchange(kernel)) underway--;
      const own = callOf(kernel, target, imports, barrier);
      return advance && underway > 0 ? [own, call(advance, {})] : [own];
    });
    defineEntry(exportedEntry(plan, name), calls.flat(), entry);
    const updates = entry.kernels.map((kernel) => isUpdate(kernel, plan.buffers));
    // A rank without updates among others that have some tells by its clock that it has none.
    if (updates.includes(true) || meeting)
      defineEntry(exportedTimed(plan, name), timedKernels(calls, updates, clock), entry);
  }
  return { bytes: module.bytes(), libraryCalls };
}

type Callable = FunctionReference<Record<never, never>, "none">;
type LibraryImports = ReadonlyMap<Kernel, Callable>;

/** Emits the kernel's function, if it is one of ours, and calls it. */
function callOf(
  kernel: Kernel,
  target: LoopTarget,
  imports: LibraryImports,
  barrier: Callable | undefined,
): Statement {
  switch (kernel.kind) {
    case "gemm":
    case "convolution":
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return call(imports.get(kernel)!, {});
    case "pool":
      return call(emitPool(target, kernel), {});
    case "loop":
      return call(emitLoop(target, kernel), {});
    case "scatterAdd":
      return call(emitScatterAdd(target, kernel), {});
    case "barrier":
      invariant(barrier, "only ranks of several have barriers");
      return call(barrier, {});
  }
}
