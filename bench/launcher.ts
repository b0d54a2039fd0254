/** Starting processes together with the mpirun of this machine, and compiling C for its MPI library. */
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findMpi, mpirunOf } from "./slalom.js";

export interface Launcher {
  /** "Open MPI 4.1.4". */
  readonly title: string;
  readonly family: "openmpi" | "mpich";
  /** Starts so many processes of what follows. */
  command(processes: number): readonly string[];
}

export type Found<T> = T | { readonly absent: string };

/** What processes that mpirun starts need in their environment, as the administrator too. */
export const launchEnvironment = { OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };

export function findLauncher(): Found<Launcher> {
  const said = spawnSync("mpirun", ["--version"], { encoding: "utf8" });
  if (said.status !== 0) return { absent: "there is no mpirun" };
  const { title, version, family } = mpirunOf(said.stdout);
  if (family === undefined) return { absent: `mpirun is of ${title}; expected Open MPI or MPICH` };
  const { libraries } = findMpi({ prefer: family });
  if (!libraries.some(({ abi }) => abi.family === family))
    return { absent: `mpirun is of ${title}, whose library was not found` };
  // Open MPI would refuse more processes than cores, and keep those of one world on one core each.
  const words = family === "openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];
  return {
    title: [title, version].filter(Boolean).join(" "),
    family,
    command: (processes) => ["mpirun", ...words, "-np", `${processes}`],
  };
}

/** The program that the launcher's compiler makes of a file in C. */
export function compileC({ family }: Launcher, source: string): Found<{ readonly program: string }> {
  const program = join(mkdtempSync(join(tmpdir(), "slalom-bench-")), "program");
  const complaints: string[] = [];
  // Debian calls it so where there are several; a compiler of another family makes what the launcher cannot start.
  for (const compiler of [`mpicc.${family}`, "mpicc"]) {
    const made = spawnSync(compiler, ["-O3", "-march=native", source, "-o", program], { encoding: "utf8" });
    if (made.status === 0) return { program };
    complaints.push(made.error?.message ?? made.stderr.trim().split("\n").at(-1) ?? "");
  }
  return { absent: `mpicc: ${complaints.join("; ")}` };
}
