/** What libraries are asked for, and what they need: kernels of ours around theirs. */
import type { ConvolutionKernel, GemmKernel, Plan } from "../../compile/plan.js";
import type { Handle, LaunchShape } from "./driver.js";

/** One way in which a library computes a kernel of the plan. */
export interface LibraryCall {
  /** Which one, among all of any library for that kernel: "cuDNN algorithm 1". The same in every process. */
  readonly name: string;
  /** Scratch memory while it runs, aligned to 256. */
  readonly workspaceBytes: number;
  /** Whether it launches kernels of `libraryKernels`. */
  readonly usesKernels: boolean;
  /** Streams that its parts want to run in side by side, the program's own among them. */
  readonly branches: number;
  /** Puts it into the stream. */
  enqueue(surroundings: Surroundings): void;
}

/** Where a program is, once it has memory. */
export interface Surroundings {
  readonly arena: Handle;
  readonly workspace: Handle;
  readonly stream: Handle;
  launch(kernel: LibraryKernel, shape: LaunchShape, args: readonly bigint[]): void;
  /** What `put` puts into the stream of each of so many branches runs side by side, and is done before what follows. */
  inBranches(count: number, put: (branch: number, within: InBranch) => void): void;
}

/** The stream of a branch. */
export type InBranch = Pick<Surroundings, "stream" | "launch">;

export interface Library<K extends GemmKernel | ConvolutionKernel> {
  /**
   * The ways in which it computes a kernel, that which it thinks fastest first; each gives the same bits every time. None
   * where it has none such.
   */
  callsFor(kernel: K, plan: Plan): readonly LibraryCall[];
  /** Frees what it holds; none of its calls may be made afterwards. */
  release(): void;
}

export type ProductLibrary = Library<GemmKernel>;
export type ConvolutionLibrary = Library<ConvolutionKernel>;

export type LibraryKernel = keyof typeof libraryKernels;

/**
 * Kernels around calls of libraries; every argument has 64 bits.
 *
 * Rounding to bfloat16 is to the nearest, ties to even; NaN stays NaN. The maximum of NaN and 0 is NaN, so that a
 * divergence is seen.
 */
export const libraryKernels = {
  /** Matrices as bfloat16 without gaps, [matrices][rows][columns], from rows `leading` and matrices `stride` apart. */
  library_roundMatrices: `extern "C" __global__ void library_roundMatrices(
    const unsigned int* from, unsigned short* to, unsigned long long matrices, unsigned long long rows,
    unsigned long long columns, unsigned long long leading, unsigned long long stride) {
  const unsigned long long count = matrices * rows * columns;
  const unsigned long long threads = (unsigned long long)gridDim.x * blockDim.x;
  for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    const unsigned long long line = i / columns;
    to[i] = library_bfloat16(from[line / rows * stride + line % rows * leading + i % columns]) >> 16;
  }
}`,
  /** Numbers as bfloat16, kept as float32. */
  library_roundNumbers: `extern "C" __global__ void library_roundNumbers(
    const unsigned int* from, unsigned int* to, unsigned long long count) {
  const unsigned long long threads = (unsigned long long)gridDim.x * blockDim.x;
  for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads)
    to[i] = library_bfloat16(from[i]);
}`,
  /** y + bias, of which there may be none, channels last; then max(y, 0) if \`relu\` is not 0. */
  library_finishOutputs: `extern "C" __global__ void library_finishOutputs(
    float* y, const float* bias, unsigned long long count, unsigned long long channels, unsigned long long relu) {
  const unsigned long long threads = (unsigned long long)gridDim.x * blockDim.x;
  for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += threads) {
    const float value = bias ? y[i] + bias[i % channels] : y[i];
    y[i] = relu && value <= 0.0f ? 0.0f : value;
  }
}`,
} as const;

const shared = `static __device__ unsigned int library_bfloat16(unsigned int bits) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bits | 0x00400000u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
}`;

/** Their source, to be put behind that of a program. */
export const libraryKernelSource = [shared, ...Object.values(libraryKernels)].join("\n\n");

/** Threads for so many elements; each takes several where there are more. */
export function elementwiseShape(count: number): LaunchShape {
  const block = 256;
  return { grid: Math.max(1, Math.min(Math.ceil(count / block), 1 << 16)), block, sharedBytes: 0 };
}
