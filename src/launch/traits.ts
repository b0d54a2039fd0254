/** What a process of a training tells the others of itself: all that decides what it computes. */
import { cudaVersion } from "../backends/cuda/driver.js";
import type { CudaSight } from "../backends/cuda/probe.js";
import { slalomVersion } from "../lab/version.js";
import type { Traits } from "./agreement.js";
import type { BackendChoice } from "./backendChoice.js";
import type { World } from "./world.js";

const common = ({ command }: Pick<World, "command">): Traits => ({
  Slalom: slalomVersion(),
  Node: process.version,
  command,
});

/** @throws SlalomError "library" where a library was forced that is not here */
export async function cpuTraits(
  { gemm, ranks = 1 }: Pick<BackendChoice, "gemm" | "ranks">,
  world: Pick<World, "command">,
): Promise<Traits> {
  const [{ selectGemm }, { detectFeatures }] = await Promise.all([
    import("../backends/cpu/gemm/index.js"),
    import("../backends/cpu/wasm/index.js"),
  ]);
  const { title, version } = selectGemm({ library: gemm }).library;
  return {
    ...common(world),
    "ranks of each process": `${ranks}`,
    "matrix products": [title, version].filter(Boolean).join(" "),
    "vector instructions": detectFeatures().relaxedSimd ? "relaxed SIMD" : "SIMD",
  };
}

/** @param taken its GPUs, by their numbers among those that it sees */
export function cudaTraits(
  { tf32 = false }: Pick<BackendChoice, "tf32">,
  world: Pick<World, "command">,
  { driverVersion, devices, libraries }: CudaSight,
  taken: readonly number[],
): Traits {
  const kinds = taken.map((device) => {
    const { name, capability } = devices[device];
    return `${name} (compute capability ${capability.join(".")})`;
  });
  return {
    ...common(world),
    "GPUs of each process": `${taken.length}`,
    GPU: [...new Set(kinds)].join(", "),
    "NVIDIA driver": `up to CUDA ${cudaVersion(driverVersion)}`,
    ...Object.fromEntries(libraries.map(({ title, version }) => [title, version])),
    "products of float32": tf32 ? "in TF32" : "in float32",
  };
}
