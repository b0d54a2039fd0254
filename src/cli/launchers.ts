/**
 * Who trains a study: this process, several that it starts, or jobs of a cluster. A launcher gets the study file and
 * everything that was asked for, sees to it that what the store lacks is trained, and returns the exit code.
 */
import type { LaunchRequest } from "./launchRequest.js";
import type { Output } from "./output.js";

export type Launcher = (path: string, request: LaunchRequest, output: Output) => Promise<number>;

export type LauncherName = (typeof launcherNames)[number];

export const launcherNames = ["local", "mpirun", "slurm"] as const;

export const launchers: Readonly<Record<LauncherName, Launcher>> = {
  local: async (...given) => (await import("./run.js")).runStudies(...given),
  mpirun: async (...given) => (await import("./mpirun.js")).runByMpirun(...given),
  slurm: async (...given) => (await import("./submit.js")).submitStudies(...given),
};
