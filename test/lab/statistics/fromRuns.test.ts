/** The statistics of a small stored study whose answers are known. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settingOf, studyStatistics } from "../../../src/lab/statistics/index.js";
import { loadStudy, openStore, type StudyRecord } from "../../../src/runs/index.js";
import { configuration, studyRecord } from "../../runs/example.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slalom-statistics-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** sgd is best at 0.1 and diverges at 10; adam is worse by about 0.2 and has fewer settings. */
function store(changes: Partial<StudyRecord>) {
  const study = openStore(root).createStudy(
    studyRecord({
      optimizers: [
        { optimizer: "sgd", hyperparameters: { lr: [0.01, 0.1, 1, 10] } },
        { optimizer: "adam", hyperparameters: { lr: [0.001, 0.01] } },
      ],
      targets: [{ metric: "validationLoss", value: 0.55, direction: "below" }],
      ...changes,
    }),
  );
  const train = (optimizer: string, lr: number, seed: number, loss: number) => {
    const writer = study.createRun(configuration({ optimizer, hyperparameters: { lr }, seed }));
    writer.append([{ step: 0, epoch: 0, timeS: 0, trainLoss: 1, validationLoss: 1, testAccuracy: 0.1 }]);
    if (Number.isNaN(loss)) {
      writer.append([
        { step: 10, epoch: 1, timeS: 1, trainLoss: 0.1, validationLoss: 0.1, testAccuracy: 0.9 },
      ]);
      writer.append([{ step: 20, epoch: 2, timeS: 2, trainLoss: Number.NaN }]);
      writer.finish({ status: "diverged" });
      return;
    }
    const step = Math.round(loss * 100);
    writer.append([
      { step, epoch: 1, timeS: 1, trainLoss: loss, validationLoss: loss, testAccuracy: 1 - loss },
    ]);
    writer.finish({ status: "completed" });
  };
  for (const seed of [0, 1, 2]) {
    const noise = [0, 0.01, -0.01][seed];
    train("sgd", 0.01, seed, 0.8 + noise);
    train("sgd", 0.1, seed, 0.5 + noise);
    train("sgd", 1, seed, 0.6 - noise);
    train("sgd", 10, seed, seed === 1 ? Number.NaN : 0.2);
    train("adam", 0.001, seed, 0.9);
    train("adam", 0.01, seed, 0.7 + noise * 1.5);
  }
  return study;
}

describe("studyStatistics", () => {
  it("chooses on validation, reports on test, compares with seeds paired", () => {
    store({});
    const found = studyStatistics(loadStudy(join(root, "example")));
    expect(found.select).toEqual({ metric: "validationLoss", at: "final", better: "lower" });
    expect(found.report).toEqual({
      metric: "testAccuracy",
      at: "final",
      better: "higher",
      independent: true,
    });
    const [sgd, adam] = found.optimizers;
    expect(sgd).toMatchObject({
      name: "sgd",
      runs: { completed: 11, diverged: 1, unfinished: 0 },
      best: { setting: "lr=0.1", edges: {}, settings: { tried: 4, diverged: 1, incomplete: 0 } },
    });
    expect(sgd.best!.select.estimate).toBeCloseTo(0.5, 12);
    expect(sgd.best!.report!.estimate).toBeCloseTo(0.5, 12);
    expect(adam.best).toMatchObject({ setting: "lr=0.01", edges: { lr: "highest" } });

    expect(sgd.targets).toHaveLength(1);
    expect(sgd.targets[0].time).toMatchObject({
      runs: 3,
      reached: 3,
      steps: { median: 50 },
      epochs: { median: 1 },
    });
    expect(adam.targets[0].time).toMatchObject({ runs: 3, reached: 0, steps: { median: Infinity } });

    // Threshold 0.55: halfway to 0.6 at 1, a sixth of the way to 0.8 at 0.01.
    const { range, points } = sgd.sensitivity.lr;
    expect(Math.log10(range!.high)).toBeCloseTo(-0.5, 10);
    expect(Math.log10(range!.low)).toBeCloseTo(-1 - 1 / 6, 10);
    expect(points[3].mean).toBe(Infinity);

    expect(found.comparison.leaders).toEqual(["sgd"]);
    const versus = found.comparison.standings[1].versusFirst!;
    expect(versus).toMatchObject({ first: "adam", second: "sgd", verdict: "worse", pairs: 3 });
    expect(versus.difference.estimate).toBeCloseTo(-0.2, 12);
    expect(found.budget).toMatchObject({ equal: false, smallest: 2 });
    expect(found.budget.optimizers[0]).toMatchObject({ settings: 4, runs: 12 });
  });

  it("refuses to choose on the test set, and unknown metrics", () => {
    const study = store({});
    const stored = { folder: study.folder, record: study.record, runs: study.runs() };
    expect(() => studyStatistics(stored, { select: { metric: "testAccuracy" } })).toThrow(
      /can't choose settings by testAccuracy: the test set would no longer be independent/,
    );
    expect(() => studyStatistics(stored, { report: { metric: "testLos" } })).toThrow(
      /unknown metric "testLos"/,
    );
    expect(() => studyStatistics(stored, { report: { metric: "testAccuracy", at: "best" } })).toThrow(
      /would be chosen by the test set\. Report its final value/,
    );
    const early = studyStatistics(stored, { select: { metric: "validationLoss", at: "best" } });
    expect(early.report).toMatchObject({ metric: "testAccuracy", at: "final" });
    const trained = studyStatistics(stored, {
      select: { metric: "trainLoss" },
      report: { metric: "trainLoss" },
    });
    expect(trained.report.independent).toBe(false);
    expect(() => studyStatistics({ ...stored, runs: [] })).toThrow(/no run has a result yet/);
  });

  it("decides from one run where the seed changes nothing", () => {
    const study = store({ deterministic: true });
    const stored = { folder: study.folder, record: study.record, runs: study.runs() };
    const one = { ...stored, runs: stored.runs.filter((run) => run.configuration.seed === 0) };
    expect(studyStatistics(one).comparison.leaders).toEqual(["sgd"]);
    const record = { ...stored.record, deterministic: undefined };
    expect(studyStatistics({ ...one, record }).comparison.leaders).toEqual(["sgd", "adam"]);
  });
});

it("names a setting with all that makes it differ", () => {
  expect(settingOf(configuration({}))).toBe("lr=0.01, momentum=0.6");
  expect(settingOf(configuration({ schedule: { kind: "cosine" }, clipNorm: 1 }))).toBe(
    'lr=0.01, momentum=0.6, schedule={"kind":"cosine"}, clipNorm=1',
  );
});
