/** The CPU backend: fused loops as WebAssembly SIMD that we emit, matrix products by the best library found. */
import { availableParallelism } from "node:os";
import { checkKeys, SlalomError } from "../../base/errors.js";
import type { Communicator } from "../../collectives/index.js";
import type { Backend } from "../../compile/backend.js";
import type { Plan } from "../../compile/plan.js";
import { planProgram } from "../../compile/planProgram.js";
import { followLeader } from "../../processes/follow.js";
import { Processes } from "../../processes/leader.js";
import { selectConvolution } from "./convolution/index.js";
import { CpuExecutable } from "./executable.js";
import { type GemmChoice, type GemmLibrary, selectGemm } from "./gemm/index.js";
import { memoryLayout, mostMemoryBytes } from "./memoryLayout.js";
import { MemoryPool } from "./memoryPool.js";
import { Followers } from "./ranks/followers.js";
import { detectFeatures } from "./wasm/index.js";

export interface CpuBackendOptions {
  /** Who computes matrix products; "auto" takes oneDNN, else a CBLAS, else our own WebAssembly. */
  readonly gemm?: GemmChoice;
  /** Folders or files to look for libraries in, before the system's own places. */
  readonly searchPaths?: readonly string[];
  /** False compiles without fused multiply-add even where the runtime has it. */
  readonly relaxedSimd?: boolean;
  /** Threads of this process that a program for several ranks runs on; default 1. */
  readonly ranks?: number;
  /** Processes that run programs together, each with so many threads; default: this one alone. */
  readonly communicator?: Communicator;
  /** How long a rank may be late before it is taken for dead, in milliseconds; default 120,000. */
  readonly patienceMs?: number;
  /**
   * Whether processes divide the updates of large parameters, each making a part and giving it to the others, or each
   * makes all of them; the same bits either way. Default true; what the leading process says counts.
   */
  readonly divideUpdates?: boolean;
}

export interface CpuBackend extends Backend {
  /**
   * Ends the threads of other ranks, and the other processes; without it threads end with the calling one. Compile and
   * run no more.
   */
  close(): Promise<void>;
}

/**
 * The calling thread is rank 0 and leads; each further rank is a thread that sleeps while nothing runs. Of several
 * processes rank 0 of the communicator leads, and the others call `followCpuBackend` with the same options.
 * @throws SlalomError "library" where a forced library can't be had, "device" for an impossible number of ranks
 */
export function cpuBackend(options: CpuBackendOptions = {}): CpuBackend {
  const parts = partsOf("cpuBackend", options);
  const { gemm, followers, patienceMs } = parts;
  const { communicator } = options;
  const processes = communicator && new Processes(communicator, patienceMs);
  const description = descriptionOf(parts, communicator?.size ?? 1);
  const { ranks, planOf } = description;
  return {
    ...description,
    compile(program) {
      const needed = program.ranks ?? 1;
      if (needed !== 1 && needed !== ranks) {
        throw new SlalomError(
          "device",
          `program ${program.name}: is for ${needed} ranks, and the backend has ${ranks}; expected as many, or 1.`,
        );
      }
      const plan = planOf(program);
      checkPrecision(plan, gemm);
      const make = (): CpuExecutable => new CpuExecutable(plan, program.traceCapacity, parts);
      return processes && plan.processes > 1 ? processes.compile(plan, program.traceCapacity, make) : make();
    },
    close: async () => {
      processes?.close();
      await followers?.close();
    },
  };
}

/** What a backend is and needs, which is known before it starts anything. */
export type CpuBackendDescription = Omit<CpuBackend, "compile" | "close">;

/**
 * What `cpuBackend` says of itself in a world of so many processes, 1 by default; no other process is spoken to.
 * @throws SlalomError as `cpuBackend` does
 */
export function describeCpuBackend({
  processes = 1,
  ...options
}: Omit<CpuBackendOptions, "communicator"> & { readonly processes?: number } = {}): CpuBackendDescription {
  return descriptionOf(partsOf("describeCpuBackend", options), processes);
}

