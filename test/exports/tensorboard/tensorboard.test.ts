/** Event files as TensorBoard's own readers see them, where the environment names a Python that has the package. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { exportTensorboard } from "../../../src/exports/index.js";
import { exportFolder, type GivenRun } from "../study.js";

const folder = exportFolder();
afterAll(() => folder.remove());

/** A Python with the package tensorboard. */
const python = process.env.SLALOM_TEST_TENSORBOARD;

/** As read.py prints it. */
interface Seen {
  /** By run and tag: wall time, step, value. */
  readonly runs: Readonly<
    Record<string, Readonly<Record<string, readonly [number, number, number | string][]>>>
  >;
  readonly groups: readonly {
    readonly name: string;
    readonly hyperparameters: Readonly<Record<string, number | string>>;
    readonly metrics: Readonly<Record<string, number>>;
  }[];
}

async function seen(path: string): Promise<Seen> {
  const script = fileURLToPath(new URL("read.py", import.meta.url));
  const { stdout } = await promisify(execFile)(python!, [script, path]);
  return JSON.parse(stdout) as Seen;
}

const run = (seed: number, accuracies: readonly number[]): GivenRun => ({
  configuration: { label: "Adam, short", hyperparameters: { lr: 0.5, beta1: 0.9 }, clipNorm: 2, seed },
  rows: accuracies.map((validationAccuracy, i) => ({
    step: 4 * i,
    timeS: i,
    epoch: 2 * i,
    validationAccuracy,
    ...(i > 0 && { trainLoss: 1 / (i + seed) }),
  })),
  outcome: { status: "completed", final: { testAccuracy: 0.5 } },
});

test.runIf(python !== undefined)(
  "scalars by step and wall time, the seeds of a setting as one group",
  async () => {
    const unfinished: GivenRun = {
      configuration: { hyperparameters: { lr: 0.25 } },
      rows: [
        { step: 1, timeS: 0.5, trainLoss: Number.NaN },
        { step: 2, timeS: 1, trainLoss: 1e300 },
      ],
    };
    const study = folder.store([run(0, [0.25, 0.5, 0.75]), run(1, [0.125, 0.25]), unfinished]);
    const path = join(folder.path, "tensorboard");
    exportTensorboard(study, path);
    const { runs, groups } = await seen(path);

    expect(Object.keys(runs).sort()).toEqual(study.runs.map(({ id }) => id).sort());
    const at = (id: string, seconds: number): number => {
      const { created } = study.runs.find((one) => one.id === id)!;
      return Date.parse(created) / 1000 + seconds;
    };
    const zero = study.runs.find(({ configuration }) => configuration.label !== undefined)!;
    expect(runs[zero.id]).toEqual({
      epoch: [0, 1, 2].map((i) => [at(zero.id, i), 4 * i, 2 * i]),
      validationAccuracy: [0.25, 0.5, 0.75].map((value, i) => [at(zero.id, i), 4 * i, value]),
      trainLoss: [1, 2].map((i) => [at(zero.id, i), 4 * i, 1 / i]),
      testAccuracy: [[at(zero.id, 2), 8, 0.5]],
    });
    const last = study.runs.find(({ configuration }) => configuration.label === undefined)!;
    // float32 alone, as TensorBoard shows it.
    expect(runs[last.id].trainLoss.map(([, step, value]) => [step, value])).toEqual([
      [1, "nan"],
      [2, "inf"],
    ]);
    const byName = new Map(groups.map((group) => [group.name, group]));
    expect(byName.get("Adam, short lr=0.5 beta1=0.9")).toEqual({
      name: "Adam, short lr=0.5 beta1=0.9",
      hyperparameters: { optimizer: "Adam, short", lr: 0.5, beta1: 0.9, clipNorm: 2 },
      // The means over two seeds of what each measured last.
      metrics: { epoch: 3, validationAccuracy: 0.5, trainLoss: 0.5, testAccuracy: 0.5 },
    });
    expect(byName.get("momentum lr=0.25")?.hyperparameters).toEqual({ optimizer: "momentum", lr: 0.25 });
  },
  60_000,
);

test.skipIf(python !== undefined)(
  "TensorBoard's readers: skipped, as SLALOM_TEST_TENSORBOARD names no Python that has them (.ci/run does)",
  ({ skip }) => skip(),
);
