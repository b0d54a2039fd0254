/**
 * Disks that are full or read-only, folders that vanish, checkpoints that are damaged or of another study: an error that
 * says what happened, the last checkpoint whole, and once that is mended the training ends as if nothing had happened.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import { type Ended, slalom, start } from "../cli/cli.js";
import { namesIn, newest, type Outcome, outcomes, waitFor } from "./outcomes.js";

const root = mkdtempSync(join(tmpdir(), "slalom-bad-days-"));
let expected: Record<string, Outcome>;

/** 34,000 parameters and a velocity of each: a checkpoint of 270 kB, written after every call. */
const file = (name: string, hidden: string) => `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "${name}",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: ${hidden}, dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: 0.01, momentum: 0.9 })],
  steps: 6000,
  batchSize: 32,
  evaluateEvery: 500,
  keepModel: true,
  checkpointEvery: { steps: 1 },
});
`;

beforeAll(async () => {
  writeFileSync(join(root, "study.ts"), file("day", "[256, 128]"));
  expect(await train("whole")).toMatchObject({ code: 0 });
  expected = outcomes(join(root, "whole"), "day");
  expect(Object.values(expected).map(({ status }) => status)).toEqual(["completed"]);
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const words = (out: string, study = "study.ts") => `run ${study} --no-figures --out ${out}`;
const train = (out: string): Promise<Ended> => slalom(root, words(out));
const checkpointsOf = (out: string, name = "day"): string => join(root, out, name, "checkpoints");

/** Starts a training and waits for its first checkpoint. */
async function underWay(out: string, { study = "study.ts", name = "day" } = {}) {
  const running = start(root, words(out, study).split(" "));
  await waitFor(running, () => newest(checkpointsOf(out, name)) > 0);
  return running;
}

/** A training that was told to end early; the path of its checkpoint. */
async function interrupted(out: string, which: { study?: string; name?: string } = {}): Promise<string> {
  const running = await underWay(out, which);
  running.process.kill("SIGTERM");
  expect(await running.ended).toMatchObject({ code: 75 });
  const folder = checkpointsOf(out, which.name);
  const [name] = readdirSync(folder);
  return join(folder, name);
}

async function endsAsExpected(out: string): Promise<void> {
  expect(await train(out)).toMatchObject({ code: 0 });
  expect(outcomes(join(root, out), "day")).toEqual(expected);
  expect(readdirSync(checkpointsOf(out))).toEqual([]);
}

describe("a checkpoint", () => {
  test("of another study is refused with the first difference, and left alone", async () => {
    const own = await interrupted("foreign");
    writeFileSync(join(root, "other.ts"), file("other", "[256, 129]"));
    const other = await interrupted("foreign", { study: "other.ts", name: "other" });
    const stray = join(checkpointsOf("foreign"), "0000000000000000.safetensors");
    copyFileSync(other, stray);
    const { code, err } = await train("foreign");
    expect(code).toBe(1);
    expect(err).toContain(
      "0000000000000000.safetensors is a checkpoint of another study: problemOptions.model.hidden[1] is 129 there and 128 here. Move it to where it belongs, or delete it.",
    );
    expect(existsSync(stray) && existsSync(own)).toBe(true);
    // In the place of the study's own it is seen all the same.
    renameSync(stray, own);
    expect((await train("foreign")).err).toContain("is a checkpoint of another study: problemOptions.model");
    rmSync(own);
    await endsAsExpected("foreign");
  }, 120_000);

  test("that the disk changed or cut off is refused; restored from a copy it goes on", async () => {
    const path = await interrupted("damaged");
    const whole = readFileSync(path);
    const changed = Buffer.from(whole);
    changed[whole.length - 1000] ^= 4;
    writeFileSync(path, changed);
    const damaged = await train("damaged");
    expect(damaged.code).toBe(1);
    expect(damaged.err).toMatch(
      /safetensors is damaged: what it holds does not match its checksum\. Restore it/,
    );
    writeFileSync(path, whole.subarray(0, 5000));
    expect((await train("damaged")).err).toMatch(
      /is no whole safetensors file: .*\. Delete it, or restore it from a copy\./,
    );
    writeFileSync(path, whole);
    await endsAsExpected("damaged");
  }, 120_000);

  test("of another backend is left to it", async () => {
    const path = await interrupted("backends");
    const bytes = readFileSync(path);
    expect(await slalom(root, `${words("backends")} --backend null`)).toMatchObject({ code: 0 });
    const reference = start(root, `${words("backends")} --backend reference`.split(" "));
    await waitFor(reference, () => namesIn(join(root, "backends/day/runs")).length > 1);
    reference.process.kill("SIGTERM");
    expect(await reference.ended).toMatchObject({ code: 75 });
    expect(readFileSync(path)).toEqual(bytes);
  }, 120_000);
});

test("a study's folder that is moved away during training is told, and nothing is made in its place", async () => {
  const running = await underWay("moved");
  renameSync(join(root, "moved"), join(root, "elsewhere"));
  const { code, err } = await running.ended;
  expect(code).toBe(1);
  expect(err).toMatch(/does not exist\. Was the study's folder moved or deleted meanwhile\?/);
  expect(existsSync(join(root, "moved"))).toBe(false);
  renameSync(join(root, "elsewhere"), join(root, "moved"));
  expect(newest(checkpointsOf("moved"))).toBeGreaterThan(0);
  await endsAsExpected("moved");
}, 120_000);

describe("a disk", () => {
  /** Runs `use` with a file system of so much at a folder of the root. */
  async function withDisk(
    context: TestContext,
    size: string,
    use: (out: string) => Promise<void>,
  ): Promise<void> {
    const out = mkdtempSync(join(root, "disk-")).slice(root.length + 1);
    const disk = join(root, out);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", disk]).status !== 0)
      context.skip("needs a file system of its own: mounting a tmpfs is not allowed here");
    try {
      await use(out);
    } finally {
      spawnSync("umount", [disk]);
    }
  }
  const contents = (folder: string) =>
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "base64")]);

  test("that is full ends training with the last checkpoint whole; with room again it goes on", async (context) => {
    await withDisk(context, "4m", async (out) => {
      await interrupted(out);
      const before = contents(checkpointsOf(out));
      const ballast = join(root, out, "ballast");
      mkdirSync(ballast);
      // Some pages are left: rows still fit, a checkpoint does not.
      const pages = Number(
        /(\d+)\s+\d+%/.exec(spawnSync("df", ["-k", join(root, out)], { encoding: "utf8" }).stdout)![1],
      );
      writeFileSync(join(ballast, "full"), Buffer.alloc((pages - 100) * 1024));
      const { code, err } = await train(out);
      expect(code).toBe(1);
      expect(err).toMatch(
        /can't write .*checkpoints\/\w+\.safetensors: the disk or quota is full\. Free some space/,
      );
      expect(contents(checkpointsOf(out))).toEqual(before);
      rmSync(ballast, { recursive: true });
      await endsAsExpected(out);
    });
  }, 120_000);

  test("that becomes read-only during training is told", async (context) => {
    await withDisk(context, "8m", async (out) => {
      const remount = (how: "ro" | "rw") =>
        spawnSync("mount", ["-o", `remount,${how}`, join(root, out)]).status;
      const running = await underWay(out);
      // It is busy while a file is written.
      await waitFor(running, () => remount("ro") === 0);
      const { code, err } = await running.ended;
      expect(code).toBe(1);
      expect(err).toMatch(/can't write .*no permission \(or a read-only file system\)\. Choose a folder/);
      expect(remount("rw")).toBe(0);
      expect(newest(checkpointsOf(out))).toBeGreaterThan(0);
      await endsAsExpected(out);
    });
  }, 120_000);

  test("with a limit for files leaves the last checkpoint whole, as a full one does", async () => {
    await interrupted("limited");
    const before = contents(checkpointsOf("limited"));
    const main = new URL("../../dist/cli/main.js", import.meta.url).pathname;
    // Blocks of 1024 bytes: rows fit, checkpoints do not.
    const script = `ulimit -f 100; trap '' XFSZ; exec "$0" "$1" ${words("limited")}`;
    const limited = spawnSync("bash", ["-c", script, process.execPath, main], {
      cwd: root,
      encoding: "utf8",
    });
    expect(limited.status).toBe(1);
    expect(limited.stderr).toMatch(/can't write .*safetensors/);
    expect(contents(checkpointsOf("limited"))).toEqual(before);
  }, 120_000);

  test.skipIf(process.getuid?.() === 0)(
    "where checkpoints must not be written says so",
    async () => {
      await interrupted("forbidden");
      chmodSync(checkpointsOf("forbidden"), 0o555);
      const { code, err } = await train("forbidden");
      chmodSync(checkpointsOf("forbidden"), 0o755);
      expect(code).toBe(1);
      expect(err).toMatch(/can't write .*no permission/);
    },
    120_000,
  );
});
