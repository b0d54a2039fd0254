/** This process as one of several that mpirun or srun started: rank 0 does what the user asked, the others follow it. */
import { SlalomError } from "../base/errors.js";
import { type Environment, launchedWorld } from "../collectives/index.js";

/** Several processes that train together, as plain data for worker threads. */
export interface World {
  readonly rank: number;
  readonly size: number;
  /** In which the launcher tells of them. */
  readonly environment: Environment;
  /** What this process was told to do. */
  readonly command: string;
}

/** The world that the environment tells of; undefined for a process that is alone. */
export function worldOf(environment: Environment): World | undefined {
  const launched = launchedWorld(environment);
  if (launched === undefined || launched.size === 1) return undefined;
  const { rank, size, title, from } = launched;
  if (size === undefined) {
    throw new SlalomError(
      "device",
      `${title} started this process as one of several (${from}) and does not say of how many; expected a launcher that does: mpirun, or srun.`,
    );
  }
  return { rank, size, environment, command: process.argv.slice(2).join(" ") };
}
