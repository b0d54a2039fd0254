/**
 * A plan as one WebAssembly module: a function for each loop kernel, and for each entry a function that runs it any
 * number of times, so that steps follow one another without JavaScript between them.
 */
import { invariant } from "../../base/errors.js";
import type { AllReduceKernel, ConvolutionKernel, GemmKernel, Kernel, Plan } from "../../compile/plan.js";
import { createLoopTarget, emitLoop, emitScatterAdd, type LoopTarget } from "./loops/index.js";
import { emitPool } from "./pooling/index.js";
import { defineBarrier, type Meeting } from "./ranks/barrier.js";
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
  /** What libraries compute, or sum with other processes: the module imports each as `library.<number>`: () => void. */
  readonly libraryCalls: readonly LibraryKernel[];
}

export type LibraryKernel = GemmKernel | ConvolutionKernel | AllReduceKernel;

/** The name under which the module exports an entry. */
export const exportedEntry = (plan: Plan, entry: string): string =>
  `entry${Object.keys(plan.entries).indexOf(entry)}`;

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
    .filter(
      (kernel) => kernel.kind === "gemm" || kernel.kind === "convolution" || kernel.kind === "allReduce",
    );
  const imports: LibraryImports = new Map(
    libraryCalls.map((kernel, i) => [
      kernel,
      module.importFunction({ module: "library", name: `${i}` }, { parameters: {} }),
    ]),
  );
  const target = createLoopTarget(module, plan.buffers, features);
  const barrier = meeting && defineBarrier(module, meeting);
  for (const [name, entry] of Object.entries(plan.entries)) {
    const calls = entry.kernels.map((kernel) => callOf(kernel, target, imports, barrier));
    module.function(exportedEntry(plan, name), { parameters: { steps: "i32" } }, (f, { steps }) => {
      const step = f.let(i32.const(0));
      f.while(i32.lt_s(step, steps), () => {
        for (const statement of calls) f.do(statement);
        for (const { source, target: ring, bytes } of entry.traces) {
          const to = i32.add(plan.buffers[ring].offset, i32.mul(step, bytes));
          f.do(memory.copy(to, plan.buffers[source].offset, bytes));
        }
        f.add(step, 1);
      });
    });
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
    case "allReduce":
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
