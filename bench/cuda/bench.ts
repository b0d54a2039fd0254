/**
 * Slalom on a GPU against PyTorch and JAX on the same GPU: `npm run bench:cuda`. One command that measures, the most
 * telling first, each part within a time of its own; what is finished is appended to a file at once, and the table is
 * drawn from that file. See README.md.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { LineProcess } from "../contestant.js";
import { exportMnist } from "../data.js";
import { cpuBackend, cudaBackend, SlalomError, slalomVersion } from "../slalom.js";
import { type CaseName, caseNames, type Measurement, measurements, rehearsed } from "./measurements.js";
import { race } from "./race.js";
import { append, type ProfileRecord, type RoutesRecord, readResults } from "./results.js";
import { formatResults } from "./table.js";

interface Options {
  readonly minutes: number;
  readonly only?: readonly (CaseName | "routes" | "profile")[];
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly sample: number;
  readonly out: string;
  readonly python: string;
  readonly rehearse?: boolean;
  readonly table?: string;
}

const starter = fileURLToPath(new URL("../run.js", import.meta.url));
const ownPython = fileURLToPath(new URL("../peers/.venv/bin/python", import.meta.url));
const parts = ["routes", ...caseNames, "profile"] as const;

/** With less time a measurement is not begun. */
const leastS = 25;

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("npm run bench:cuda --")
    .description("Measures Slalom on this machine's GPU against PyTorch and JAX on the same GPU.")
    .option("--minutes <minutes>", "for all of it", positive, 12)
    .option("--only <parts>", `of ${parts.join(", ")}, with commas`, listOf(parts))
    .option("--peers <libraries>", "torch, jax or none", listOf(["torch", "jax", "none"]), ["torch", "jax"])
    .option("--rounds <rounds>", "at most; every contestant gives a sample in each", positive, 9)
    .option("--sample <seconds>", "length of one sample", positive, 0.3)
    .option("--out <file>", "where each finished measurement is appended", `bench-cuda-${stamp()}.jsonl`)
    .option("--python <path>", "with PyTorch and JAX", existsSync(ownPython) ? ownPython : "python3")
    .option("--rehearse", "on the processor, small: whether everything runs; its numbers say nothing")
    .option("--table <file>", "draws the table of a file again, and measures nothing");
  program.parse([...args], { from: "user" });
  const options = program.opts<Options>();
  if (options.table === undefined) {
    const backend = await described(options.rehearse ?? false);
    if (backend === undefined) return;
    await measure(options, backend);
  }
  process.stdout.write(formatResults(readResults(options.table ?? options.out)));
}

/** What the backend says of itself; where no GPU can be used, says so and sets the exit code. */
async function described(rehearse: boolean): Promise<string | undefined> {
  try {
    const backend = rehearse ? cpuBackend() : cudaBackend({ environment: process.env });
    await backend.close();
    return backend.description;
  } catch (error) {
    if (!(error instanceof SlalomError)) throw error;
    const [reason] = error.message.split(/[;\n]/);
    process.stderr.write(`bench:cuda needs an NVIDIA GPU, and this machine has none to use: ${reason}.\n`);
    process.exitCode = 1;
    return undefined;
  }
}

async function measure({ rehearse = false, out, ...options }: Options, backend: string): Promise<void> {
  const ends = performance.now() + options.minutes * 60_000;
  const leftS = (): number => (ends - performance.now()) / 1000;
  const say = (text: string): void => {
    process.stderr.write(`${text}\n`);
  };
  const wanted = (part: (typeof parts)[number]): boolean => options.only?.includes(part) ?? true;
  append(out, {
    kind: "machine",
    ...{ slalom: slalomVersion(), node: process.version, backend, date: new Date().toISOString() },
    ...(rehearse && { rehearsal: true }),
  });
  say(`Results go to ${out}`);
  const data = await exportMnist();
  const chosen = measurements
    .filter((one) => wanted(one.case))
    .map((one) => (rehearse ? rehearsed(one) : one))
    .map((one) => withPeers(one, options.peers));
  if (wanted("routes") && !rehearse) await routes(out, Math.min(routesS, leftS()), say);
  const profiles = wanted("profile") && !rehearse;
  for (const measurement of chosen) {
    const { id, title } = measurement;
    const budgetS = Math.min(measurement.budgetS, leftS() - (profiles ? profileS : 0));
    if (budgetS < leastS) {
      append(out, { kind: "left out", id, title, reason: "the time was over" });
      continue;
    }
    try {
      const record = await race(measurement, {
        ...{ python: options.python, data, budgetS, say },
        ...{ sampleS: options.sample, mostRounds: options.rounds },
      });
      append(out, record);
      say(`\n${formatResults([record])}`);
    } catch (error) {
      append(out, { kind: "left out", id, title, reason: (error as Error).message });
    }
  }
  if (profiles) await profile(out, Math.max(profileS, leftS()));
}

/** For who computes what, at the beginning. */
const routesS = 120;

async function routes(out: string, withinS: number, say: (text: string) => void): Promise<void> {
  const steps = [
    ["float32", "50", "1"],
    ["tf32", "50", "1"],
    ["bfloat16", "50", "1"],
    ["tf32", "50", "64"],
  ];
  const ends = performance.now() + withinS * 1000;
  for (const [precision, batch, lanes] of steps) {
    const networks = lanes === "1" ? "the CNN" : `${lanes} CNNs`;
    const title = `Who computes a step of ${networks}, batch ${batch}, ${precision}`;
    const record = await answer<RoutesRecord>(out, "routes", {
      title,
      args: ["cudaRoutes", precision, batch, lanes],
      withinS: Math.max(1, (ends - performance.now()) / 1000),
    });
    if (record) say(`\n${formatResults([record])}`);
  }
}

/** For the profiles at the end. */
const profileS = 30;

async function profile(out: string, withinS: number): Promise<void> {
  for (const [precision, batch] of [
    ["tf32", "50"],
    ["bfloat16", "5000"],
  ]) {
    const title = `Where a step of the CNN goes, batch ${batch}, ${precision}`;
    const args = ["cudaProfile", precision, batch];
    await answer<ProfileRecord>(out, "profile", { title, args, withinS: withinS / 2 });
  }
}

/** The line that a program of the benchmarks answers, appended to the file; undefined where it does not in time. */
async function answer<R extends RoutesRecord | ProfileRecord>(
  out: string,
  kind: R["kind"],
  { title, args, withinS }: { title: string; args: readonly string[]; withinS: number },
): Promise<R | undefined> {
  const child = new LineProcess(process.execPath, [starter, ...args]);
  try {
    const record = { kind, title, ...(await child.next(withinS)) } as unknown as R;
    append(out, record);
    return record;
  } catch (error) {
    append(out, { kind: "left out", id: kind, title, reason: (error as Error).message });
    return undefined;
  } finally {
    child.end();
  }
}

const withPeers = (measurement: Measurement, peers: readonly string[]): Measurement => ({
  ...measurement,
  contestants: measurement.contestants.filter(
    ({ library }) => library === "slalom" || peers.includes(library),
  ),
});

const stamp = (): string => new Date().toISOString().slice(0, 16).replace(/[:T]/g, "-");

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

const listOf =
  (known: readonly string[]) =>
  (text: string): string[] => {
    const names = text.split(",");
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new InvalidArgumentError(`There is no ${unknown}; expected some of ${known.join(", ")}.`);
    return names;
  };
