/** The models of stored runs as files: which one is taken, what the file says of itself, and what can't be exported. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../../src/backends/cpu/index.js";
import { exportOnnx, findRun, onnxModel, storedOnnxModel } from "../../../src/exports/index.js";
import { add, oneHot, type Tensor } from "../../../src/graph/index.js";
import { inThread, runStudy, type StudyOptions, slalomVersion, study } from "../../../src/lab/index.js";
import { blobs, classification, sourceOf } from "../../../src/learn/datasets/index.js";
import { dense, dropout, type Layer } from "../../../src/learn/layers/index.js";
import { layersModel, perceptron, softmaxRegression } from "../../../src/learn/models/index.js";
import { sgd } from "../../../src/learn/optimizers/index.js";
import { classificationProblem, linearRegression, type Problem } from "../../../src/learn/problems/index.js";
import { loadStudy, openStore, readModel, type StoredStudy } from "../../../src/runs/index.js";
import { exportFolder } from "../study.js";

const folder = exportFolder();
afterAll(() => folder.remove());

const ring = classification({
  name: "ring",
  inputs: Array.from({ length: 60 }, (_, i) => [Math.cos(i) * (1 + (i % 2)), Math.sin(i) * (1 + (i % 2))]),
  targets: Array.from({ length: 60 }, (_, i) => i % 2),
  classes: ["inside", "outside"],
  split: { validation: 20, shuffleSeed: 1 },
});
const problem = classificationProblem({ dataset: sourceOf(ring), model: perceptron({ hidden: [6] }) });

async function stored(options: Partial<StudyOptions> & { readonly name: string }): Promise<StoredStudy> {
  const { folder: where } = await runStudy(
    study({ problem, optimizers: [sgd({ lr: [0.01, 0.5, 1e9] })], epochs: 5, batchSize: 10, ...options }),
    { store: openStore(join(folder.path, "runs")), executor: inThread(cpuBackend()) },
  );
  return loadStudy(where);
}

let kept: StoredStudy;
beforeAll(async () => {
  kept = await stored({ name: "kept", keepModel: true });
});

/** The texts of a message's fields by number: those of a model, and of the entries of its metadata. */
function textsOf(bytes: Uint8Array): Map<number, string[]> {
  const reader = new BinaryReader(bytes);
  const texts = new Map<number, string[]>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type !== WireType.LengthDelimited) reader.skip(type, field);
    else texts.set(field, [...(texts.get(field) ?? []), Buffer.from(reader.bytes()).toString("latin1")]);
  }
  return texts;
}

describe("which model", () => {
  const best = (id: string): { value: number; step: number } =>
    kept.runs.find((run) => run.id === id)!.summary!.best.validationAccuracy;

  test("by default the best one of the run that did best on the validation split", async () => {
    const { run, which, step } = await storedOnnxModel(kept, { problem });
    expect(which).toBe("best");
    const completed = kept.runs.filter(({ status }) => status === "completed");
    expect(completed).toHaveLength(2);
    expect(best(run).value).toBe(Math.max(...completed.map(({ id }) => best(id).value)));
    expect(step).toBe(best(run).step);
  });

  test("the last one of a run that is named, and its very parameters", async () => {
    const run = findRun(kept, "gradient-descent-lr=0.01-");
    const model = await storedOnnxModel(kept, { problem, run, which: "last" });
    expect(model).toMatchObject({ run: run.id, which: "last", step: 20 });
    const { values } = readModel(run.folder, "last");
    expect(model.bytes).toEqual(
      onnxModel({ problem, dataset: ring, values, metadata: metadataOf(model.bytes) }).bytes,
    );
    expect(Object.keys(values)).toEqual(["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"]);
  });

  test("a run by the beginning of its id; what is ambiguous or unknown is named", () => {
    const [first] = kept.runs;
    expect(findRun(kept, first.id)).toBe(first);
    expect(findRun(kept, first.id.slice(0, -4))).toBe(first);
    expect(() => findRun(kept, "gradient")).toThrow(
      /^run "gradient": 3 ids of study "kept" begin so, such as gradient-descent-lr=.*\. Give more of one\.$/,
    );
    expect(() => findRun(kept, "gradient-descent-lr=0.4")).toThrow(
      /^unknown run "gradient-descent-lr=0\.4" of study "kept"; the nearest of its 3 ids are /,
    );
  });
});

const metadataOf = (bytes: Uint8Array): Record<string, string> =>
  Object.fromEntries(
    (textsOf(bytes).get(14) ?? []).map((entry) => {
      const texts = textsOf(Buffer.from(entry, "latin1"));
      return [texts.get(1)![0], texts.get(2)![0]];
    }),
  );

test("the file says where it comes from", async () => {
  const path = join(folder.path, "models", "ring.onnx");
  const { run, bytes } = await exportOnnx(kept, path, { problem });
  expect(readFileSync(path).equals(bytes)).toBe(true);
  expect(readdirSync(join(folder.path, "models"))).toEqual(["ring.onnx"]);
  const texts = textsOf(bytes);
  expect([texts.get(2), texts.get(3), texts.get(6)]).toEqual([
    ["slalom"],
    [slalomVersion()],
    ["perceptron 6-relu on ring"],
  ]);
  const { configuration, ...rest } = metadataOf(bytes);
  expect(rest).toEqual({
    problem: "ring-perceptron",
    classes: '["inside","outside"]',
    study: "kept",
    run,
    which: "best",
    step: expect.stringMatching(/^\d+$/),
  });
  const stored = kept.runs.find(({ id }) => id === run)!;
  expect(JSON.parse(configuration)).toEqual(JSON.parse(JSON.stringify(stored.configuration)));
});

