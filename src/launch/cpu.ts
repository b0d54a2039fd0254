/** Processes that train on the cpu backend together. */
import type { Communicator } from "../collectives/index.js";
import { meet } from "./agreement.js";
import type { BackendChoice } from "./backendChoice.js";
import { cpuTraits } from "./traits.js";
import type { World } from "./world.js";

type Choice = Pick<BackendChoice, "gemm" | "ranks">;

/**
 * Meets the others. Collective.
 * @returns undefined on ranks above 0 where they are not the same: the world has ended
 * @throws SlalomError "device" on rank 0 where they are not
 */
export async function meetOnCpu(
  choice: Choice,
  world: World,
): Promise<{ readonly communicator: Communicator } | undefined> {
  const met = await meet(world, async () => ({ traits: await cpuTraits(choice, world), own: undefined }));
  return met && { communicator: met.communicator };
}

/** Computes what rank 0 tells until rank 0 is done. */
export async function followCpu(choice: Choice, world: World): Promise<void> {
  const { followCpuBackend } = await import("../backends/cpu/index.js");
  const met = await meetOnCpu(choice, world);
  const { gemm, ranks = 1 } = choice;
  if (met) await followCpuBackend({ gemm, ranks, ...met });
}
