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
  /** What was prepared so far: a plan's memory is asked for before it is loaded. */
  readonly prepared: WeakMap<Plan, PreparedProgram>;
}

/** A program before it has memory. */
export interface PreparedProgram {
  readonly program: CudaProgram;
  /** Kernels of the plan that libraries compute. */
  readonly calls: ReadonlyMap<GemmKernel | ConvolutionKernel, LibraryCall>;
  readonly layout: MemoryLayout;
}

/** The same for the same plan. @param plan for one rank */
export function preparedProgram(plan: Plan, device: CudaDevice): PreparedProgram {
  const known = device.prepared.get(plan) ?? prepare(plan, device);
  device.prepared.set(plan, known);
  return known;
}

function prepare(plan: Plan, { context, emit, routes }: CudaDevice): PreparedProgram {
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
