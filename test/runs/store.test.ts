import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadStudy, type MetricRow, openStore, readRun, runId, slugOf, tail } from "../../src/runs/index.js";
import { configuration, studyRecord } from "./example.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slalom-store-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const row = (step: number, values: Record<string, number>): MetricRow => ({
  step,
  timeS: step / 10,
  ...values,
});

describe("names", () => {
  it("says what a run is and differs with every field", () => {
    const id = runId(configuration({ seed: 2 }));
    expect(id).toMatch(/^momentum-lr=0\.01-momentum=0\.6-seed=2-[0-9a-f]{8}$/);
    expect(runId({ ...configuration({}), seed: 2 })).toBe(id);
    expect(runId(configuration({ seed: 2, steps: 101 }))).not.toBe(id);
    expect(runId(configuration({ seed: 2, schedule: { kind: "cosine" } }))).not.toBe(id);
    expect(runId(configuration({ label: "my optimizer/∂" }))).toMatch(/^my-optimizer-lr=/);
  });

  it("makes folder names from titles and refuses others", () => {
    expect(slugOf("Exercise 2: MNIST")).toBe("exercise-2-mnist");
    expect(() => openStore(root).createStudy(studyRecord({ name: "../up" }))).toThrow(
      /study name "\.\.\/up".*"up"/,
    );
  });
});

describe("a run", () => {
  it("comes back exactly, with its summary made from the rows", () => {
    const study = openStore(root).createStudy(
      studyRecord({
        targets: [
          { metric: "trainLoss", value: 0.5, direction: "below" },
          { metric: "testAccuracy", value: 0.9, direction: "above" },
          { metric: "trainLoss", value: 0.001, direction: "below" },
        ],
      }),
    );
    const writer = study.createRun(configuration({}));
    writer.append([row(0, { trainLoss: 2, "parameter.W": -0 }), row(5, { trainLoss: 0.4, epoch: 1 })]);
    writer.append([
      row(10, { trainLoss: 0.1 + 0.2, testAccuracy: 0.9, epoch: 2 }),
      row(15, { trainLoss: 0.35 }),
    ]);
    expect(study.runs()[0].status).toBe("running");
    const summary = writer.finish({ status: "completed", parameters: { W: [0.1, -0] }, epochsDone: 3 });

    expect(summary).toEqual({
      status: "completed",
      stepsDone: 15,
      epochsDone: 3,
      timeS: 1.5,
      final: { trainLoss: 0.35, testAccuracy: 0.9, "parameter.W": -0 },
      best: { trainLoss: { value: 0.1 + 0.2, step: 10 }, testAccuracy: { value: 0.9, step: 10 } },
      targets: [
        { metric: "trainLoss", value: 0.5, direction: "below", step: 5, epoch: 1, timeS: 0.5 },
        { metric: "testAccuracy", value: 0.9, direction: "above", step: 10, epoch: 2, timeS: 1 },
        { metric: "trainLoss", value: 0.001, direction: "below", step: null, epoch: null, timeS: null },
      ],
      parameters: { W: [0.1, -0] },
    });
    const [stored] = loadStudy(join(root, "example")).runs;
    expect(stored.summary).toEqual(summary);
    expect(stored.configuration).toEqual(configuration({}));
    const rows = stored.rows();
    expect(rows.metrics).toEqual(["trainLoss", "parameter.W", "testAccuracy"]);
    expect([...rows.curve("trainLoss").value]).toEqual([2, 0.4, 0.1 + 0.2, 0.35]);
    expect([...rows.curve("trainLoss").epoch]).toEqual([Number.NaN, 1, 2, Number.NaN]);
    expect([...rows.curve("testAccuracy").step]).toEqual([10]);
    expect([...rows.curve("testAccuracy").timeS]).toEqual([1]);
    expect([...rows.curve("parameter.W").value]).toEqual([-0]);
    expect(() => rows.curve("trainLos")).toThrow('unknown metric "trainLos". Did you mean "trainLoss"?');
  });

  it("keeps a divergence with its NaN and infinities", () => {
    const study = openStore(root).createStudy(studyRecord({}));
    const writer = study.createRun(configuration({}));
    writer.append([row(0, { trainLoss: 3 }), row(1, { trainLoss: Infinity }), row(2, { trainLoss: NaN })]);
    const divergence = { step: 2, quantity: "loss", value: Number.NaN, lastFiniteLoss: 3 };
    writer.finish({ status: "diverged", divergence });
    const stored = study.run(configuration({}))!;
    expect(stored.summary!.divergence).toEqual(divergence);
    expect(stored.summary!.final).toEqual({ trainLoss: Number.NaN });
    expect(stored.summary!.best).toEqual({ trainLoss: { value: 3, step: 0 } });
    expect([...stored.rows().curve("trainLoss").value]).toEqual([3, Infinity, NaN]);
  });

  it("refuses rows out of order, after the end, and a second end", () => {
    const writer = openStore(root).createStudy(studyRecord({})).createRun(configuration({}));
    writer.append([row(4, { trainLoss: 1 })]);
    expect(() => writer.append([row(4, { trainLoss: 1 })])).toThrow("a row of step 4 after step 4");
    writer.fail(new Error("the data set vanished"));
    expect(() => writer.append([row(5, {})])).toThrow("rows after its end");
    expect(() => writer.finish({ status: "completed" })).toThrow("finished twice");
    expect(loadStudy(join(root, "example")).runs[0].summary).toMatchObject({
      status: "failed",
      error: "the data set vanished",
    });
  });
});

