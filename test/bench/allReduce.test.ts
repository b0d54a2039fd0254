/** The benchmarks of sums over ranks do the work that they name, and say what is absent. */
import { describe, expect, test } from "vitest";
import { absentCase, allReduceMpi, allReduceThreads } from "../../bench/cases/allReduce.js";
import { cnnNumbers } from "../../bench/cases/cnnShapes.js";
import { compileC, findLauncher } from "../../bench/launcher.js";
import { formatResult } from "../../bench/print.js";

const options = { rounds: 1, sampleS: 0.01, full: false, python: "", data: "", say: () => {} };

test("the CNN has as many parameters as exercise 3 says", () => {
  expect(cnnNumbers).toBe(3_274_634);
});

describe("sums of gradients", () => {
  test("over threads are held against one copy", async () => {
    const { rows, goals } = await allReduceThreads.run(options);
    expect(rows.map(({ cores, unit }) => [cores, unit])).toEqual([
      [2, "sum"],
      [1, "sum"],
    ]);
    expect(goals).toMatchObject([{ text: "within 1.5 times a copy of as many bytes by one thread" }]);
    expect(goals[0].value).toBeCloseTo(1 / rows[1].ratio!.median, 12);
  }, 60_000);

  test("over processes are held against C, which is named where it is absent", async () => {
    const launcher = findLauncher();
    const result = await allReduceMpi.run(options);
    if ("absent" in launcher) {
      expect(result.absent).toEqual([{ contestant: "all", reason: launcher.absent }]);
      return;
    }
    expect(result.rows[0].contestant).toBe(`Slalom, ${launcher.title}`);
    expect(result.goals.map(({ text }) => text)).toEqual([
      "within 1.3 times C, MPI_Allreduce",
      "within 1.3 times C, the same order of additions",
    ]);
    const compiled = compileC(launcher, "bench/peers/allreduce.c");
    expect(result.rows.length).toBe("absent" in compiled ? 1 : 3);
    expect(result.absent.length).toBe("absent" in compiled ? 2 : 0);
  }, 120_000);

  test("a compiler that fails is told with its last words", () => {
    const launcher = { title: "none", family: "openmpi", command: () => [] } as const;
    expect(compileC(launcher, "/nowhere/sums.c")).toEqual({ absent: expect.stringMatching(/^mpicc: /) });
  });

  test("a case without what it needs has no table", () => {
    expect(formatResult(absentCase({ id: "sums", title: "Sums" }, "there is no mpirun"))).toBe(
      "Sums\n\nAbsent: all: there is no mpirun\n",
    );
  });
});