function descriptionOf(
  { gemm, convolution, features, threads, divideUpdates }: ReturnType<typeof partsOf>,
  processes: number,
): CpuBackendDescription & Required<Pick<CpuBackend, "ranks" | "processes" | "planOf">> {
  const ranks = threads * processes;
  const found = [
    [gemm.title, gemm.version].filter(Boolean).join(" "),
    features.relaxedSimd ? "relaxed SIMD" : "SIMD",
    `${availableParallelism()} cores`,
    ...(ranks > 1 ? [`${ranks} ranks`] : []),
    ...(processes > 1 ? [`${processes} processes`] : []),
  ];
  return {
    name: "cpu",
    description: `cpu (${found.join(", ")})`,
    ranks,
    processes,
    planOf: (program) =>
      planProgram(program, { processes: (program.ranks ?? 1) === 1 ? 1 : processes, divideUpdates }),
    memoryOf: (plan) => ({
      workspaceBytes: memoryLayout(plan, { gemm, convolution }).bytes - plan.arenaBytes,
      mostBytes: mostMemoryBytes,
      limit: "all that 32-bit addresses reach",
    }),
  };
}

/**
 * Computes what rank 0 of the communicator compiles and runs, until that closes its backend.
 * @throws SlalomError as `cpuBackend` does
 */
export async function followCpuBackend(
  options: CpuBackendOptions & Required<Pick<CpuBackendOptions, "communicator">>,
): Promise<void> {
  const { communicator } = options;
  const parts = partsOf("followCpuBackend", options);
  followLeader(communicator, (plan, traceCapacity) => new CpuExecutable(plan, traceCapacity, parts));
  await parts.followers?.close();
}

/** What every process has of its own. */
function partsOf(where: string, options: CpuBackendOptions) {
  const known = [
    "gemm",
    "searchPaths",
    "relaxedSimd",
    "ranks",
    "communicator",
    "patienceMs",
    "divideUpdates",
  ];
  checkKeys(where, options, known);
  const { ranks = 1, patienceMs = 120_000, searchPaths = [], gemm: choice = "auto", communicator } = options;
  const { divideUpdates = true } = options;
  if (!Number.isInteger(ranks) || ranks < 1 || ranks > mostRanks) {
    throw new SlalomError(
      "device",
      `${where}: received ${ranks} ranks; expected an integer from 1 to ${mostRanks}, at most the machine's cores.`,
    );
  }
  const detected = detectFeatures();
  const features = { relaxedSimd: detected.relaxedSimd && options.relaxedSimd !== false };
  const { library: gemm } = selectGemm({ library: choice, searchPaths });
  const followers =
    ranks > 1 ? new Followers({ ranks, patienceMs, gemm: choice, searchPaths, features }) : undefined;
  return {
    gemm,
    convolution: selectConvolution(gemm),
    features,
    memories: new MemoryPool(),
    patienceMs,
    threads: ranks,
    divideUpdates,
    ...(followers && { followers }),
    ...(communicator && { world: { process: communicator.rank, communicator } }),
  };
}

/** Throws "device" where a plan rounds to what nothing here multiplies. */
function checkPrecision({ name, entries }: Plan, gemm: GemmLibrary): void {
  const rounds = Object.values(entries).some(({ kernels }) =>
    kernels.some(
      (kernel) =>
        (kernel.kind === "gemm" && kernel.precision !== undefined) ||
        (kernel.kind === "convolution" && kernel.attributes.precision !== undefined),
    ),
  );
  if (!rounds || gemm.multipliesBfloat16()) return;
  throw new SlalomError(
    "device",
    `program ${name}: asks for products in bfloat16, which ${gemm.title} does not make on this processor; expected oneDNN on a processor with AVX-512 BF16 or AMX. Take precision "float32", or --gemm onednn on such a machine.`,
  );
}

/** More threads than any machine of today has cores: a mistake, not a wish. */
const mostRanks = 1024;