describe("torn files", () => {
  const torn = (end: string) => {
    const writer = openStore(root).createStudy(studyRecord({})).createRun(configuration({}));
    writer.append([row(0, { trainLoss: 2 }), row(1, { trainLoss: 1 })]);
    appendFileSync(join(writer.folder, "metrics.jsonl"), end);
    return readRun(writer.folder)!;
  };

  it.each([
    ["an unterminated line", '{"step":2,"timeS":0.2,"trainLoss":0.5}'],
    ["half a line", '{"step":2,"ti'],
  ])("drops %s", (_, end) => expect([...torn(end).rows().step]).toEqual([0, 1]));

  it.each([
    ["a torn last line", '{"step":2,"ti\n'],
    ["zeros of a lost power supply", "\0\0\0\0\n"],
  ])("drops %s that is terminated", (_, end) => expect([...torn(end).rows().step]).toEqual([0, 1]));

  it("names a broken line in the middle", () => {
    expect(() => torn('{"step":2,"ti\n{"step":3,"timeS":0.3}\n').rows()).toThrow(
      /metrics\.jsonl, line 3: expected one JSON object of numbers, received.*Delete the run's folder/,
    );
    expect(() => torn('{"step":2,"timeS":"soon"}\n').rows()).toThrow(/metrics\.jsonl, line 3/);
  });

  it("names a broken record, a foreign one and a newer one, and says what to do", () => {
    const store = openStore(root);
    const writer = store.createStudy(studyRecord({})).createRun(configuration({}));
    writer.finish({ status: "completed" });
    const summary = join(writer.folder, "summary.json");
    const read = () => loadStudy(join(root, "example"));
    writeFileSync(summary, '{"format":1,"status":');
    expect(read).toThrow(/summary\.json is not valid JSON .*only this run is repeated/);
    writeFileSync(summary, "[1]");
    expect(read).toThrow(/summary\.json holds no record of Slalom/);
    writeFileSync(summary, '{"format":99}');
    expect(read).toThrow(
      /written by a newer Slalom \(format 99; this version reads up to 1\). Update Slalom/,
    );
    expect(() => loadStudy(root)).toThrow(/holds no study: expected a file study\.json/);
    expect(() => store.openStudy("exampel")).toThrow("unknown study in");
    expect(() => openStore(join(root, "none")).openStudy("x")).toThrow(/holds none/);
  });
});

