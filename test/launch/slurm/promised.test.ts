/** Results that other nodes have left and a shared folder shows late. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StudyJob } from "../../../src/launch/slurm/jobs.js";
import { awaitResults, promisedBy, unseen } from "../../../src/launch/slurm/promised.js";
import { slalom } from "../../cli/cli.js";
import { namesIn } from "../outcomes.js";
import { smallStudy } from "../support.js";

const root = mkdtempSync(join(tmpdir(), "slalom-promised-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const study = join(root, "runs/small");
let ids: string[];
beforeAll(async () => {
  writeFileSync(join(root, "study.ts"), smallStudy);
  expect(await slalom(root, "run study.ts --no-figures")).toMatchObject({ code: 0 });
  ids = namesIn(join(study, "runs"));
  expect(ids).toHaveLength(3);
}, 120_000);

const job = (more: Partial<StudyJob>): StudyJob => ({
  ...{ job: "15_1", runs: [], active: false, state: "COMPLETED", reason: "None", restarts: 0, exitCode: 0 },
  ...{ elapsed: "", limit: "", node: "", log: "", ...more },
});

test("jobs of shares that ended well have left a result of every run in them, others need not", () => {
  const share = { number: 1, of: 2 };
  expect(
    promisedBy([
      job({ share, runs: ["a", "b"] }),
      job({ share, runs: ["b"], job: "18_1" }),
      job({ share: { number: 2, of: 2 }, runs: ["c"], state: "FAILED" }),
      job({ share: { number: 2, of: 2 }, runs: ["d"], state: "RUNNING", active: true }),
      job({ runs: ["e"], job: "16" }),
    ]),
  ).toEqual(["a", "b"]);
});

test("what shows is not waited for, and what shows later is", async () => {
  const never = (): never => {
    throw new Error("there is nothing to wait for");
  };
  expect(await awaitResults(study, ids, { onWait: never })).toEqual([]);
  const [summary, whole] = [join(study, "runs", ids[0], "summary.json"), join(study, "runs", ids[1])];
  renameSync(summary, join(root, "summary"));
  renameSync(whole, join(root, "whole"));
  expect(unseen(study, ids)).toEqual([ids[0], ids[1]]);
  writeFileSync(summary, "{");
  expect(unseen(study, ids)).toEqual([ids[0], ids[1]]);
  const told: string[][] = [];
  let isDone = false;
  const waiting = awaitResults(study, ids, { onWait: (missing) => told.push([...missing]) }).then((left) => {
    isDone = true;
    return left;
  });
  await setTimeout(20);
  renameSync(join(root, "summary"), summary);
  expect(isDone).toBe(false);
  renameSync(join(root, "whole"), whole);
  expect(await waiting).toEqual([]);
  expect(told).toEqual([[ids[0], ids[1]]]);
}, 120_000);

test("what never shows is waited for no longer than patience, and told", async () => {
  expect(await awaitResults(study, [...ids, "0000000000000000"], { patienceMs: 50 })).toEqual([
    "0000000000000000",
  ]);
  expect(await awaitResults(join(root, "nowhere"), ids, { patienceMs: 1 })).toEqual(ids);
});
