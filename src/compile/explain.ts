/**
 * A plan in numbers and as text: for each kernel its shape, arithmetic, memory traffic, and the time that both
 * predict from a machine's measured peaks. Nothing is run.
 */
import { bytesOf } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import { finishesExchange } from "./kernelEffects.js";
import type {
  Access,
  BufferRole,
  ConvolutionKernel,
  ExchangeKernel,
  GemmKernel,
  Kernel,
  LoopKernel,
  Plan,
  PoolKernel,
  ScatterAddKernel,
} from "./plan.js";

/** What one thread of the machine reaches. */
export interface Peaks {
  /** Of large matrix products, in 10^9 multiplications and additions a second. */
  readonly gemmGflops: number;
  /** Of the arithmetic in loops. */
  readonly loopGflops: number;
  /** From and to main memory, in 10^9 bytes a second. */
  readonly bandwidthGBs: number;
}

export interface KernelExplanation {
  readonly kind: Kernel["kind"];
  readonly name: string;
  /** "100x340x784" (m, n, k) of a product, "100x340" of a loop, "100x340, folding 784" with a reduction. */
  readonly shape: string;
  /** Operations of a call; exp, a division and an addition count as one each. */
  readonly flops: number;
  /** Bytes that a call reads and writes, each element once, as if nothing were in a cache. */
  readonly bytes: number;
  /** The longer of arithmetic at its peak and traffic at its peak; the call itself is not counted. */
  readonly predictedS: number;
  readonly bound: "arithmetic" | "memory";
}

export interface EntryExplanation {
  readonly name: string;
  readonly kernels: readonly KernelExplanation[];
  readonly flops: number;
  readonly bytes: number;
  readonly predictedS: number;
}

export interface PlanExplanation {
  readonly name: string;
  readonly arenaBytes: number;
  /** Sum of the buffers of each role; temporaries share memory, so they may sum to more than they take. */
  readonly bufferBytes: Readonly<Record<BufferRole, number>>;
  readonly entries: readonly EntryExplanation[];
}

/** Counts a plan's kernels and predicts their time. */
export function explainPlan(plan: Plan, peaks: Peaks): PlanExplanation {
  const bufferBytes: Record<BufferRole, number> = { state: 0, input: 0, constant: 0, trace: 0, temporary: 0 };
  for (const { role, shape, dtype } of plan.buffers) bufferBytes[role] += sizeOf(shape) * bytesOf(dtype);
  return {
    name: plan.name,
    arenaBytes: plan.arenaBytes,
    bufferBytes,
    entries: Object.entries(plan.entries).map(([name, { kernels }]) => {
      const explained = kernels.map((kernel) => explainKernel(plan, kernel, peaks));
      const total = (field: "flops" | "bytes" | "predictedS"): number =>
        explained.reduce((sum, kernel) => sum + kernel[field], 0);
      return {
        name,
        kernels: explained,
        flops: total("flops"),
        bytes: total("bytes"),
        predictedS: total("predictedS"),
      };
    }),
  };
}

/** The explanation as lines of text. */
export function formatExplanation({ name, arenaBytes, bufferBytes, entries }: PlanExplanation): string {
  const roles = Object.entries(bufferBytes)
    .filter(([, bytes]) => bytes > 0)
    .map(([role, bytes]) => `${role} ${formatBytes(bytes)}`);
  const head = `program ${name}\nmemory ${formatBytes(arenaBytes)} in one arena (${roles.join(", ")})`;
  return [head, ...entries.map(formatEntry)].join("\n\n");
}

