/** Trainings that are killed, stopped by signals or run out of disk, and go on bit for bit as if nothing had happened. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { keyFromSeed, randomBits, uniformFromBits } from "../../src/base/random.js";
import { loadStudy, readSafetensors, type StoredRun } from "../../src/runs/index.js";
import { slalom, start } from "../cli/cli.js";

const root = mkdtempSync(join(tmpdir(), "slalom-resume-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Dropout, shuffled batches with a short last one, lanes of which one diverges, two seeds; about two seconds of steps. */
const file = (steps: number, more = "") => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "killed",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [24, 16], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.01, 0.05, 1e6], momentum: 0.9 })],
  seeds: 2,
  steps: ${steps},
  batchSize: 32,
  evaluateEvery: 500,
  trainMetrics: true,
  keepModel: true,
  checkpointEvery: { steps: 5 },
  ${more}
});
`;

interface Outcome {
  readonly status: string;
  readonly rows: readonly (readonly [string, readonly number[]])[];
  readonly model: string | undefined;
}

/** What must not depend on interruptions: all but times. */
const outcomeOf = ({ folder, status, rows, summary }: StoredRun): Outcome => {
  const all = rows();
  const { timeS: _time, targets: _targets, ...rest } = summary!;
  const models = ["last", "best"].map((which) => {
    const path = join(folder, `${which}.safetensors`);
    return status === "completed" ? readFileSync(path).toString("base64") : undefined;
  });
  return {
    status,
    rows: all.metrics.map((metric) => [metric, [...all.curve(metric).value, ...all.curve(metric).step]]),
    model: JSON.stringify([rest, models]),
  };
};

const outcomes = (out: string): Record<string, Outcome> =>
  Object.fromEntries(loadStudy(join(out, "killed")).runs.map((run) => [run.id, outcomeOf(run)]));

describe("a training that is killed", () => {
  test("goes on bit for bit, wherever SIGKILL met it", async () => {
    const folder = mkdtempSync(join(root, "kill-"));
    writeFileSync(join(folder, "study.ts"), file(12_000));
    const words = (out: string) => ["run", "study.ts", "--no-figures", "--out", out];
    expect((await start(folder, words("whole")).ended).code).toBe(0);
    const expected = outcomes(join(folder, "whole"));
    expect(
      Object.values(expected)
        .map(({ status }) => status)
        .sort(),
    ).toEqual(["completed", "completed", "completed", "completed", "diverged", "diverged"]);

    let [kills, resumed] = [0, 0];
    for (; kills < 40; kills++) {
      const running = start(folder, words("torn"));
      let ended = false;
      const end = running.ended.then((result) => {
        ended = true;
        return result;
      });
      // Once it has written a checkpoint of its own any moment may be the one, amid the writing of the next too.
      const checkpoints = join(folder, "torn/killed/checkpoints");
      const before = newest(checkpoints);
      while (!ended && newest(checkpoints) === before) await setTimeout(1);
      await setTimeout(120 * uniformFromBits(randomBits(keyFromSeed(9), kills)));
      if (ended && (await end).code === 0) break;
      running.process.kill("SIGKILL");
      await end;
      try {
        for (const name of readdirSync(checkpoints)) {
          if (!name.endsWith(".safetensors")) continue;
          // Every file under its name is whole.
          readSafetensors(join(checkpoints, name));
          resumed++;
        }
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOENT");
      }
    }
    if (kills === 40) expect((await start(folder, words("torn")).ended).code).toBe(0);
    expect(kills).toBeGreaterThan(3);
    expect(resumed).toBeGreaterThan(3);
    expect(outcomes(join(folder, "torn"))).toEqual(expected);
    expect(readdirSync(join(folder, "torn/killed/checkpoints"))).toEqual([]);
  }, 120_000);
});

describe("signals", () => {
  test.each([
    ["SIGTERM", 75],
    ["SIGUSR2", 75],
    ["SIGINT", 130],
  ] as const)(
    "%s keeps the training, ends with %i, and the same command goes on",
    async (signal, code) => {
      const folder = mkdtempSync(join(root, "signal-"));
      writeFileSync(join(folder, "study.ts"), file(12_000, "checkpointEvery: { minutes: 60 },"));
      const words = ["run", "study.ts", "--no-figures", "--out", "kept"];
      expect((await start(folder, [...words.slice(0, -1), "whole"]).ended).code).toBe(0);
      const running = start(folder, words);
      const runs = join(folder, "kept/killed/runs");
      while (!started(runs)) await setTimeout(20);
      await setTimeout(150);
      running.process.kill(signal);
      const { code: received, err } = await running.ended;
      expect(received).toBe(code);
      expect(err).toContain("Everything is kept in kept; the same command goes on from there.");
      expect(readdirSync(join(folder, "kept/killed/checkpoints")).length).toBeGreaterThan(0);
      expect((await start(folder, words).ended).code).toBe(0);
      expect(outcomes(join(folder, "kept"))).toEqual(outcomes(join(folder, "whole")));
    },
    60_000,
  );
});

/** When a checkpoint was last put in place; 0 where there is none. */
function newest(folder: string): number {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(".safetensors"));
    return Math.max(0, ...names.map((name) => statSync(join(folder, name)).mtimeMs));
  } catch {
    return 0;
  }
}

const started = (runs: string): boolean => {
  try {
    return readdirSync(runs).length >= 3;
  } catch {
    return false;
  }
};

describe("bad days", () => {
  async function interrupted(): Promise<string> {
    const folder = mkdtempSync(join(root, "bad-"));
    writeFileSync(join(folder, "study.ts"), file(200_000, "checkpointEvery: { minutes: 60 },"));
    const running = start(folder, ["run", "study.ts", "--no-figures", "--out", "kept"]);
    while (!started(join(folder, "kept/killed/runs"))) await setTimeout(20);
    await setTimeout(200);
    running.process.kill("SIGTERM");
    expect((await running.ended).code).toBe(75);
    return folder;
  }

  test("a checkpoint of another model names the first difference; a broken one says what to do", async () => {
    const folder = await interrupted();
    const study = join(folder, "study.ts");
    writeFileSync(study, readFileSync(study, "utf8").replace("[24, 16]", "[24, 17]"));
    const other = await slalom(folder, "run study.ts --no-figures --out kept");
    expect(other.code).toBe(1);
    expect(other.err).toContain('study "killed" is stored with other settings: problemOptions.model.hidden');
    writeFileSync(study, readFileSync(study, "utf8").replace("[24, 17]", "[24, 16]"));
    const checkpoints = join(folder, "kept/killed/checkpoints");
    const [name] = readdirSync(checkpoints);
    const path = join(checkpoints, name);
    writeFileSync(path, readFileSync(path).subarray(0, 5000));
    const broken = await slalom(folder, "run study.ts --no-figures --out kept");
    expect(broken.code).toBe(1);
    expect(broken.err).toMatch(/is no whole safetensors file: .*\. Delete it, or restore it from a copy\./);
  }, 60_000);

  test("a file-size limit, as a full disk, leaves the last checkpoint whole", async () => {
    const folder = await interrupted();
    const checkpoints = join(folder, "kept/killed/checkpoints");
    const contents = () =>
      readdirSync(checkpoints).map((name) => [name, readFileSync(join(checkpoints, name), "base64")]);
    const before = contents();
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    writeFileSync(join(folder, "study.ts"), file(200_000));
    // Blocks of 1024 bytes: rows fit, checkpoints do not.
    const script = `ulimit -f 8; trap '' XFSZ; exec "$0" "$1" run study.ts --no-figures --out kept`;
    const limited = spawnSync("bash", ["-c", script, process.execPath, main], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(limited.status).toBe(1);
    expect(limited.stderr).toMatch(/can't write .*safetensors/);
    // Nothing half-written is left, and what was there is as it was.
    expect(contents()).toEqual(before);
  }, 60_000);

  test.skipIf(process.getuid?.() === 0)(
    "a read-only folder is an error with a remedy",
    async () => {
      const folder = await interrupted();
      const checkpoints = join(folder, "kept/killed/checkpoints");
      chmodSync(checkpoints, 0o555);
      const running = start(folder, ["run", "study.ts", "--no-figures", "--out", "kept"]);
      await setTimeout(1500);
      running.process.kill("SIGTERM");
      const { code, err } = await running.ended;
      chmodSync(checkpoints, 0o755);
      expect(code).toBe(1);
      expect(err).toMatch(/can't write .*no permission/);
    },
    60_000,
  );
});
