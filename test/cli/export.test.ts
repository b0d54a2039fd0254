/** `slalom export` as a user runs it: what it writes and says, and what it refuses. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../launch/support.js";
import { json, slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const small = `import { blobs, classificationProblem, perceptron, sgd, study } from "slalom";

export default study({
  name: "small",
  problem: classificationProblem({
    dataset: blobs({ count: 60, split: { validation: 20 } }),
    model: perceptron({ hidden: [4] }),
  }),
  optimizers: [sgd({ lr: [0.01, 0.5] })],
  epochs: 2,
  batchSize: 10,
  keepModel: true,
});
`;

const inFolder = (path: string): string => join(folder.path, path);

beforeAll(async () => {
  folder.file("small.ts", small);
  expect((await slalom(folder.path, "run small.ts --no-figures")).code).toBe(0);
});

describe("onnx", () => {
  it("writes the best model, and tells what it takes and gives", async () => {
    const { code, out, err } = await slalom(
      folder.path,
      "export small.ts --format onnx --to models/small.onnx",
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(
      /^models\/small\.onnx\ngradient-descent-lr=\S+, its best model, after \d+ steps; \d+(\.\d+)? kB\n {2}inputs {2}float32 \[batch, 2\] {2}examples as the data set holds them\n {2}logits {2}float32 \[batch, 3\]\n2 Add, 2 MatMul, 1 Relu\n$/,
    );
    expect(readFileSync(inFolder("models/small.onnx")).includes("slalom")).toBe(true);
  });

  it("of a named run, its last model, for a settled batch", async () => {
    const result = await json(
      folder.path,
      "export small.ts --format onnx --to last.onnx --run gradient-descent-lr=0.01 --which last --batch 3",
    );
    expect(result).toEqual({
      study: "small",
      format: "onnx",
      path: "last.onnx",
      bytes: statSync(inFolder("last.onnx")).size,
      run: expect.stringMatching(/^gradient-descent-lr=0\.01-/),
      which: "last",
      step: 8,
      input: { name: "inputs", dtype: "float32", shape: [3, 2] },
      output: { name: "logits", dtype: "float32", shape: [3, 3] },
      operations: { Add: 2, MatMul: 2, Relu: 1 },
    });
  });

  it("needs the file of a problem that is not built in", async () => {
    const { code, err } = await slalom(folder.path, "export small --format onnx --to no.onnx");
    expect(code).toBe(2);
    expect(err).toMatch(
      /study "small" trained "blobs-perceptron", which is no built-in problem .* Name the file/,
    );
    expect(existsSync(inFolder("no.onnx"))).toBe(false);
  });
});

describe("tensorboard and csv", () => {
  it("writes a folder for each run", async () => {
    const runs = readdirSync(inFolder("runs/small/runs")).sort();
    const result = await json(folder.path, "export small --format tensorboard --to board");
    expect(result.files).toHaveLength(2);
    expect(readdirSync(inFolder("board")).sort()).toEqual(runs);
    const { out } = await slalom(folder.path, "export small --format tensorboard --to board");
    expect(out).toBe("board\n2 runs, a folder each. Look at them: tensorboard --logdir board\n");
  });

  it("writes rows, or summaries", async () => {
    const { columns, runs } = await json(folder.path, "export small --format csv --to rows.csv");
    const lines = readFileSync(inFolder("rows.csv"), "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe((columns as string[]).join(","));
    expect(runs).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith(`${runs[0]},Gradient descent,`)).length).toBeGreaterThan(1);
    const { out } = await slalom(folder.path, "export small --format csv --table summaries --to all.csv");
    expect(out).toMatch(
      /^all\.csv\nThe summaries of 2 runs; its columns:\n {2}run, optimizer, lr, weightDecay, seed, status,/,
    );
    expect(readFileSync(inFolder("all.csv"), "utf8").trimEnd().split("\n")).toHaveLength(3);
  });

  it("of one run alone", async () => {
    const { runs } = await json(
      folder.path,
      "export small --format csv --to one.csv --run gradient-descent-lr=0.5",
    );
    expect(runs).toEqual([expect.stringMatching(/^gradient-descent-lr=0\.5-/)]);
    expect(readFileSync(inFolder("one.csv"), "utf8")).not.toContain("lr=0.01");
  });
});

describe("wrong usage", () => {
  it.each([
    ["export small --format xml --to x", /'xml' is invalid\. Allowed choices are onnx, tensorboard, csv/],
    ["export small --to x", /required option '--format <format>' not specified/],
    ["export small --format csv", /required option '--to <path>' not specified/],
    [
      "export small --format csv --to x --which last",
      /--which last is for --format onnx; leave it out for csv/,
    ],
    [
      "export small --format onnx --to x --table rows",
      /--table rows is for --format csv; leave it out for onnx/,
    ],
    ["export small --format onnx --to x --batch 0", /'--batch <n>' argument '0' is invalid/],
    [
      "export small --format csv --to x --run adm",
      /unknown run "adm" of study "small"; the nearest of its 2 ids are/,
    ],
    ["export small --format csv --to x --run grad", /run "grad": 2 ids of study "small" begin so/],
    ["export smal --format csv --to x", /unknown study in runs "smal"\. Did you mean "small"\?/],
  ])("%s", async (line, message) => {
    const { code, out, err } = await slalom(folder.path, line);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(message);
  });

  it("a path that can't be written ends with 1", async () => {
    folder.file("taken", "");
    const { code, err } = await slalom(folder.path, "export small --format csv --to taken/rows.csv");
    expect(code).toBe(1);
    expect(err).toMatch(/taken: a file stands where a folder is expected/);
  });
});
