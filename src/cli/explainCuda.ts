/** `slalom explain --backend cuda`: what a study compiles to for a GPU, whether there is one or not. */

import { noLibraries } from "../backends/cuda/commands.js";
import {
  type CommandExplanation,
  type CudaEntryExplanation,
  type CudaExplanation,
  explainCuda,
} from "../backends/cuda/explain.js";
import { type Gpu, gpus, nodeS } from "../backends/cuda/gpus.js";
import { emitCuda } from "../backends/cuda/kernels/index.js";
import { probeCuda } from "../backends/cuda/probe.js";
import { SlalomError, unknownName } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import { formatBytes, formatFlops, formatTime } from "../compile/explain.js";
import { type Plan, type Program, planProgram } from "../compile/index.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

export interface CudaExplainOptions {
  readonly backend: "cpu" | "cuda";
  /** Whose figures a forecast is from; by default those of the GPU that is found, or of an H100. */
  readonly gpu?: string;
  readonly tf32?: boolean;
  /** As if there were neither cuBLASLt nor cuDNN. */
  readonly ownKernels: boolean;
}

/** Throws for options that only the cuda backend has. */
export function checkOptions({ backend, gpu, tf32, ownKernels }: CudaExplainOptions): void {
  if (backend === "cuda" || (gpu === undefined && !tf32 && !ownKernels)) return;
  throw new SlalomError(
    "option",
    "explain: received options of GPUs; expected them with --backend cuda alone.",
  );
}

/** The GPU that is asked for by name, else the one that is here as far as its like is known, else an H100. */
export function chosenGpu(name: string | undefined, environment: NodeJS.ProcessEnv): Gpu {
  const names = gpus.map((gpu) => gpu.name);
  if (name !== undefined) {
    const asked = gpus.find((gpu) => gpu.name.toLowerCase() === name.toLowerCase());
    if (!asked) throw unknownName("GPU", name, names, "option");
    return asked;
  }
  const [device] = probeCuda({ environment }).devices;
  const { name: found, capability } = device ?? { name: "H100", capability: [9, 0] };
  return (
    gpus.find((gpu) => found.includes(gpu.name)) ??
    gpus.findLast((gpu) => gpu.capability[0] <= capability[0]) ??
    gpus[0]
  );
}

export const planForCuda = (program: Program): Plan => planProgram(program, { waves: true });

const precisionOf = ({ tf32 = false }: CudaExplainOptions) => (tf32 ? "tf32" : "float32");

/** A GPU that is free, for what a study takes of its memory. */
export const memoryOn = (gpu: Gpu, options: CudaExplainOptions): Pick<Backend, "planOf" | "memoryOf"> => ({
  planOf: planForCuda,
  memoryOf: (plan) => {
    const { arenaBytes } = emitCuda(plan, noLibraries, precisionOf(options));
    return {
      workspaceBytes: arenaBytes - plan.arenaBytes,
      mostBytes: gpu.memoryGB * 1e9,
      limit: `all memory of the ${gpu.name}`,
      onDevice: true,
    };
  },
});

export const explained = (plan: Plan, gpu: Gpu, options: CudaExplainOptions): CudaExplanation =>
  explainCuda(plan, { gpu, precision: precisionOf(options), libraries: !options.ownKernels });

export function cudaText(
  { bytes, entries }: CudaExplanation,
  plan: Plan,
  { style }: Pick<Output, "style">,
): string {
  const head = `program ${plan.name}\nmemory ${formatBytes(bytes)} in one block of the GPU, without workspaces of libraries`;
  return [head, ...entries.map((entry) => entryText(entry, style))].join("\n\n");
}

function entryText(entry: CudaEntryExplanation, style: Output["style"]): string {
  const { name, commands, nodes } = entry;
  const launches = commands.filter(({ command }) => command === "launch").length;
  const calls = commands.length - launches;
  const numbers = ({
    flops,
    bytes,
    forecastS,
  }: Pick<CommandExplanation, "flops" | "bytes" | "forecastS">) => [
    formatFlops(flops),
    formatBytes(bytes),
    formatTime(forecastS),
  ];
  const rows = commands.flatMap((command): string[][] => {
    const { launch, parts, bound } = command;
    const shape = launch
      ? `${launch.grid} x ${launch.block}`
      : command.nodes > 1
        ? `${command.nodes} nodes`
        : "";
    const shared = launch ? formatBytes(launch.sharedBytes) : "";
    const row = [command.command, shape, shared, ...numbers(command), bound];
    if (parts.length === 1) return [[...row, parts[0].title]];
    return [
      [...row, `${parts.length} kernels:`],
      ...parts.map(({ title, blocks, shares }) => [
        "",
        shares ? "same block" : `${blocks}`,
        ...["", "", "", "", ""],
        `  ${title}`,
      ]),
    ];
  });
  const table = columns([...rows, ["total", `${nodes} nodes`, "", ...numbers(entry), "", ""]], {
    header: ["command", "blocks x threads", "shared", "FLOP", "bytes", "at least", "bound by", "computes"],
    align: ["left", "right", "right", "right", "right", "right"],
    style,
    indent: 2,
  });
  const many = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;
  return `entry "${name}": ${many(launches, "launch").replace(/launchs$/, "launches")}, ${many(calls, "call")} of libraries\n${table}`;
}

/** From what the figures are. */
export function cudaRemarks(gpu: Gpu, { tf32 = false, ownKernels }: CudaExplainOptions): string {
  const { float32, tf32: ofTensorCores } = gpu.tflops;
  const rate = tf32 && ofTensorCores !== undefined ? `${ofTensorCores} (TF32)` : `${float32}`;
  return `A forecast that nobody measured, from the data sheet of the ${gpu.name} (compute capability ${gpu.capability.join(".")}): a command takes the longest of ${nodeS * 1e6} us for a node of its graph, its traffic at ${gpu.bandwidthGBs} GB/s, and its arithmetic at ${rate} TFLOP/s; none reaches these, and what stays in a cache moves faster. ${
    ownKernels
      ? "All kernels are ours, as without cuBLASLt and cuDNN."
      : "Products by cuBLASLt and convolutions by cuDNN; --own-kernels shows what is done without them."
  }`;
}
