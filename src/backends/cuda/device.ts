/** One device with all that programs need to run on it. */
import type { ConvolutionKernel, GemmKernel, Plan } from "../../compile/plan.js";
import type { CudaProgram, EmitCuda } from "./commands.js";
import type { DeviceContext, DeviceFacts } from "./driver.js";
import type { LibraryCall } from "./libraryCalls.js";
import { layoutOf, type MemoryLayout } from "./memory.js";
import type { Routes } from "./routes.js";

export interface CudaDevice {
  readonly context: DeviceContext;
  readonly facts: DeviceFacts;
  readonly emit: EmitCuda;
  /** The device's code for a source. */
  readonly compile: (source: string, program: string) => Uint8Array;
  /** Who computes products and convolutions. */
  readonly routes: Routes;
}

/** A program before it has memory. */
export interface PreparedProgram {
  readonly program: CudaProgram;
  /** Kernels of the plan that libraries compute. */
  readonly calls: ReadonlyMap<GemmKernel | ConvolutionKernel, LibraryCall>;
  readonly layout: MemoryLayout;
}

/** @param plan for one rank */
export function prepareProgram(plan: Plan, { context, emit, routes }: CudaDevice): PreparedProgram {
  const calls = new Map<GemmKernel | ConvolutionKernel, LibraryCall>();
  const takes = (kernel: GemmKernel | ConvolutionKernel): boolean => {
    const call = calls.get(kernel) ?? routes.callFor(kernel, plan);
    if (call !== undefined) calls.set(kernel, call);
    return call !== undefined;
  };
  const program = context.within(() => emit(plan, { products: takes, convolutions: takes }));
  const workspaceBytes = Math.max(0, ...[...calls.values()].map((call) => call.workspaceBytes));
  return { program, calls, layout: layoutOf(program.arenaBytes, workspaceBytes) };
}
