/** What is made of the queue, of accounts, logs and the store: the state of jobs and runs, and what to do. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { joined, type StudyJob } from "../../../src/launch/slurm/jobs.js";
import { accountsIn, isActive, jobsIn } from "../../../src/launch/slurm/queue.js";
import {
  type JobRecord,
  makeSubmissionFolder,
  readSubmissions,
  writeRecord,
} from "../../../src/launch/slurm/records.js";
import { isOpen, runStates, standingOf } from "../../../src/launch/slurm/standing.js";
import { adviceFor, stateWords } from "../../../src/launch/slurm/words.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-jobs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As `squeue --Format` pads it. */
const line = (...cells: (string | number)[]): string =>
  cells.map((cell, i) => `${cell}`.padEnd([16, 16, 160, 20, 80, 12, 12, 20, 20, 80][i])).join("");

const queue = [
  line(15, 1, "slalom-small", "RUNNING", "None", 1, 0, "3:10", "30:00", "n1"),
  line(15, 2, "slalom-small", "TIMEOUT", "TimeLimit", 0, 75 << 8, "30:12", "30:00", "n2"),
  line(15, 3, "slalom-small", "PENDING", "BeginTime", 2, 0, "0:00", "30:00", ""),
  line(16, "N/A", "slalom-small", "PENDING", "Dependency", 0, 0, "0:00", "30:00", ""),
  line(17, "N/A", "another", "RUNNING", "None", 0, 0, "1:00", "UNLIMITED", "n1"),
].join("\n");

describe("the queue", () => {
  test("is read by the width of its columns", () => {
    const jobs = jobsIn(`${queue}\n`);
    expect(jobs).toHaveLength(5);
    expect(jobs[0]).toEqual({
      ...{ id: "15", number: 1, name: "slalom-small", state: "RUNNING", reason: "None", restarts: 1 },
      ...{ exitCode: 0, elapsed: "3:10", limit: "30:00", node: "n1" },
    });
    expect(jobs[1]).toMatchObject({ state: "TIMEOUT", exitCode: 75 });
    expect(jobs[3]).not.toHaveProperty("number");
    expect(jobs.map(isActive)).toEqual([true, false, true, true, true]);
  });

  test("of the past is what accounts say", () => {
    const text = [
      "15_4|COMPLETED|0:0|00:02:00|00:30:00|n1|slalom-small",
      "15_5|CANCELLED by 1000|0:15|00:00:09|00:30:00|n2|slalom-small",
      "15_[6-8]|PENDING|0:0|00:00:00|00:30:00|None assigned|slalom-small",
      "18|OUT_OF_MEMORY|0:125|00:00:09|00:30:00|n2|a|b",
      "",
    ].join("\n");
    expect(accountsIn(text)).toMatchObject([
      { id: "15", number: 4, state: "COMPLETED", exitCode: 0, elapsed: "00:02:00", node: "n1" },
      { id: "15", number: 5, state: "CANCELLED", limit: "00:30:00" },
      { id: "18", state: "OUT_OF_MEMORY", name: "a|b" },
    ]);
    expect(accountsIn("Slurm accounting storage is disabled\n")).toEqual([]);
  });
});

const record = (more: Partial<JobRecord> = {}): JobRecord => ({
  name: "slalom-small",
  array: "15",
  of: 4,
  shares: [1, 2, 3, 4].map((number) => ({ number, runs: [`a${number}`, `b${number}`] })),
  report: "16",
  runsTotal: 9,
  command: "slalom run small.ts --launcher slurm",
  submitted: "2026-01-02T03:04:05.678Z",
  ...more,
});

