/** Processes that srun starts together: how it tells them of one another, which is what their MPI library must understand. */
import { SlalomError } from "../../base/errors.js";
import type { MpiFamily } from "../../collectives/mpi/abi.js";
import { findMpi } from "../../collectives/mpi/library.js";
import { slurm } from "./commands.js";

/** Plugins of srun by the libraries that join through them, best first. */
const understood: Readonly<Record<MpiFamily, readonly string[]>> = { openmpi: ["pmix"], mpich: ["pmi2"] };

/**
 * The plugin of this cluster for the MPI library of this machine. Where a script is only to be read and there is no Slurm,
 * that of a cluster which has all.
 * @throws SlalomError "library" where there is no Slurm, or it has none that an MPI library understands
 */
export function selectPlugin({ isDry }: { readonly isDry: boolean }): string {
  const families = familiesHere();
  let listed: readonly string[];
  try {
    const { out, err } = slurm("srun", ["--mpi=list"]);
    listed = pluginsIn(`${out}\n${err}`);
  } catch (error) {
    if (isDry) return understood[families[0]][0];
    throw error;
  }
  return pluginFor(listed, families);
}

/** As srun lists them: one a line, and those of PMIx by version. */
export function pluginsIn(text: string): string[] {
  const lines = text.split("\n").map((line) => line.replace(/^srun: /, "").trim());
  const versions = lines.flatMap((line) => /pmix plugin versions available: (.*)/.exec(line)?.[1] ?? []);
  return [
    ...lines.filter((line) => /^[\w-]+$/.test(line)),
    ...versions.flatMap((line) => line.split(/[ ,]+/)),
  ];
}

/** @param families of MPI libraries, the one to take first */
export function pluginFor(listed: readonly string[], families: readonly MpiFamily[]): string {
  for (const family of families)
    for (const plugin of understood[family]) if (listed.includes(plugin)) return plugin;
  throw new SlalomError(
    "library",
    `srun --mpi=list: received ${listed.join(", ") || "nothing"}; expected ${families.map((family) => `${understood[family].join(", ")} for ${titles[family]}`).join(" or ")}. Ask who runs the cluster for it, or name another that your MPI library understands: --mpi.`,
  );
}

const titles: Readonly<Record<MpiFamily, string>> = { openmpi: "Open MPI", mpich: "MPICH" };

/** Of the libraries here; where there is none, jobs may find what a login node lacks. */
function familiesHere(): readonly MpiFamily[] {
  const found = findMpi().libraries.map(({ abi }) => abi.family);
  return found.length > 0 ? [...new Set(found)] : ["openmpi", "mpich"];
}
