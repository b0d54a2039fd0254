/**
 * Who trains a study: this process, several that it starts, or jobs of a cluster. A launcher gets the study file and everything that was asked for,
 * sees to it that what the store lacks is trained, and returns the exit code.
 */
import type { MpirunRequest } from "../launch/mpirun.js";
import type { Resources } from "../launch/slurm/resources.js";
import type { Output } from "./output.js";
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

export type Launcher = (path: string, request: LaunchRequest, output: Output) => Promise<number>;

export type LauncherName = (typeof launcherNames)[number];

export const launcherNames = ["local", "mpirun", "slurm"] as const;

export const launchers: Readonly<Record<LauncherName, Launcher>> = {
  local: async (...given) => (await import("./run.js")).runStudies(...given),
  mpirun: async (...given) => (await import("./mpirun.js")).runByMpirun(...given),
  slurm: async (...given) => (await import("./submit.js")).submitStudies(...given),
};
