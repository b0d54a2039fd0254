/** Which shares of a study get a job: those that lack a run and have none. */
import { describe, expect, test } from "vitest";
import { type PlannedRuns, runsOfShare, study } from "../../../src/lab/index.js";
import { configurationsOf } from "../../../src/lab/tasks.js";
import type { StudyJob } from "../../../src/launch/slurm/jobs.js";
import { divide } from "../../../src/launch/slurm/submission.js";
import { adam, sgd } from "../../../src/learn/optimizers/index.js";
import { quadratic } from "../../../src/learn/problems/index.js";
import { runId } from "../../../src/runs/index.js";

/** Two optimizers, 12 seeds, two rates: 48 runs, 24 programs. */
const seeds = Array.from({ length: 12 }, (_, i) => i);
const all = configurationsOf(
  study({
    problem: quadratic(),
    optimizers: [sgd({ lr: [0.1, 0.2] }), adam({ lr: [0.1, 0.2] })],
    seeds,
    steps: 3,
  }),
  undefined,
  seeds,
  "cpu",
);
const fresh: PlannedRuns = { all, missing: all };
const numbers = (division: ReturnType<typeof divide>) => division.shares.map(({ number }) => number);
const job = (more: Partial<StudyJob>): StudyJob => ({
  ...{ job: "15_1", runs: [], active: true, state: "RUNNING", reason: "None", restarts: 0, exitCode: 0 },
  ...{ elapsed: "", limit: "", node: "", log: "", ...more },
});

describe("without jobs", () => {
  test("a share for as many programs as a job has cores, or as many as are asked for", () => {
    const count = (cpusPerTask: number, wished?: number) =>
      divide(fresh, [], { cpusPerTask, ...(wished !== undefined && { wished }) });
    expect([1, 4, 5, 100].map((cores) => count(cores).of)).toEqual([24, 6, 5, 1]);
    expect(count(1, 3)).toMatchObject({ of: 3, shares: [{ number: 1 }, { number: 2 }, { number: 3 }] });
    expect(count(1, 1000).shares).toHaveLength(48);
    expect(
      count(1)
        .shares.flatMap(({ runs }) => runs)
        .sort(),
    ).toEqual(all.map(({ configuration }) => runId(configuration)).sort());
  });

  test("one share for all where several processes train each program, or as many as are asked for", () => {
    expect(divide(fresh, [], { cpusPerTask: 1, tasks: 2 })).toMatchObject({ of: 1, shares: [{ number: 1 }] });
    expect(divide(fresh, [], { wished: 3, cpusPerTask: 1, tasks: 2 }).shares).toHaveLength(3);
  });

  test("only the shares that lack a run, each with the runs that it lacks", () => {
    const [one, , other] = runsOfShare(all, { number: 3, of: 4 });
    const division = divide({ all, missing: [one, other] }, [], { wished: 4, cpusPerTask: 1 });
    expect(division).toEqual({
      of: 4,
      shares: [{ number: 3, runs: [one, other].map(({ configuration }) => runId(configuration)) }],
    });
    expect(divide({ all, missing: [] }, [], { cpusPerTask: 1 }).shares).toEqual([]);
  });
});

describe("beside jobs that wait or run", () => {
  const jobs = [
    job({ share: { number: 1, of: 4 } }),
    job({ job: "15_2", share: { number: 2, of: 4 }, state: "PENDING" }),
    job({ job: "15_3", share: { number: 3, of: 4 }, state: "FAILED", active: false }),
    job({ job: "16", state: "PENDING" }),
  ];

  test("their division and their shares stay theirs", () => {
    const division = divide(fresh, jobs, { cpusPerTask: 1 });
    expect(division.of).toBe(4);
    expect(numbers(division)).toEqual([3, 4]);
    expect(numbers(divide(fresh, jobs, { wished: 4, cpusPerTask: 1 }))).toEqual([3, 4]);
    expect(() => divide(fresh, jobs, { wished: 8, cpusPerTask: 1 })).toThrow(
      /--shares 8: jobs of this study wait or run that divide it into 4 \(15_1, 15_2, 16\); expected the same/,
    );
  });

  test("nothing once the job that completes the study runs", () => {
    expect(divide(fresh, [job({ job: "16" })], { cpusPerTask: 1 }).shares).toEqual([]);
    expect(
      numbers(divide(fresh, [job({ job: "16", state: "PENDING" })], { wished: 2, cpusPerTask: 1 })),
    ).toEqual([1, 2]);
  });

  test("nothing beside one job that trains all, whether it runs or waits", () => {
    for (const state of ["PENDING", "RUNNING"])
      expect(divide(fresh, [job({ job: "16", state, runs: ["a1"] })], { cpusPerTask: 1 }).shares).toEqual([]);
  });
});
