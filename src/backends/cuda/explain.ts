/**
 * A program for a GPU in numbers: its commands, what each computes and moves, and a forecast of the time that this takes at
 * least. Nothing is run, and no GPU is needed.
 */
import { sizeOf } from "../../base/shape.js";
import { countKernel } from "../../compile/explain.js";
import type { ConvolutionKernel, GemmKernel, Kernel, Plan } from "../../compile/plan.js";
import { type CudaLibraries, noLibraries } from "./commands.js";
import { suitsCudnn } from "./convolutions.js";
import { type Gpu, nodeS } from "./gpus.js";
import { type EmittedCommand, emitCuda } from "./kernels/index.js";
import type { ProductPrecision } from "./products.js";

export interface CudaExplanation {
  readonly gpu: Gpu;
  /** The plan's arena, and scratch memory of kernels. Libraries may want more. */
  readonly bytes: number;
  readonly source: string;
  readonly entries: readonly CudaEntryExplanation[];
}

export interface CudaEntryExplanation extends Forecast {
  readonly name: string;
  readonly commands: readonly CommandExplanation[];
  /** Nodes of the graph of a step. */
  readonly nodes: number;
}

export interface CommandExplanation extends Forecast {
  readonly command: EmittedCommand["kind"];
  /** Launches, or calls of a library with our kernels around them; a sum over ranks is one where it begins. */
  readonly nodes: number;
  /** Of a launch: its name in the source, blocks, threads of each, and their dynamic shared memory. */
  readonly launch?: {
    readonly kernel: string;
    readonly grid: number;
    readonly block: number;
    readonly sharedBytes: number;
  };
  readonly parts: readonly {
    readonly title: string;
    readonly blocks?: number;
    /** Done by the block of the part before. */
    readonly shares: boolean;
  }[];
  readonly bound: "launch" | "memory" | "arithmetic";
}

interface Forecast {
  readonly flops: number;
  /** Read and written, each element once a kernel, as if nothing were in a cache. */
  readonly bytes: number;
  readonly forecastS: number;
}

export interface CudaExplainOptions {
  readonly gpu: Gpu;
  readonly precision: ProductPrecision;
  /** Whether cuBLASLt and cuDNN are there, and take all that they are made for. */
  readonly libraries: boolean;
}

export function explainCuda(plan: Plan, { gpu, precision, libraries }: CudaExplainOptions): CudaExplanation {
  const program = emitCuda(plan, libraries ? allLibraries : noLibraries, precision);
  const counted = { ...plan, buffers: program.buffers };
  const explain = (command: EmittedCommand): CommandExplanation => {
    const kernels = kernelsOf(command);
    const counts = kernels.map((kernel) => countKernel(counted, kernel));
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
    const bytes = sum(counts.map((count) => count.bytes));
    const nodes = nodesOf(command);
    const times = {
      launch: nodes * nodeS,
      memory: bytes / (gpu.bandwidthGBs * 1e9),
      arithmetic: sum(
        counts.map(
          ({ flops }, i) => flops / rateOf(kernels[i], gpu, { precision, isOwn: command.kind === "launch" }),
        ),
      ),
    };
    const bounds = ["launch", "memory", "arithmetic"] as const;
    const bound = bounds.reduce((longest, one) => (times[one] > times[longest] ? one : longest));
    return {
      command: command.kind,
      nodes,
      ...(command.kind === "launch" && { launch: shapeOf(command) }),
      parts:
        command.kind === "launch"
          ? command.parts.map(({ title, blocks, shares }) => ({ title, blocks, shares }))
          : counts.map(({ shape }, i) => ({ title: `${kernels[i].name} ${shape}`, shares: false })),
      flops: sum(counts.map(({ flops }) => flops)),
      bytes,
      forecastS: times[bound],
      bound,
    };
  };
  return {
    gpu,
    bytes: program.arenaBytes,
    source: program.source,
    entries: Object.entries(program.entries).map(([name, entry]) => {
      const commands = entry.commands.map(explain);
      const total = (field: "flops" | "bytes" | "forecastS" | "nodes"): number =>
        commands.reduce((sum, command) => sum + command[field], 0);
      return {
        name,
        commands,
        nodes: total("nodes"),
        flops: total("flops"),
        bytes: total("bytes"),
        forecastS: total("forecastS"),
      };
    }),
  };
}

const allLibraries: CudaLibraries = {
  products: ({ m, n, k, batch }) => sizeOf([m, n, k, ...batch]) > 0,
  convolutions: suitsCudnn,
};

const shapeOf = ({ kernel, grid, block, sharedBytes }: EmittedCommand & { kind: "launch" }) => ({
  kernel,
  grid,
  block,
  sharedBytes,
});

function kernelsOf(command: EmittedCommand): readonly Kernel[] {
  switch (command.kind) {
    case "launch":
      return command.parts.flatMap(({ computes }) => (computes ? [computes] : []));
    case "product":
      return [command.product];
    case "convolution":
      return [command.convolution];
    case "beginSum":
    case "finishSum":
      return [command.sum];
  }
}

function nodesOf(command: EmittedCommand): number {
  switch (command.kind) {
    case "launch":
      return 1;
    case "product":
      return nodesOfProduct(command.product);
    case "convolution":
      return nodesOfConvolution(command.convolution);
    case "beginSum":
      return 1;
    case "finishSum":
      return 0;
  }
}

/** A call for each index of the outer batch dimensions; operands that are rounded are so by a kernel each. */
const nodesOfProduct = ({ batch, precision }: GemmKernel): number =>
  sizeOf(batch.slice(0, -1)) * (precision === undefined ? 1 : 3);

/** A call for each lane; operands that are rounded are so by a kernel each, what lanes share once; one finishes outputs. */
function nodesOfConvolution(kernel: ConvolutionKernel): number {
  const { lanes, computes, attributes, bias, relu } = kernel;
  const operands = (["x", "w", "y"] as const).filter((role) => role !== computes);
  const roundings = operands.map((role) => (kernel[role].laneStride === 0 ? 1 : lanes));
  return (
    lanes * (bias !== undefined || relu ? 2 : 1) +
    (attributes.precision === undefined ? 0 : roundings[0] + roundings[1])
  );
}

/** Operations a second. */
function rateOf(
  kernel: Kernel,
  { tflops }: Gpu,
  { precision, isOwn }: { readonly precision: ProductPrecision; readonly isOwn: boolean },
): number {
  const { float32, float64, tf32 = float32, bfloat16 = float32 } = tflops;
  const tera = ((): number => {
    if (kernel.kind !== "gemm" && kernel.kind !== "convolution") return float32;
    if (kernel.dtype === "float64") return float64;
    const rounded = kernel.kind === "gemm" ? kernel.precision : kernel.attributes.precision;
    // cuDNN multiplies numbers that were rounded to bfloat16 as it does those of TF32.
    if (rounded === "bfloat16") return kernel.kind === "gemm" || isOwn ? bfloat16 : tf32;
    return precision === "tf32" ? tf32 : float32;
  })();
  return tera * 1e12;
}
