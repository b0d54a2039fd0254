/** Stored runs as the tables of the README, one for each machine: `node bench/run.js table bench/results/*.json`. */
import { readFileSync } from "node:fs";

interface StoredRow {
  readonly contestant: string;
  readonly cores: number;
  readonly unit: string;
  readonly timing?: { readonly medianS: number };
  readonly ratio?: { readonly median: number; readonly min: number; readonly max: number };
  readonly floorShare?: number;
}

interface StoredResult {
  readonly title: string;
  readonly rows: readonly StoredRow[];
}

interface StoredRun {
  readonly backend: string;
  readonly cpu: string;
  readonly cores: number;
  readonly date: string;
  readonly results: readonly StoredResult[];
}

export function main(files: readonly string[]): void {
  const machines = new Map<string, StoredRun[]>();
  for (const file of files) {
    const run = JSON.parse(readFileSync(file, "utf8")) as StoredRun;
    const machine = `${run.cpu}, ${run.cores} cores, ${run.backend}`;
    machines.set(machine, [...(machines.get(machine) ?? []), run]);
  }
  const tables = [...machines].map(([machine, runs]) => tableOf(machine, runs));
  process.stdout.write(`${tables.join("\n\n")}\n`);
}

/** The runs of one machine: its name and the day above, a line for each case that has a peer. */
function tableOf(machine: string, runs: readonly StoredRun[]): string {
  const results = runs.flatMap((run) => run.results).filter(({ rows }) => rows.some(isPeer));
  const libraries = [...new Set(results.flatMap(({ rows }) => rows.filter(isPeer).map(libraryOf)))];
  const heads = ["", "Slalom", "share of the floor", ...libraries];
  const lines = results.map(({ title, rows }) => {
    const [ours] = rows;
    const share = ours.floorShare === undefined ? "" : `${Math.round(100 * ours.floorShare)} %`;
    const cells = libraries.map((library) =>
      fastest(rows.filter((row) => isPeer(row) && libraryOf(row) === library)),
    );
    return [title, formatTime(ours.timing!.medianS), share, ...cells];
  });
  const rule = heads.map(() => "---");
  const table = [heads, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `${machine}, ${runs[0].date.slice(0, 10)}\n\n${table}`;
}

const isPeer = ({ contestant, ratio }: StoredRow): boolean =>
  ratio !== undefined && /^(PyTorch|JAX|TensorFlow\.js|jax-js)\b/.test(contestant);

const libraryOf = ({ contestant }: StoredRow): string => contestant.split(",")[0];

/** The least of a library's ratios: its best form here. */
function fastest(rows: readonly StoredRow[]): string {
  if (rows.length === 0) return "";
  const [best] = [...rows].sort((a, b) => a.ratio!.median - b.ratio!.median);
  const digits = best.ratio!.median >= 100 ? 0 : best.ratio!.median >= 10 ? 1 : 2;
  const form = best.contestant.split(",").slice(1).join(",").trim();
  return `${best.ratio!.median.toFixed(digits)} (${form}, ${best.cores} ${best.cores === 1 ? "core" : "cores"})`;
}

function formatTime(seconds: number): string {
  if (seconds < 1e-6) return `${(seconds * 1e9).toFixed(0)} ns`;
  return seconds < 1e-3 ? `${(seconds * 1e6).toFixed(0)} µs` : `${(seconds * 1e3).toFixed(2)} ms`;
}