describe("resuming", () => {
  it("repeats nothing that has a result and restarts the rest without its old rows", () => {
    const seeds = [0, 1, 2, 3, 4].map((seed) => configuration({ seed }));
    const first = openStore(root).createStudy(studyRecord({}));
    expect(first.resumed).toBe(false);
    first.createRun(seeds[0]).finish({ status: "completed" });
    first.createRun(seeds[1]).finish({ status: "diverged" });
    first.createRun(seeds[2]).finish({ status: "interrupted" });
    const abandoned = first.createRun(seeds[3]);
    abandoned.append([row(0, { trainLoss: 7 }), row(1, { trainLoss: 6 })]);

    const second = openStore(root).createStudy(
      studyRecord({ created: "2025-02-02T00:00:00.000Z", title: "again" }),
    );
    expect(second.resumed).toBe(true);
    expect(second.record.created).toBe("2025-01-01T00:00:00.000Z");
    expect(second.missing(seeds)).toEqual(seeds.slice(2));
    expect(() => second.createRun(seeds[0])).toThrow(/has a result already \(completed\)/);
    const again = second.createRun(seeds[3]);
    expect(() => abandoned.append([row(2, { trainLoss: 5 })])).toThrow(
      /another process has started this run anew/,
    );
    again.append([row(0, { trainLoss: 8 })]);
    again.finish({ status: "completed" });
    expect([...second.run(seeds[3])!.rows().curve("trainLoss").value]).toEqual([8]);
    expect(second.missing(seeds)).toEqual([seeds[2], seeds[4]]);
  });

  it("takes more seeds of the same question, and keeps what it has; fewer are another question", () => {
    const store = openStore(root);
    const [first, ...rest] = [0, 1, 2].map((seed) => configuration({ seed }));
    const run = store.createStudy(studyRecord({ seeds: [0, 1] })).createRun(first);
    run.append([row(0, { trainLoss: 3 })]);
    run.finish({ status: "completed" });
    const grown = store.createStudy(studyRecord({ seeds: [0, 1, 2] }));
    expect(grown.record.seeds).toEqual([0, 1, 2]);
    expect(grown.missing([first, ...rest])).toEqual(rest);
    expect(store.openStudy("example").record.seeds).toEqual([0, 1, 2]);
    expect(() => store.createStudy(studyRecord({ seeds: [0, 1] }))).toThrow(
      /stored with other settings: seeds\[2\] is 2 there and nothing here/,
    );
    expect(() => store.createStudy(studyRecord({ seeds: [0, 1, 3, 4] }))).toThrow(
      /stored with other settings/,
    );
  });

  it("refuses another question under the same name and names the first difference", () => {
    const store = openStore(root);
    store.createStudy(studyRecord({}));
    const other = { optimizer: "momentum", hyperparameters: { lr: [0.01, 0.2], momentum: [0.6] } };
    expect(() => store.createStudy(studyRecord({ optimizers: [other] }))).toThrow(
      /stored with other settings: optimizers\[0\]\.hyperparameters\.lr\[1\] is 0\.1 there and 0\.2 here/,
    );
    expect(() => store.createStudy(studyRecord({}), { ifExists: "refuse" })).toThrow(/exists already/);
    const versions = { ...studyRecord({}).versions, backend: "cpu" };
    expect(store.createStudy(studyRecord({ versions })).versionChanges).toEqual([
      "backend: begun with reference, now cpu",
    ]);
    expect(store.studies()).toEqual(["example"]);
    store.removeStudy("example");
    expect(store.studies()).toEqual([]);
  });

  it("sorts runs by the study's order, hyperparameters as numbers, then seed", () => {
    const study = openStore(root).createStudy(
      studyRecord({
        optimizers: [
          { optimizer: "sgd", hyperparameters: { lr: [2, 10] } },
          { optimizer: "adam", hyperparameters: { lr: [1] } },
        ],
      }),
    );
    const runs: [string, number, number][] = [
      ["adam", 1, 0],
      ["sgd", 10, 0],
      ["sgd", 2, 10],
      ["sgd", 2, 9],
    ];
    for (const [optimizer, lr, seed] of runs)
      study.createRun(configuration({ optimizer, hyperparameters: { lr }, seed }));
    const order = study
      .runs()
      .map(({ configuration: c }) => `${c.optimizer} ${c.hyperparameters.lr} ${c.seed}`);
    expect(order).toEqual(["sgd 2 9", "sgd 2 10", "sgd 10 0", "adam 1 0"]);
  });
});

describe("a tail", () => {
  it("gives each row once, whole lines only, and notices a restart", () => {
    const study = openStore(root).createStudy(studyRecord({}));
    const writer = study.createRun(configuration({}));
    const follow = tail(writer.folder);
    expect(follow.read()).toEqual({ rows: [], restarted: false });
    writer.append([row(0, { trainLoss: NaN })]);
    appendFileSync(join(writer.folder, "metrics.jsonl"), '{"step":1,"ti');
    expect(follow.read().rows).toEqual([{ step: 0, timeS: 0, trainLoss: NaN }]);
    appendFileSync(join(writer.folder, "metrics.jsonl"), 'meS":1,"trainLoss":5}\n');
    expect(follow.read().rows).toEqual([{ step: 1, timeS: 1, trainLoss: 5 }]);
    study.createRun(configuration({})).append([row(0, { trainLoss: 9 })]);
    expect(follow.read()).toEqual({ rows: [{ step: 0, timeS: 0, trainLoss: 9 }], restarted: true });
    expect(follow.read()).toEqual({ rows: [], restarted: false });
  });
});

it("writes files that a person can read", () => {
  const writer = openStore(root).createStudy(studyRecord({})).createRun(configuration({}));
  writer.append([row(0, { trainLoss: Infinity })]);
  expect(readFileSync(join(writer.folder, "metrics.jsonl"), "utf8")).toBe(
    '{"step":0,"timeS":0,"trainLoss":"Infinity"}\n',
  );
});