describe("what can't be exported", () => {
  test("runs that keep no model", async () => {
    const plain = await stored({ name: "plain" });
    await expect(storedOnnxModel(plain, { problem })).rejects.toThrow(
      /^export to ONNX: there is no model: no run of "plain" keeps one; expected a run .* keepModel: true\.$/,
    );
    const diverged = kept.runs.find(({ status }) => status === "diverged")!;
    await expect(storedOnnxModel(kept, { problem, run: diverged })).rejects.toThrow(
      new RegExp(`no model: run ${diverged.id.replaceAll("+", "\\+")} \\(diverged\\) keeps none`),
    );
    const { runs, ...rest } = await stored({
      name: "unranked",
      keepModel: true,
      optimizers: [sgd({ lr: 0.1 })],
    });
    rmSync(join(runs[0].folder, "best.safetensors"));
    await expect(
      storedOnnxModel({ runs, ...rest }, { problem, run: runs[0], which: "best" }),
    ).rejects.toThrow(/keeps its last model alone, no best one: .* Take the last model\.$/);
    await expect(storedOnnxModel({ runs, ...rest }, { problem, which: "best" })).rejects.toThrow(
      /no run of "unranked" keeps its best/,
    );
    expect(await storedOnnxModel({ runs, ...rest }, { problem })).toMatchObject({ which: "last", step: 20 });
  });

  test("another problem than the one that was trained, or another model", async () => {
    const other = classificationProblem({ dataset: sourceOf(ring), model: perceptron({ hidden: [7] }) });
    await expect(storedOnnxModel(kept, { problem: other })).rejects.toThrow(
      /study "kept" trained the problem "ring-perceptron" with options .*"hidden":\[6\].*; received "ring-perceptron" with .*"hidden":\[7\]/,
    );
    const { values } = readModel(kept.runs.find(({ status }) => status === "completed")!.folder, "last");
    const refused = (given: typeof values, by: Problem = problem) =>
      expect(() => onnxModel({ problem: by, dataset: ring, values: given }));
    refused(values, other).toThrow(
      /not the parameters of problem "ring-perceptron": "dense1\.weight" is f32\[6,2\]; expected \[7,2\]/,
    );
    const { "dense2.bias": _, ...fewer } = values;
    refused(fewer).toThrow(/"dense2\.bias" is absent; expected \[2\]\. Was its model changed/);
    refused({ ...values, extra: values["dense2.bias"] }).toThrow(/it has no "extra"/);
  });

  test("what is no classification", async () => {
    const line = await stored({
      name: "line",
      problem: linearRegression(),
      epochs: undefined,
      steps: 20,
      batchSize: "full",
      keepModel: true,
      optimizers: [sgd({ lr: 0.01 })],
    });
    await expect(storedOnnxModel(line, { problem: linearRegression() })).rejects.toThrow(
      /^export to ONNX: problem "linear-regression" gives no logits; expected a classification\.$/,
    );
  });

  test("a batch that is no number of examples", () => {
    expect(() => onnxModel({ problem, dataset: ring, values: {}, batch: 0 })).toThrow(
      /received batch 0; expected an integer from 1, or "any"/,
    );
  });

  test("a model that draws random numbers, or looks at the targets", async () => {
    const source = blobs({ count: 40 });
    const dataset = await source.load();
    const always: Layer = {
      name: "always",
      build: (input) => {
        const built = dropout(0.5).build(input);
        return {
          ...built,
          apply: (values, x, context) => built.apply(values, x, { ...context, training: true }),
        };
      },
    };
    const noisy = layersModel({ name: "noisy", layers: (n) => [always, dense(n)] });
    const values = {
      "dense1.weight": { shape: [3, 2], dtype: "float32", data: new Float32Array(6) },
      "dense1.bias": { shape: [3], dtype: "float32", data: new Float32Array(3) },
    } as const;
    expect(() =>
      onnxModel({
        problem: classificationProblem({ dataset: source, model: noisy }),
        dataset,
        values,
        batch: 1,
      }),
    ).toThrow(/operation randomUniform has no translation: it draws random numbers/);
    const honest = classificationProblem({ dataset: source, model: softmaxRegression() });
    const peeking = (logits: (honest: Tensor, targets: Tensor) => Tensor): Problem => ({
      ...honest,
      build: (data) => {
        const built = honest.build(data);
        return {
          ...built,
          evaluate: (parameters, batch, context) => {
            const evaluation = built.evaluate(parameters, batch, context);
            return { ...evaluation, logits: logits(evaluation.logits!, batch!.targets) };
          },
        };
      },
    });
    const exported = (given: Problem) => () => onnxModel({ problem: given, dataset, values });
    expect(exported(peeking((_, targets) => targets))).toThrow(
      /nothing that the model gives depends on its inputs/,
    );
    expect(exported(peeking((logits, targets) => add(logits, oneHot(targets, 3))))).toThrow(
      /the logits depend on the variable "targets of the batch", .*; expected the inputs and the parameters alone/,
    );
  });
});