describe("the jobs of a study", () => {
  const first = makeSubmissionFolder(join(folder, "small"), new Date("2026-01-02T03:04:05.678Z"));
  const second = makeSubmissionFolder(join(folder, "small"), new Date("2026-01-02T04:04:05.678Z"));
  writeRecord(second, record({ array: "20", shares: [{ number: 2, runs: ["a2"] }] }));
  writeRecord(first, record());
  const submissions = readSubmissions(join(folder, "small"));
  const jobs = (): StudyJob[] => joined(submissions, jobsIn(queue));
  const states = () => Object.fromEntries(jobs().map(({ job, state }) => [job, state]));

  test("are those that were submitted, oldest first, with what the queue has of each", () => {
    expect(submissions.map((one) => one.folder)).toEqual([first, second]);
    expect(submissions[0].record).toEqual(record());
    expect(states()).toEqual({
      ...{
        "15_1": "RUNNING",
        "15_2": "TIMEOUT",
        "15_3": "PENDING",
        "15_4": "FORGOTTEN",
        "20_2": "FORGOTTEN",
      },
      "16": "PENDING",
    });
    const [running] = jobs();
    expect(running).toMatchObject({ share: { number: 1, of: 4 }, runs: ["a1", "b1"], active: true });
    expect(running.log).toBe(join(first, "train-1.log"));
    expect(jobs().find(({ job }) => job === "16")?.log).toBe(join(first, "report.log"));
  });

  test("that the queue has forgotten are as their logs end", () => {
    const told = (cause: string): string =>
      `slurmstepd: error: *** JOB 19 ON n1 CANCELLED AT 2026-01-02T03:05:00${cause} ***\n`;
    const log = join(first, "train-4.log");
    const logged = (text: string): string => {
      writeFileSync(log, text);
      return states()["15_4"];
    };
    expect(logged("Trained 2 of 2 runs\n")).toBe("FORGOTTEN");
    expect(logged(`${"x".repeat(1e5)}\n${told(" DUE TO TIME LIMIT")}Everything is kept\n`)).toBe("TIMEOUT");
    expect(logged(told(" DUE TO NODE FAILURE"))).toBe("NODE_FAIL");
    expect(logged(told(" DUE TO PREEMPTION"))).toBe("PREEMPTED");
    expect(logged(told(""))).toBe("CANCELLED");
    expect(logged(told(" DUE TO TIME LIMIT") + told(" DUE TO JOB REQUEUE"))).toBe("FORGOTTEN");
  });

  test("are not those of others that were given the same number", () => {
    const others = joined(submissions, jobsIn(queue.replaceAll("slalom-small", "others-work")));
    expect(others.map(({ active }) => active)).not.toContain(true);
  });

  test("and the store say how its runs stand", () => {
    const runs = [
      { id: "a1", status: "completed" },
      { id: "b1", status: "running" },
      { id: "a2", status: "failed" },
      { id: "b2", status: "running" },
      { id: "a3", status: "diverged" },
      { id: "a4", status: "interrupted" },
    ] as const;
    // The last job trains what the others leave: a2, b2, a4, b4, and the ninth, of which nobody knows more.
    expect(standingOf(runs, jobs(), 9)).toEqual({
      ...{ completed: 1, diverged: 1, failed: 0, running: 1, queued: 5 },
      ...{ requeued: 1, interrupted: 0, missing: 0 },
    });
    const withoutLast = jobs().filter(({ share }) => share);
    const standing = standingOf(runs, withoutLast, 9);
    expect(standing).toEqual({
      ...{ completed: 1, diverged: 1, failed: 1, running: 1, queued: 0 },
      // b3 waits to go on; b2 was on a node when its job's time was over; nothing has begun b4, nor the ninth.
      ...{ requeued: 1, interrupted: 2, missing: 2 },
    });
    expect(Object.keys(standing)).toEqual([...runStates]);
    expect(isOpen(standing)).toBe(true);
    expect(isOpen(standingOf([{ id: "a1", status: "completed" }], [], 1))).toBe(false);
  });

  test("may be one that trains everything by several processes", () => {
    const study = join(folder, "together");
    const own = makeSubmissionFolder(study, new Date("2026-01-02T03:04:05.678Z"));
    const shares = [{ number: 1, runs: ["a1", "b1"] }];
    writeRecord(own, record({ array: undefined, of: 1, shares }));
    const found = (text: string): StudyJob[] => joined(readSubmissions(study), jobsIn(text));
    expect(found(queue)).toMatchObject([
      { job: "16", runs: ["a1", "b1"], state: "PENDING", log: join(own, "train-1.log") },
    ]);
    expect(found(queue)[0]).not.toHaveProperty("share");
    const runs = [{ id: "a1", status: "running" }] as const;
    const standing = (text: string) => standingOf(runs, found(text), 2);
    expect(standing(queue)).toMatchObject({ queued: 2, running: 0 });
    const running = line(16, "N/A", "slalom-small", "RUNNING", "None", 0, 0, "0:10", "30:00", "n[1-2]");
    expect(standing(running)).toMatchObject({ running: 1, queued: 1 });
    expect(standing("")).toMatchObject({ interrupted: 1, missing: 1 });
  });

  test("are told in words, with what to do", () => {
    const words = (job: string): string => stateWords(jobs().find((one) => one.job === job)!);
    expect(words("15_1")).toBe("running on n1, 3:10 of 30:00, queued again once");
    expect(words("15_2")).toBe("exceeded its time");
    expect(words("15_3")).toBe("waits to start again, queued again 2 times");
    expect(words("16")).toBe("waits until the others have ended");
    const [running] = jobs();
    const advice = (more: Partial<StudyJob>): string | undefined => adviceFor({ ...running, ...more });
    const ended = (state: string, exitCode = 0) => advice({ state, exitCode, active: false });
    expect(ended("TIMEOUT")).toMatch(
      /^exceeded its time limit of 30:00 .*\(--time\), or .*\(checkpointEvery/,
    );
    expect(ended("NODE_FAIL")).toMatch(/^lost its node/);
    expect(ended("OUT_OF_MEMORY")).toMatch(/--mem/);
    expect(ended("FAILED", 75)).toBe("was told to end, and kept everything.");
    expect(ended("FAILED", 1)).toBe(`ended with code 1: ${running.log} says why.`);
    expect(advice({ state: "PENDING", reason: "PartitionTimeLimit" })).toMatch(
      /^never starts: .* \(--time\)/,
    );
    expect(advice({ state: "PENDING", reason: "BadConstraints" })).toMatch(
      /^never starts \(BadConstraints\)/,
    );
    expect(advice({ state: "PENDING", reason: "launch failed requeued held" })).toMatch(
      /scontrol release 15_1/,
    );
    expect([advice({}), advice({ state: "PENDING", reason: "Priority" }), ended("COMPLETED")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
