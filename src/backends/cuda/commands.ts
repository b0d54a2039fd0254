/** What a device is told to run: kernels in CUDA C, and for each entry of a plan its commands in order. */
import type { AllReduceKernel, ConvolutionKernel, GemmKernel, Plan } from "../../compile/plan.js";

export interface CudaProgram {
  /**
   * One translation unit. Every kernel is `extern "C" __global__ void name(unsigned char* arena, unsigned int* step)`:
   * the arena's address, and the number of the step in the present run, from which traces take their places.
   */
  readonly source: string;
  /** The plan's arena and the scratch memory of kernels behind it. */
  readonly arenaBytes: number;
  readonly entries: Readonly<Record<string, CudaEntry>>;
}

export interface CudaEntry {
  /** One step. One of them moves traces to their places and, behind all that reads its number, counts the step. */
  readonly commands: readonly CudaCommand[];
}

export type CudaCommand = Launch | CudaCall;

/** What is no kernel of the source: a call of a library, or a sum over ranks. */
export type CudaCall = Product | Convolution | Sum;

export interface Launch {
  readonly kind: "launch";
  /** The function's name in the source. */
  readonly kernel: string;
  /** Blocks, and threads of a block: at most 1024. */
  readonly grid: number;
  readonly block: number;
  /** Dynamic shared memory of a block. */
  readonly sharedBytes: number;
  /** Whether it updates variables by what commands before it computed. */
  readonly updates?: boolean;
}

/** A matrix product by a library. */
export interface Product {
  readonly kind: "product";
  readonly product: GemmKernel;
}

/** A convolution by a library. */
export interface Convolution {
  readonly kind: "convolution";
  readonly convolution: ConvolutionKernel;
}

/**
 * A sum over ranks that sets out, or that is waited for. On its way it does not hold up the commands between: none of them
 * touches its buffers.
 */
export interface Sum {
  readonly kind: "beginSum" | "finishSum";
  readonly sum: AllReduceKernel;
}

/**
 * What libraries take over; everything else, and all of it without them, is a kernel of the source. Each is asked about
 * the plan's own kernels, by which a command then names what it calls.
 */
export interface CudaLibraries {
  products(kernel: GemmKernel): boolean;
  convolutions(kernel: ConvolutionKernel): boolean;
}

/** Kernels of the source compute everything. */
export const noLibraries: CudaLibraries = { products: () => false, convolutions: () => false };

export type EmitCuda = (plan: Plan, libraries: CudaLibraries) => CudaProgram;
