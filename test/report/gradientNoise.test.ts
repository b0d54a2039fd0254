/** Gradient noise as readers meet it: the scale early and late, what it says of the batch, and its curve. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { figuresOf, findingsOf, terminalSummary } from "../../src/report/index.js";
import { batchVerdict, courseInWords, noiseCourse, verdictInWords } from "../../src/report/noise.js";
import { loadStudy, type MetricRow, openStore, type StoredStudy } from "../../src/runs/index.js";

const root = mkdtempSync(join(tmpdir(), "slalom-noise-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** tr(Sigma) of each evaluation, by seed, where it was measured; |G|^2 is 2, or what `squareAt` says. */
type Variances = readonly (readonly (number | undefined)[])[];

function stored(
  name: string,
  optimizers: Readonly<Record<string, Variances>>,
  squareAt: (evaluation: number) => number = () => 2,
): StoredStudy {
  const study = openStore(root).createStudy({
    name,
    problem: "p",
    optimizers: Object.keys(optimizers).map((optimizer) => ({ optimizer, hyperparameters: { lr: [0.1] } })),
    seeds: [0, 1],
    epochs: 8,
    batchSize: 100,
    targets: [],
    versions: { slalom: "0", node: "0", backend: "b", cpu: "c" },
    created: "2025-01-01T00:00:00.000Z",
  });
  for (const [optimizer, bySeed] of Object.entries(optimizers)) {
    for (const [seed, variances] of bySeed.entries()) {
      const writer = study.createRun({
        problem: "p",
        optimizer,
        hyperparameters: { lr: 0.1 },
        seed,
        batchSize: 100,
        epochs: 8,
        steps: 40,
        shuffle: true,
        dtype: "float32",
        backend: "b",
      });
      writer.append(
        variances.map((gradientVariance, i) => {
          const gradientSquare = squareAt(i);
          const noise = gradientVariance !== undefined && {
            gradientSquare,
            gradientVariance,
            ...(gradientSquare > 0 && { gradientNoiseScale: gradientVariance / gradientSquare }),
          };
          return {
            step: 5 * (i + 1),
            epoch: i + 1,
            timeS: i,
            validationLoss: 1 / (i + 1),
            ...noise,
          } as MetricRow;
        }),
      );
      writer.finish({ status: "completed" });
    }
  }
  return loadStudy(study.folder);
}

const rising = (last: number): Variances => [
  [100, 100, 300, 300, 300, 300, last, last],
  [300, 300, 300, 300, 300, 300, last, last + 200],
];
const findingIn = (study: StoredStudy): string | undefined =>
  findingsOf(study).find(({ id }) => id === "gradient-noise")?.text;

describe("a course", () => {
  test("has the ratios of means over the first and the last quarter of evaluations, over all seeds", () => {
    const { runs } = stored("course", { sgd: rising(2000) });
    expect(noiseCourse(runs)).toEqual({ first: 200 / 2, last: 2050 / 2 });
    expect(noiseCourse(runs.slice(0, 1))).toEqual({ first: 50, last: 1000 });
  });

  test("has no end where the noise hides the gradient, and is none without rows", () => {
    const { runs } = stored("hidden", { sgd: rising(2000) }, (i) => (i < 6 ? 2 : -1));
    expect(noiseCourse(runs)).toEqual({ first: 100, last: undefined });
    expect(courseInWords({ first: 100, last: undefined })).toBe(
      "100 examples at first, too large to tell at the end",
    );
    expect(courseInWords({ first: 100.1, last: 99.9 })).toBe("100 examples");
    expect(noiseCourse([])).toBeUndefined();
  });
});

test.each([
  [100, 900, "well below", (1 + 4.5) / (1 + 9), "twice as large they would take 0.55 times as many steps"],
  [
    100,
    100,
    "near",
    1.5 / 2,
    "twice as large they would take 0.75 times as many steps and look at 1.5 times as many examples",
  ],
  [
    100,
    10,
    "well above",
    1.05 / 1.1,
    "twice as large they would take 0.95 times as many steps, half as large 1.1 times",
  ],
] as const)("batches of %d are, by a scale of %d, %s", (batchSize, scale, place, stepsOfTwice, words) => {
  const verdict = batchVerdict(batchSize, scale);
  expect(verdict.place).toBe(place);
  expect(verdict.stepsOfTwice).toBeCloseTo(stepsOfTwice, 12);
  expect(verdictInWords(verdict)).toBe(words);
});

test("a finding says the scale of each optimizer and what it means for the batch; a figure shows its course", () => {
  const study = stored("two", { sgd: rising(2000), adam: rising(20) });
  expect(findingIn(study)).toBe(
    "Gradient noise scale at the best settings: sgd 100 examples at first, 1000 examples at the end; adam 100 examples at first, 35 examples at the end. At the end batches of 100 examples are well below it for sgd (twice as large they would take 0.54 times as many steps), near it for adam (twice as large they would take 0.87 times as many steps and look at 1.7 times as many examples). Well below the scale twice the batch nearly halves the steps, well above it does little.",
  );
  expect(terminalSummary(study)).toContain("- Gradient noise scale at the best settings:");
  const figure = figuresOf(study).find(({ id }) => id === "gradient-noise")!;
  expect(figure.title).toBe("Gradient noise scale at the best settings");
  expect(figure.caption).toContain("The line is the batch of 100 examples. Means of 2 seeds");
  expect(figure.svg).toContain("batch 100");
});

test("nothing is said where nothing was measured, and no advice where the noise hides the gradient", () => {
  const plain = stored("plain", { sgd: [[undefined], [undefined]] });
  expect(findingIn(plain)).toBeUndefined();
  expect(figuresOf(plain).map(({ id }) => id)).not.toContain("gradient-noise");
  const hidden = stored("noise", { sgd: rising(2000) }, (i) => (i < 6 ? 2 : -1));
  expect(findingIn(hidden)).toBe(
    "Gradient noise scale at the best settings: sgd 100 examples at first, too large to tell at the end.",
  );
});
