/** All cases one after another; see README.md for what is compared and how ratios are computed. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import type { CaseResult } from "./case.js";
import { cases } from "./cases/index.js";
import { allCores } from "./comparison.js";
import { exportMnist } from "./data.js";
import { formatResult } from "./print.js";
import { cpuBackend, slalomVersion } from "./slalom.js";
import type { Library } from "./specification.js";

interface Options {
  readonly only?: readonly string[];
  readonly peers?: readonly Library[];
  readonly repeat: number;
  readonly sample: number;
  readonly full?: boolean;
  readonly json?: boolean;
  readonly save?: string;
  readonly python: string;
}

/** What a stored run of the benchmarks holds. */
export interface BenchReport {
  readonly slalom: string;
  readonly node: string;
  readonly backend: string;
  readonly cpu: string;
  readonly cores: number;
  readonly date: string;
  readonly rounds: number;
  readonly results: readonly CaseResult[];
}

const ownPython = fileURLToPath(new URL("peers/.venv/bin/python", import.meta.url));

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("npm run bench --")
    .description("Measures Slalom against what one would use instead, on the same cores in the same run.")
    .option("--only <case...>", `of ${cases.map(({ id }) => id).join(", ")}`)
    .addOption(
      new Option("--peers <library...>", "only these peers").choices(["torch", "jax", "tfjs", "jaxjs"]),
    )
    .option("--repeat <rounds>", "rounds; every contestant gives a sample in each", positive, 7)
    .option("--sample <seconds>", "length of one sample", positive, 0.5)
    .option("--full", "the grid of exercise 2 over all its 30 epochs")
    .option("--json", "print results as JSON alone")
    .option("--save <file>", "write results as JSON, such as bench/results/<machine>.json")
    .option(
      "--python <path>",
      "interpreter with PyTorch and JAX",
      existsSync(ownPython) ? ownPython : "python3",
    );
  program.parse([...args], { from: "user" });
  const options = program.opts<Options>();
  const chosen = options.only ? cases.filter(({ id }) => options.only!.includes(id)) : cases;
  const unknown = options.only?.filter((id) => !cases.some((one) => one.id === id)) ?? [];
  if (unknown.length > 0)
    program.error(
      `unknown case ${unknown.join(", ")}; expected one of ${cases.map(({ id }) => id).join(", ")}`,
    );

  const data = await exportMnist();
  const results: CaseResult[] = [];
  for (const one of chosen) {
    const result = await one.run({
      rounds: options.repeat,
      sampleS: options.sample,
      full: options.full ?? false,
      python: options.python,
      data,
      ...(options.peers && { peers: options.peers }),
      say: (text) => process.stderr.write(`${text}\n`),
    });
    results.push(result);
    if (!options.json) process.stdout.write(`\n${formatResult(result)}`);
  }
  const report: BenchReport = {
    slalom: slalomVersion(),
    node: process.version,
    backend: cpuBackend().description,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: allCores,
    date: new Date().toISOString(),
    rounds: options.repeat,
    results,
  };
  const text = `${JSON.stringify(report, null, 2)}\n`;
  if (options.json) process.stdout.write(text);
  if (options.save) {
    const file = resolve(options.save);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`received ${text}; expected a number above 0`);
  return value;
}
