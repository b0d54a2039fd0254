/** Runs the built command line in a folder, as a user would. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { decode } from "../../src/runs/json.js";

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
}

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Starts `slalom ...words` with output to pipes. */
export function start(
  folder: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const { NO_COLOR: _none, FORCE_COLOR: _force, ...inherited } = process.env;
  const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: { ...inherited, ...env } });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { process: child, ended };
}

/** Runs it to its end; words are split at spaces. */
export const slalom = (
  folder: string,
  line: string,
  env?: Readonly<Record<string, string>>,
): Promise<Ended> => start(folder, line.split(" "), env).ended;

/** Runs it with --json, expects success, and gives what standard output holds. */
export async function json(folder: string, line: string): Promise<Result> {
  const { code, out, err } = await slalom(folder, `${line} --json`);
  if (code !== 0) throw new Error(`slalom ${line}: exit code ${code}\n${err}\n${out}`);
  return decode(out) as Result;
}

/** What the tests look at of the results. */
export interface Result {
  readonly status: string;
  readonly studies: readonly { name: string; runsTrained: number; runsStoredBefore: number; html?: string }[];
  readonly runs: readonly RunResult[];
  readonly [other: string]: unknown;
}

export interface RunResult {
  readonly id: string;
  readonly study: string;
  readonly seed: number;
  readonly status: string;
  readonly stepsDone: number;
  readonly timeS: number;
  readonly final: Readonly<Record<string, number>>;
  readonly parameters?: Readonly<Record<string, readonly number[]>>;
  readonly targets: readonly { metric: string; step: number | null; timeS: number | null }[];
  readonly divergence?: { step: number; quantity: string; value: number; lastFiniteLoss: number };
  readonly configuration: {
    optimizer: string;
    hyperparameters: Readonly<Record<string, number>>;
    dtype: string;
    shuffle: boolean;
  };
  readonly rows?: Readonly<Record<string, { step: number[]; value: number[] }>>;
}
