/**
 * What the program that started this process says of its world: mpirun and srun set variables of the environment before
 * any library is loaded.
 */

/** Variables by name; the top floor hands in those of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Whose program started the ranks: it tells which MPI library can find them. */
export type LauncherKind = "openmpi" | "mpich" | "slurm" | "pmix";

export interface LaunchedWorld {
  readonly launcher: LauncherKind;
  /** The launcher in words. */
  readonly title: string;
  readonly rank: number;
  /** Undefined where the launcher does not say. */
  readonly size?: number;
  /** The variables that said so, for messages. */
  readonly from: string;
}

interface Launcher {
  readonly kind: LauncherKind;
  readonly title: string;
  readonly rank: string;
  readonly size?: string;
  /** Variables that only what it starts has. */
  readonly needs?: readonly string[];
}

/** The innermost first: mpirun inside of a Slurm job leaves Slurm's variables as they are. */
const launchers: readonly Launcher[] = [
  {
    kind: "openmpi",
    title: "Open MPI's mpirun",
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
  },
  { kind: "mpich", title: "MPICH's mpirun or another with PMI", rank: "PMI_RANK", size: "PMI_SIZE" },
  // A task of a step: a batch script has a SLURM_PROCID too, but no step.
  {
    kind: "slurm",
    title: "srun",
    rank: "SLURM_PROCID",
    size: "SLURM_STEP_NUM_TASKS",
    needs: ["SLURM_STEP_ID"],
  },
  { kind: "pmix", title: "a launcher with PMIx", rank: "PMIX_RANK" },
];

/** The world that the environment tells of; undefined for a process that was started by itself. */
export function launchedWorld(environment: Environment): LaunchedWorld | undefined {
  for (const { kind, title, rank, size, needs = [] } of launchers) {
    const [rankSaid, sizeSaid] = [rank, size].map((name) => countIn(environment, name));
    if (rankSaid === undefined || (size !== undefined && sizeSaid === undefined)) continue;
    if (needs.some((name) => environment[name] === undefined)) continue;
    const from = [rank, size].flatMap((name) => (name ? [`${name}=${environment[name]}`] : [])).join(", ");
    return { launcher: kind, title, rank: rankSaid, ...(sizeSaid !== undefined && { size: sizeSaid }), from };
  }
  return undefined;
}

/** An environment in which MPI takes a process for one that was started by itself. */
export function withoutWorld(environment: Environment): Environment {
  const isOfLaunchers = (name: string): boolean => /^(OMPI_|PMIX?_|HYD|MPI_LOCAL|SLURM_|PRTE_)/.test(name);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isOfLaunchers(name)));
}

function countIn(environment: Environment, name: string | undefined): number | undefined {
  const text = name === undefined ? undefined : environment[name];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
