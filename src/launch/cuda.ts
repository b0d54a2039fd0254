/** The cuda backend as a process of a training has it: which GPUs are its own, and with whom it trains. */
import type { CudaBackendOptions } from "../backends/cuda/index.js";
import { lookAtCuda } from "../backends/cuda/probe.js";
import { attempt } from "../base/errors.js";
import type { Communicator } from "../collectives/index.js";
import { gatherRecords } from "../collectives/records.js";
import type { Backend } from "../compile/backend.js";
import { type Introduction, meet } from "./agreement.js";
import type { BackendChoice, WorkerBackends } from "./backendChoice.js";
import { devicesAmong, devicesOfFirst, devicesOfOne, devicesOfWorkers, type WorkerWish } from "./devices.js";
import { cudaTraits } from "./traits.js";
import type { World } from "./world.js";

type Choice = Pick<BackendChoice, "devices" | "ranks" | "tf32">;

/** How CUDA's libraries are looked for and opened; by default as the system does. */
export type CudaFiles = Pick<CudaBackendOptions, "files">;

/**
 * Makes the backend in the calling thread; of several processes each makes its own.
 * @throws SlalomError "library" where the driver or NVRTC can't be had, "device" for fewer GPUs than were asked for, or
 *   where another process differs
 */
export async function makeCuda(choice: BackendChoice, files: CudaFiles = {}): Promise<Backend> {
  const { cudaBackend } = await import("../backends/cuda/index.js");
  const options = optionsFor(choice, files);
  const { world } = choice;
  if (world === undefined) {
    const { devices: visible } = lookAtCuda(options);
    return cudaBackend({ ...options, devices: devicesOfOne(choice, visible.length) });
  }
  const met = await meet(world, (communicator) => introduce(communicator, choice, world, files));
  return cudaBackend({
    ...options,
    ...(met && { devices: met.own, communicator: met.communicator }),
  });
}

/**
 * What `makeCuda` says of itself; no other process is spoken to.
 * @throws SlalomError as `makeCuda` does
 */
export async function describeCuda(
  choice: BackendChoice,
  files: CudaFiles = {},
): Promise<Omit<Backend, "compile">> {
  const { describeCudaBackend } = await import("../backends/cuda/index.js");
  const options = optionsFor(choice, files);
  const { devices: visible } = lookAtCuda(options);
  const { world } = choice;
  return world === undefined
    ? describeCudaBackend({ ...options, devices: devicesOfOne(choice, visible.length) })
    : describeCudaBackend({
        ...options,
        devices: devicesOfFirst(choice, visible.length),
        processes: world.size,
      });
}

/**
 * What workers of a process that is alone make, each with GPUs of its own as far as there are so many.
 * @throws SlalomError as `makeCuda` does
 */
export async function describeCudaWorkers(
  choice: BackendChoice,
  wish: WorkerWish,
  files: CudaFiles = {},
): Promise<WorkerBackends> {
  const { describeCudaBackend } = await import("../backends/cuda/index.js");
  const options = optionsFor(choice, files);
  const gpus = devicesOfWorkers(choice, lookAtCuda(options).devices.length, wish);
  const apart = new Map(gpus.map((devices) => [devices.join("+"), devices]));
  const described = [...apart.values()].map((devices) => describeCudaBackend({ ...options, devices }));
  const kinds = [...new Set(described.map(({ description }) => description))];
  return {
    backend: {
      ...described[0],
      description: kinds.join(" and "),
      memoryOf: (plan) =>
        described
          .map((one) => one.memoryOf(plan))
          .reduce((least, one) => (one.mostBytes < least.mostBytes ? one : least)),
      close: async () => {
        for (const one of described) await one.close();
      },
    },
    choices: gpus.map((devices) => ({ ...choice, devices, ranks: devices.length })),
    gpus: gpus.map((devices) => devices.join("+")),
  };
}

/** Computes what rank 0 tells, on GPUs of its own, until rank 0 is done. */
export async function followCuda(choice: Choice, world: World, files: CudaFiles = {}): Promise<void> {
  const { followCudaBackend } = await import("../backends/cuda/index.js");
  const met = await meet(world, (communicator) => introduce(communicator, choice, world, files));
  if (met === undefined) return;
  const { own: devices, communicator } = met;
  await followCudaBackend({ ...optionsFor(choice, files), devices, communicator });
}

const optionsFor = ({ tf32 = false }: Choice, files: CudaFiles) =>
  ({ environment: process.env, precision: tf32 ? "tf32" : "float32", ...files }) as const;

/**
 * What a process tells the others, and its GPUs. Collective, also where it sees none.
 * @throws SlalomError "library" or "device" where it can't compute
 */
export async function introduce(
  communicator: Communicator,
  choice: Choice,
  world: Pick<World, "command">,
  files: CudaFiles = {},
): Promise<Introduction<readonly number[]>> {
  const sight = attempt(() => lookAtCuda(optionsFor(choice, files)));
  const node = communicator.split("node");
  const own = "value" in sight ? sight.value.devices.map(({ uuid }) => uuid) : [];
  const all = gatherRecords(node, own, bytesOfRank);
  const { rank } = node;
  node.close();
  if ("error" in sight) throw sight.error;
  const devices = devicesAmong(choice, all, rank);
  return { traits: cudaTraits(choice, world, sight.value, devices), own: devices };
}

/** Room for the names of more GPUs than any machine has. */
const bytesOfRank = 8192;
