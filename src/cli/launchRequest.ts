/** What `slalom run` was asked for, whoever trains. */
import type { MpirunRequest } from "../launch/mpirun.js";
import type { Resources } from "../launch/slurm/resources.js";
import type { RunOptions } from "./run.js";

export interface LaunchRequest extends RunOptions {
  /** Options of the command as they were typed, with what follows each of them. */
  readonly words: readonly (readonly string[])[];
  /** Jobs to divide a study into. */
  readonly shares?: number;
  /** What each of them asks for. */
  readonly resources: Resources;
  /** How processes that this one starts are started. */
  readonly processes: Omit<MpirunRequest, "ntasks" | "ranks">;
}
