/** Studies as CSV: what stands in each cell, read back by another program's rules. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, describe, expect, test } from "vitest";
import { csvOf, exportCsv, rowsTable, summariesTable, type Table } from "../../src/exports/index.js";
import { exportFolder, type GivenRun } from "./study.js";

const folder = exportFolder();
afterAll(() => folder.remove());

const textOf = (table: Table): string => [...csvOf(table)].join("");
const read = (text: string): Record<string, string>[] => parse(text, { columns: true });

const runs: GivenRun[] = [
  {
    configuration: { label: 'Adam, "short"', optimizer: "adam", hyperparameters: { lr: 0.1, beta1: 0.9 } },
    rows: [
      { step: 0, timeS: 0, epoch: 0, validationLoss: 2.5 },
      { step: 10, timeS: 0.1 + 0.2, epoch: 1, trainLoss: 1e-7, validationLoss: -0 },
    ],
    outcome: { status: "completed", epochsDone: 1, final: { testAccuracy: 0.75 } },
  },
  {
    configuration: {
      hyperparameters: { lr: 1e21, momentum: 0.6 },
      clipNorm: 2,
      schedule: { id: "cosine", parameters: { end: 0 } },
      seed: 3,
    },
    rows: [{ step: 1, timeS: 0.5, trainLoss: Number.NaN }],
    outcome: {
      status: "diverged",
      divergence: { step: 2, quantity: "loss", value: Number.POSITIVE_INFINITY, lastFiniteLoss: 12 },
    },
  },
  { configuration: { seed: 4 }, rows: [{ step: 1, timeS: 0.25, trainLoss: 8 }] },
];
const study = folder.store(runs, {
  optimizers: [{ optimizer: "adam", label: 'Adam, "short"', hyperparameters: { lr: [0.1] } }],
  targets: [{ metric: "trainLoss", value: 0.5, direction: "below" }],
});
const [adam, momentum, unfinished] = study.runs.toSorted(
  (a, b) => a.configuration.seed - b.configuration.seed,
);

describe("rows", () => {
  test("one line a measured step: exact numbers, empty cells, quoted texts", () => {
    const { id } = adam;
    expect(textOf(rowsTable(study, [adam, momentum]))).toBe(
      [
        "run,optimizer,lr,beta1,momentum,clipNorm,schedule,seed,step,epoch,timeS,validationLoss,trainLoss",
        `${id},"Adam, ""short""",0.1,0.9,,,,0,0,0,0,2.5,`,
        `${id},"Adam, ""short""",0.1,0.9,,,,0,10,1,0.30000000000000004,-0,1e-7`,
        `${momentum.id},momentum,1e+21,,0.6,2,"{""id"":""cosine"",""parameters"":{""end"":0}}",3,1,,0.5,,NaN`,
        "",
      ].join("\n"),
    );
  });

  test("all runs of the study, an unfinished one too", () => {
    const lines = read(textOf(rowsTable(study)));
    expect(lines.map(({ run }) => run)).toEqual(
      study.runs.flatMap((run) => Array(run.rows().count).fill(run.id)),
    );
    expect(lines.find(({ run }) => run === unfinished.id)).toMatchObject({
      seed: "4",
      step: "1",
      trainLoss: "8",
    });
    expect(Number(lines.find(({ step }) => step === "10")!.timeS)).toBe(0.1 + 0.2);
  });

  test("settings and metrics that are called like other columns say what they are", () => {
    const named = folder.store(
      [
        {
          configuration: { hyperparameters: { lr: 1, step: 7 } },
          rows: [{ step: 2, timeS: 0, lr: 5, seed: 6 }],
        },
      ],
      { name: "named" },
    );
    expect(read(textOf(rowsTable(named)))).toEqual([
      {
        run: named.runs[0].id,
        optimizer: "momentum",
        lr: "1",
        "setting.step": "7",
        seed: "0",
        step: "2",
        epoch: "",
        timeS: "0",
        "metric.lr": "5",
        "metric.seed": "6",
      },
    ]);
  });
});

describe("summaries", () => {
  const lines = read(textOf(summariesTable(study)));
  const of = (id: string) => lines.find(({ run }) => run === id)!;

  test("of a completed run: last and best values, targets", () => {
    expect(of(adam.id)).toMatchObject({
      optimizer: 'Adam, "short"',
      lr: "0.1",
      seed: "0",
      status: "completed",
      stepsDone: "10",
      epochsDone: "1",
      "final.validationLoss": "-0",
      "final.testAccuracy": "0.75",
      "best.validationLoss": "-0",
      "best.validationLoss.step": "10",
      "target.trainLoss<=0.5.step": "10",
      "target.trainLoss<=0.5.epoch": "1",
      "target.trainLoss<=0.5.timeS": "0.30000000000000004",
      "divergence.step": "",
      error: "",
    });
  });

  test("of a diverged run: where and how; of an unfinished one the status", () => {
    expect(of(momentum.id)).toMatchObject({
      status: "diverged",
      "final.trainLoss": "NaN",
      "best.trainLoss": "",
      "target.trainLoss<=0.5.step": "",
      "divergence.step": "2",
      "divergence.quantity": "loss",
      "divergence.value": "Infinity",
      "divergence.lastFiniteLoss": "12",
    });
    const { run, optimizer, lr, momentum: value, seed, status, ...rest } = of(unfinished.id);
    expect([run, optimizer, lr, value, seed, status]).toEqual([
      unfinished.id,
      "momentum",
      "0.01",
      "0.6",
      "4",
      "running",
    ]);
    expect(new Set(Object.values(rest))).toEqual(new Set([""]));
  });

  test("an error of several lines is one cell", () => {
    const failed = folder.store(
      [{ configuration: {}, rows: [], outcome: { status: "failed", error: "two\nlines, one cell " } }],
      { name: "failed" },
    );
    expect(textOf(summariesTable(failed))).toMatch(/,"two\nlines, one cell "\n$/);
    expect(read(textOf(summariesTable(failed)))[0].error).toBe("two\nlines, one cell ");
  });
});

describe("files", () => {
  test("in a folder that is made; the columns are told", () => {
    const path = join(folder.path, "new", "rows.csv");
    expect(exportCsv(study, path)).toEqual(rowsTable(study).columns);
    expect(readFileSync(path, "utf8")).toBe(textOf(rowsTable(study)));
    exportCsv(study, path, { table: "summaries", runs: [adam] });
    expect(readFileSync(path, "utf8")).toBe(textOf(summariesTable(study, [adam])));
  });

  test("many rows are written piece by piece", () => {
    const count = 40_000;
    const rows = Array.from({ length: count }, (_, step) => ({
      step,
      timeS: step / 7,
      trainLoss: 1 / (step + 1),
    }));
    const long = folder.store([{ configuration: {}, rows }], { name: "long" });
    const pieces = [...csvOf(rowsTable(long))];
    expect(pieces.length).toBeGreaterThan(2);
    const path = join(folder.path, "long.csv");
    exportCsv(long, path);
    const text = readFileSync(path, "utf8");
    expect(text).toBe(pieces.join(""));
    expect(text.split("\n")).toHaveLength(count + 2);
    expect(text.trimEnd().split("\n").at(-1)).toBe(
      `${long.runs[0].id},momentum,0.01,0.6,0,${count - 1},,${(count - 1) / 7},${1 / count}`,
    );
  });

  test("an unknown table is named", () => {
    const path = join(folder.path, "no.csv");
    expect(() => exportCsv(study, path, { table: "row" as "rows" })).toThrow(
      /^unknown table "row"\. Did you mean "rows"\? Valid: rows, summaries\.$/,
    );
  });

  test("a folder in place of the file is named", () => {
    const path = join(folder.path, "a-folder");
    mkdirSync(path);
    expect(() => exportCsv(study, path)).toThrow(
      /^export: .*a-folder is a folder; expected a file to write\.$/,
    );
  });
});