function formatEntry({ name, kernels, flops, bytes, predictedS }: EntryExplanation): string {
  const numbers = (counted: { flops: number; bytes: number; predictedS: number }): string[] => [
    formatFlops(counted.flops),
    formatBytes(counted.bytes),
    formatTime(counted.predictedS),
  ];
  const rows = [
    ["kernel", "shape", "FLOP", "bytes", "predicted", "bound by", "operations"],
    ...kernels.map((kernel) => [
      kernel.kind,
      kernel.shape,
      ...numbers(kernel),
      kernel.bound,
      shortened(kernel.name),
    ]),
    ["total", "", ...numbers({ flops, bytes, predictedS }), "", ""],
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i >= 2 && i <= 4 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd(),
  );
  return [
    `entry "${name}": ${kernels.length} kernel${kernels.length === 1 ? "" : "s"}`,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}

const longestName = 72;

const shortened = (name: string): string =>
  name.length > longestName ? `${name.slice(0, longestName - 3)}...` : name;

function explainKernel(plan: Plan, kernel: Kernel, peaks: Peaks): KernelExplanation {
  const counted = countKernel(plan, kernel);
  const gflops =
    kernel.kind === "gemm" || kernel.kind === "convolution" ? peaks.gemmGflops : peaks.loopGflops;
  const arithmeticS = counted.flops / (gflops * 1e9);
  const memoryS = counted.bytes / (peaks.bandwidthGBs * 1e9);
  return {
    kind: kernel.kind,
    name: kernel.name,
    ...counted,
    predictedS: Math.max(arithmeticS, memoryS),
    bound: arithmeticS >= memoryS ? "arithmetic" : "memory",
  };
}

/** Of a plan, what counting needs. */
type Counting = Pick<Plan, "buffers" | "ranks" | "processes">;

type Counted = Pick<KernelExplanation, "shape" | "flops" | "bytes">;

/** Arithmetic and traffic of one call. */
export function countKernel(plan: Counting, kernel: Kernel): Counted {
  switch (kernel.kind) {
    case "gemm":
      return countGemm(kernel);
    case "scatterAdd":
      return countScatter(plan, kernel);
    case "convolution":
      return countConvolution(kernel);
    case "pool":
      return countPool(kernel);
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return countExchange(plan, kernel);
    case "barrier":
      return { shape: `${plan.ranks} ranks`, flops: 0, bytes: 0 };
    case "loop":
      return countLoop(plan, kernel);
  }
}

function countGemm({ m, n, k, a, b, c, batch, dtype, accumulate, precision, divided }: GemmKernel): Counted {
  // An operand that stands still in a batch dimension is read once for all of it.
  const matrices = (strides: readonly number[]): number =>
    sizeOf(batch.filter((_, dimension) => strides[dimension] !== 0));
  const elements =
    matrices(a.batchStrides) * m * k +
    matrices(b.batchStrides) * k * n +
    matrices(c.batchStrides) * m * n * (accumulate ? 2 : 1);
  return {
    shape: `${batch.length > 0 ? `${batch.join("x")} of ` : ""}${m}x${n}x${k}${rounded(precision)}${divided ? `, its ${divided} divided` : ""}`,
    flops: 2 * sizeOf(batch) * m * n * k,
    bytes: elements * bytesOf(dtype),
  };
}

const rounded = (precision: string | undefined): string => (precision ? ` in ${precision}` : "");

function countConvolution(kernel: ConvolutionKernel): Counted {
  const { computes, sizes, attributes, lanes, dtype, x, w, y } = kernel;
  const { images, height, width, channels, filters, kernelHeight, kernelWidth, outputHeight, outputWidth } =
    sizes;
  const perFilter = (kernelHeight * kernelWidth * channels) / attributes.groups;
  const outputs = images * outputHeight * outputWidth * filters;
  const elements =
    images * height * width * channels * (x.laneStride === 0 ? 1 : lanes) +
    filters * perFilter * (w.laneStride === 0 ? 1 : lanes) +
    outputs * (y.laneStride === 0 ? 1 : lanes);
  const lanesShown = lanes > 1 ? `${lanes} of ` : "";
  const shape = `${lanesShown}${images}x${height}x${width}x${channels} * ${filters}x${kernelHeight}x${kernelWidth}`;
  return {
    shape: `${shape}${computes === "y" ? "" : `, for ${computes}`}${rounded(attributes.precision)}`,
    flops: 2 * lanes * outputs * perFilter,
    bytes: elements * bytesOf(dtype),
  };
}

function countExchange({ buffers, processes }: Counting, kernel: ExchangeKernel): Counted {
  const sizes = kernel.buffers.map((buffer) => buffers[buffer]);
  const elements = sum(sizes.map(({ shape }) => sizeOf(shape)));
  const shape = `${elements} over ${processes} processes`;
  // What is computed is counted once, where it is begun. An all-reduce scatters and gathers.
  if (finishesExchange(kernel)) return { shape, flops: 0, bytes: 0 };
  const bytes = sum(sizes.map(({ shape, dtype }) => sizeOf(shape) * bytesOf(dtype)));
  return {
    shape,
    flops: kernel.kind === "beginAllGather" ? 0 : elements * (processes - 1),
    bytes: kernel.kind === "beginAllReduce" ? 2 * bytes : bytes,
  };
}

function countPool(kernel: PoolKernel): Counted {
  const { images, height, width, channels, outputHeight, outputWidth, attributes, dtype, index, target } =
    kernel;
  const pooled = images * outputHeight * outputWidth * channels;
  const { size } = attributes;
  const values = images * height * width * channels + (target === undefined ? 0 : pooled);
  return {
    shape: `${images}x${height}x${width}x${channels}, windows ${size.join("x")}`,
    flops: pooled * size[0] * size[1],
    bytes: values * bytesOf(dtype) + (index === undefined ? 0 : pooled),
  };
}

function countScatter(plan: Counting, kernel: ScatterAddKernel): Counted {
  const { outer, count: rows, extent, inner, dtype, indices } = kernel;
  const updates = outer * rows * inner;
  return {
    shape: `${outer}x${rows}x${inner} into ${extent}`,
    flops: updates,
    // The target is cleared, and read and written for each update.
    bytes:
      (3 * updates + outer * extent * inner) * bytesOf(dtype) + rows * bytesOf(plan.buffers[indices].dtype),
  };
}

function countLoop(plan: Counting, kernel: LoopKernel): Counted {
  const { extents, reduced, body, stores, reductions, inParts } = kernel;
  const iterations = sizeOf(extents);
  const isArithmetic = (op: string): boolean => !["load", "literal", "index", "gather", "cast"].includes(op);
  const operations = body.filter(({ op }) => isArithmetic(op)).length + reductions.length;
  const touched = new Map<string, number>();
  const touch = (access: Access, elements: number): void => {
    const { shape, dtype } = plan.buffers[access.buffer];
    const key = `${access.buffer}/${access.offset}/${access.strides.join()}`;
    touched.set(key, Math.min(elements, sizeOf(shape)) * bytesOf(dtype));
  };
  const elementsOf = ({ strides }: Access): number =>
    sizeOf(extents.filter((_, dimension) => strides[dimension] !== 0));
  for (const instruction of body) {
    if (instruction.op === "load") touch(instruction.access, elementsOf(instruction.access));
    // Which rows are gathered only the run knows; at most one element an iteration.
    if (instruction.op === "gather") touch(instruction.access, iterations);
  }
  const read = sum(touched.values());
  touched.clear();
  for (const { access } of [...stores, ...reductions]) touch(access, elementsOf(access));
  const kept = extents.filter((_, dimension) => !reduced[dimension]);
  const folded = extents.filter((_, dimension) => reduced[dimension]);
  const shape = `${kept.length > 0 ? kept.join("x") : "1"}${inParts ? ", in parts" : ""}`;
  return {
    shape: folded.length > 0 ? `${shape}, folding ${folded.join("x")}` : shape,
    flops: operations * iterations,
    bytes: read + sum(touched.values()),
  };
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** "640 B", "1.6 MB". */
export const formatBytes = (bytes: number): string => scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB"]);

export const formatFlops = (flops: number): string => scaled(flops, 1000, ["", "k", "M", "G", "T"]);

export const formatTime = (seconds: number): string =>
  seconds < 1e-3
    ? `${(seconds * 1e6).toFixed(seconds < 1e-5 ? 2 : 0)} us`
    : `${(seconds * 1e3).toFixed(2)} ms`;

function scaled(value: number, base: number, units: readonly string[]): string {
  const power =
    value < base ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / Math.log10(base) + 1e-9));
  const number = value / base ** power;
  return `${power === 0 ? `${value}` : number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)} ${units[power]}`.trim();
}
