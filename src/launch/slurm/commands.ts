/** Slurm's own commands. What they refuse becomes an error that says what to do. */
import { spawnSync } from "node:child_process";
import { SlalomError, unknownName } from "../../base/errors.js";
import { minutesOf, type Resources } from "./resources.js";

export interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @throws SlalomError "library" where the machine has no Slurm, "device" where Slurm's controller does not answer */
export function slurm(program: string, words: readonly string[]): Answer {
  const { status, stdout, stderr, error } = spawnSync(program, words, {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    // What is read is read in English.
    env: { ...process.env, LC_ALL: "C" },
  });
  if (error) {
    const isAbsent = "code" in error && error.code === "ENOENT";
    throw new SlalomError(
      "library",
      isAbsent
        ? `${program}: this machine has no Slurm, or its commands are not on the path. Run it on a login node of the cluster, or here: --launcher local.`
        : `${program}: ${error.message}.`,
      { cause: error },
    );
  }
  if (
    /Unable to contact slurm controller|Unable to process configuration file|Could not establish a configuration/i.test(
      stderr,
    )
  ) {
    throw new SlalomError(
      "device",
      `${program}: Slurm's controller does not answer. Try again later, or ask who runs the cluster. It said: ${said(stderr)}`,
    );
  }
  return { code: status ?? 1, out: stdout, err: stderr };
}

/**
 * Hands a script over and returns the job's id.
 * @throws SlalomError "device" with what Slurm said where it refuses
 */
export function submit(script: string, options: readonly string[]): string {
  const { code, out, err } = slurm("sbatch", ["--parsable", ...options, script]);
  const [, job] = /^(\d+)/m.exec(out) ?? [];
  if (code === 0 && job !== undefined) return job;
  throw new SlalomError("device", `sbatch refused ${script}: ${said(err)} ${remedy(err)}`);
}

/** Takes jobs that wait or run out of the queue; those that have ended are left as they are. */
export function cancel(jobs: readonly string[]): void {
  const { code, err } = slurm("scancel", jobs);
  if (code !== 0) throw new SlalomError("device", `scancel ${jobs.join(" ")}: ${said(err)}`);
}

/** Makes a job that waits begin only when these have ended, whatever they came to. */
export function waitFor(job: string, others: readonly string[]): void {
  const { code, err } = slurm("scontrol", ["update", `JobId=${job}`, `Dependency=${afterAny(others)}`]);
  if (code !== 0) throw new SlalomError("device", `scontrol update JobId=${job}: ${said(err)}`);
}

export const afterAny = (jobs: readonly string[]): string => `afterany:${jobs.join(":")}`;

/**
 * Puts the job that this process is in back into the queue, as the last thing that the process does.
 * @returns what to tell about it
 */
export function requeueJob(job: string): string {
  const { code, err } = slurm("scontrol", ["requeue", job]);
  return code === 0
    ? `Job ${job} is queued again, and goes on from there.`
    : `Job ${job} could not be queued again (${said(err)}): submit it again.`;
}

/**
 * Slurm itself takes a job with too long a time and lets it wait for ever.
 * @throws SlalomError "option" for a partition that the cluster does not have, or a time that it does not allow
 */
export function checkPartition({ partition, time }: Pick<Resources, "partition" | "time">): void {
  // Name, an asterisk behind the default one; longest time.
  const { code, out } = slurm("sinfo", ["--noheader", "--format=%P|%l"]);
  if (code !== 0) return;
  const limits = new Map(out.split("\n").flatMap((line) => (line.includes("|") ? [limitIn(line)] : [])));
  const names = [...limits.keys()];
  const chosen = partition?.split(",") ?? names.filter((name) => name.endsWith("*"));
  const known = names.map((name) => name.replace(/\*$/, ""));
  const unknown = chosen.find((name) => !known.includes(name.replace(/\*$/, "")));
  if (unknown !== undefined) throw unknownName("partition", unknown, known, "option");
  const wanted = time === undefined ? undefined : minutesOf(time);
  if (wanted === undefined || chosen.length === 0) return;
  const allowed = chosen.map((name) => limits.get(name) ?? limits.get(`${name}*`) ?? "infinite");
  const minutes = allowed.map((limit) => minutesOf(limit) ?? Number.POSITIVE_INFINITY);
  if (wanted <= Math.max(...minutes)) return;
  throw new SlalomError(
    "option",
    `--time ${time}: the partition ${chosen.join().replaceAll("*", "")} allows ${allowed.join(" and ")}. Ask for no more: a job whose time is over is queued again and goes on.`,
  );
}

const limitIn = (line: string): [string, string] => {
  const [name, limit] = line.split("|");
  return [name, limit];
};

/** A command's words without its name in front of each. */
const said = (text: string): string =>
  [...new Set(text.split("\n").map((line) => line.replace(/^\w+: (error: )?/, "").trim()))]
    .filter(Boolean)
    .join("; ")
    .replace(/\.?$/, ".");

function remedy(err: string): string {
  if (/node configuration is not available|Memory specification/i.test(err))
    return "No node of the partition has that much: ask for less (--cpus-per-task, --mem, --gpus); sinfo -o '%P %c %m %G' lists what there is.";
  if (/gres|generic resource/i.test(err))
    return "The cluster has no such GPUs: sinfo -o '%P %G' lists what there is.";
  if (/account|qos/i.test(err))
    return "Ask for another --account or --qos; sacctmgr show associations lists yours.";
  if (/array/i.test(err)) return "Take fewer jobs: --shares.";
  return "Change what is asked for, and run the same command again.";
}
