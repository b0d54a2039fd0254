/** Reports of two studies in a real store: what the sentences say against plain computations, the page, the files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linearRegression } from "../../src/learn/problems/linearRegression.js";
import { mnist } from "../../src/learn/problems/mnist.js";
import {
  analyse,
  figuresOf,
  findingsOf,
  htmlPage,
  type StudyFigure,
  tablesOf,
  terminalSummary,
  writeReport,
} from "../../src/report/index.js";
import { loadStudy, openStore, type StoredStudy } from "../../src/runs/index.js";
import { elementsOf } from "./html.js";
import {
  classifierEpochs,
  classifierGrid,
  classifierRows,
  classifierSeeds,
  linearGrid,
  linearRun,
  writeClassifierStudy,
  writeLinearStudy,
} from "./studies.js";

let root: string;
let linear: StoredStudy;
let classifier: StoredStudy;
let linearFigures: StudyFigure[];
const problem = linearRegression();
const course = {
  id: "course",
  title: "The course's settings",
  settings: [
    { optimizer: "sgd", hyperparameters: { lr: 0.01 } },
    { optimizer: "momentum", hyperparameters: { lr: 0.01, momentum: 0.6 } },
    { optimizer: "adam", hyperparameters: { lr: 0.05 } },
  ],
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "slalom-report-"));
  linear = loadStudy(writeLinearStudy(root, { options: { comparisons: [course] } }).folder);
  classifier = loadStudy(writeClassifierStudy(root).folder);
  linearFigures = figuresOf(linear, { problem });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const textOf = (study: StoredStudy, id: string, options = {}): string =>
  findingsOf(study, options).find((finding) => finding.id === id)?.text ?? "";

/** Steps to the loss by plain search; infinite where it is never met or the run diverged. */
const stepsTo = (loss: number, { losses, divergedAt }: ReturnType<typeof linearRun>): number => {
  const step = divergedAt === undefined ? losses.findIndex((value) => value <= loss) : -1;
  return step < 0 ? Number.POSITIVE_INFINITY : step;
};

const linearRuns = linearGrid().map((setting) => ({
  ...setting,
  run: linearRun(setting.optimizer, setting.hyperparameters),
}));

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** 97.5 % quantile of Student's t with four degrees of freedom, from a printed table. */
const t4 = 2.776445105;
function tInterval(values: readonly number[]): [number, number, number] {
  const centre = mean(values);
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 4);
  return [centre, centre - (t4 * spread) / Math.sqrt(5), centre + (t4 * spread) / Math.sqrt(5)];
}

/** The last value of a metric for each seed; undefined where a seed diverged. */
function lastValues(
  optimizer: string,
  hyperparameters: Record<string, number>,
  metric: string,
): number[] | undefined {
  const setting = classifierGrid().find(
    (one) =>
      one.optimizer === optimizer &&
      Object.entries(hyperparameters).every(([name, value]) => one.hyperparameters[name] === value),
  )!;
  const runs = classifierSeeds.map((seed) => classifierRows(setting, seed));
  if (runs.some(({ divergedAt }) => divergedAt !== undefined)) return undefined;
  return runs.map(({ rows }) => rows[classifierEpochs][metric]);
}

describe("findings of the linear study", () => {
  test("recommends the setting with the fewest steps, and says that seeds have no effect", () => {
    const best = [...linearRuns].sort((a, b) => stepsTo(1e-6, a.run) - stepsTo(1e-6, b.run))[0];
    const adam = linearRuns.filter(({ optimizer }) => optimizer === "adam");
    const fewestAdam = Math.min(...adam.map(({ run }) => stepsTo(1e-6, run)));
    const sgd = linearRuns.filter(({ optimizer }) => optimizer === "sgd");
    expect(Math.min(...sgd.map(({ run }) => stepsTo(1e-6, run)))).toBe(Number.POSITIVE_INFINITY);
    const [finding] = findingsOf(linear, { problem });
    expect(finding.kind).toBe("recommendation");
    expect(finding.text).toBe(
      `Use ${best.optimizer} with learning rate ${best.hyperparameters.lr} and momentum ${best.hyperparameters.momentum}. Steps to train loss ≤ 10⁻⁶: ${stepsTo(1e-6, best.run)}; adam ${fewestAdam} and sgd never. The runs are deterministic (same start, same batches): another seed gives the same numbers.`,
    );
  });

  test("says which runs diverged, where, and that theory knows why", () => {
    const diverged = linearRuns.filter(({ run }) => run.divergedAt !== undefined);
    const at = (lr: number) => linearRun("sgd", { lr }).divergedAt;
    expect(textOf(linear, "divergence")).toContain(
      `${diverged.length} runs of 29 diverged. sgd: learning rate 0.05 (the loss at step ${at(0.05)}) and learning rate 0.5 (the loss at step ${at(0.5)}).`,
    );
    // Eigenvalues of [[60, 20], [20, 8]] by the quadratic formula.
    const greatest = 34 + Math.sqrt(34 ** 2 - 80);
    const beyond = linearGrid().filter(
      ({ hyperparameters: { lr, momentum = 0 }, optimizer }) =>
        optimizer !== "adam" && lr > (2 * (1 + momentum)) / greatest,
    );
    const text = textOf(linear, "stability", { problem });
    expect(text).toContain(`λmax = ${greatest.toPrecision(4).replace(/0+$/, "")}`);
    expect(text).toContain(`2/λmax = ${(2 / greatest).toFixed(4)}`);
    expect(text).toContain(
      `Of the 24 settings of sgd and momentum exactly the ${beyond.length} beyond it diverged.`,
    );
    expect(findingsOf(linear).some(({ id }) => id === "stability")).toBe(false);
  });

  test("says how far each one ends from the optimum", () => {
    const { losses, path } = linearRun("sgd", { lr: 0.01 });
    const [w, b] = path[path.length - 1];
    const distance = Math.hypot(w + 1, b - 1);
    expect(textOf(linear, "optimum", { problem })).toContain(
      `sgd ${Number(losses[losses.length - 1].toPrecision(2))} above the least loss and ${Number(distance.toPrecision(2))} away from its parameters`,
    );
  });

  test("measured losses agree with predicted ones to rounding", () => {
    const [, share] =
      /lie within ([\d.]+)×10⁻¹[⁰¹²³⁴⁵⁶] times/.exec(textOf(linear, "theory", { problem })) ?? [];
    expect(Number(share)).toBeGreaterThan(0);
  });

  test("names targets, the grid's edges, and unequal budgets", () => {
    const fewest = (optimizer: string) =>
      Math.min(
        ...linearRuns.filter((one) => one.optimizer === optimizer).map(({ run }) => stepsTo(1e-6, run)),
      );
    expect(textOf(linear, "target-2")).toMatch(
      new RegExp(
        `^Train loss ≤ 10⁻⁶ is reached by momentum after ${fewest("momentum")} steps \\(.*\\) and adam after ${fewest("adam")} steps \\(.*\\); sgd does not get there\\.$`,
      ),
    );
    expect(textOf(linear, "grid-edges")).toContain("adam is best at the highest learning rate tried (0.5)");
    expect(textOf(linear, "budgets")).toContain("sgd 6, momentum 18 and adam 5");
  });
});

describe("findings of the classifier study", () => {
  const accuracy = (optimizer: string, hyper: Record<string, number>) =>
    lastValues(optimizer, hyper, "testAccuracy")!;
  const percent = (share: number) => (100 * share).toFixed(2).replace("-", "−");

  test("the data do not decide between two, and tell both from the third", () => {
    const adam = accuracy("adam", { lr: 0.001 });
    const momentum = accuracy("momentum", { lr: 0.32, momentum: 0.3 });
    const sgd = accuracy("sgd", { lr: 1 });
    const [value, low, high] = tInterval(adam).map(percent);
    const [near, nearLow, nearHigh] = tInterval(adam.map((one, i) => one - momentum[i])).map(percent);
    const [far, farLow, farHigh] = tInterval(adam.map((one, i) => one - sgd[i])).map(percent);
    expect(Number(nearLow.replace("−", "-"))).toBeLessThan(0);
    const [finding] = findingsOf(classifier);
    expect(finding.kind).toBe("undecided");
    expect(finding.text).toBe(
      `The data do not decide between adam (learning rate 0.001) and momentum (learning rate 0.32, momentum 0.3). Test accuracy after 12 epochs is ${value} % (95 % interval ${low} % to ${high} %) for adam, which leads momentum by ${near} points (${nearLow} to ${nearHigh}), paired over 5 seeds. Behind adam: sgd by ${far} points (${farLow} to ${farHigh}).`,
    );
  });

  test("a clear lead becomes a recommendation with its evidence", () => {
    const study = {
      ...classifier,
      runs: classifier.runs.filter((run) => run.configuration.optimizer !== "momentum"),
    };
    const [finding] = findingsOf(study);
    expect(finding.kind).toBe("recommendation");
    expect(finding.text).toMatch(
      /^Use adam with learning rate 0\.001: test accuracy after 12 epochs is 92\.\d\d % \(95 % interval .*\)\. Paired over 5 seeds it is ahead of sgd by 0\.\d\d points \(0\.\d\d to 0\.\d\d\)\.$/,
    );
  });

  test("one seed never decides", () => {
    const study = loadStudy(writeClassifierStudy(root, { name: "one-seed", seeds: [0] }).folder);
    const [finding] = findingsOf(study);
    expect(finding.kind).toBe("undecided");
    expect(finding.text).toMatch(/^The data do not decide: with one seed nothing is known of the spread\./);
    expect(findingsOf(study).some(({ kind }) => kind === "recommendation")).toBe(false);
  });

  test("good ranges are interpolated where the mean leaves the tolerance", () => {
    const rates = classifierGrid()
      .filter(({ optimizer }) => optimizer === "sgd")
      .map(({ hyperparameters: { lr } }) => lr);
    const losses = rates.map((lr) => {
      const values = lastValues("sgd", { lr }, "validationLoss");
      return values === undefined ? Number.POSITIVE_INFINITY : mean(values);
    });
    const threshold = 1.1 * Math.min(...losses);
    const inside = losses.findIndex((loss) => loss <= threshold);
    const share = (losses[inside - 1] - threshold) / (losses[inside - 1] - losses[inside]);
    const low = rates[inside - 1] * (rates[inside] / rates[inside - 1]) ** share;
    const last = rates[losses.findLastIndex((loss) => loss <= threshold)];
    expect(textOf(classifier, "good-range")).toContain(
      `sgd from ${Number(low.toPrecision(2))} to ${last} (${Math.log10(last / low).toFixed(1)} decades`,
    );
  });

  test("a setting that diverges on some seeds is counted and can't win", () => {
    expect(textOf(classifier, "divergence")).toContain(
      "sgd: learning rate 10 (4 of 5 seeds, the loss at step 100)",
    );
    const { optimizers } = analyse(classifier);
    expect(optimizers[0].best?.hyperparameters).toEqual({ lr: 1 });
  });

  test("unfinished runs are named and left out", () => {
    const study = openStore(root).createStudy({
      ...classifier.record,
      name: "partial",
    });
    const { configuration } = classifier.runs[0];
    const writer = study.createRun(configuration);
    writer.append([{ step: 1, timeS: 0.1, validationLoss: 0.5 } as never]);
    writer.finish({ status: "completed" });
    study.createRun({ ...configuration, seed: 7 }).fail(new Error("killed"));
    expect(textOf(loadStudy(study.folder), "unfinished")).toBe(
      "1 run of 2 is not finished (1 failed) and left out; the findings may change.",
    );
  });
});

test("errors: a study without results, an unknown metric", () => {
  const study = openStore(root).createStudy({ ...classifier.record, name: "empty" });
  expect(() => findingsOf(loadStudy(study.folder))).toThrow(/has no run with a result yet \(0 begun\)/);
  expect(() => findingsOf(classifier, { select: { metric: "validationLos" } })).toThrow(/validationLoss/);
});

describe("tables", () => {
  test("the best settings, with intervals", () => {
    const [best, targets, tuning, settings] = tablesOf(classifier);
    const values = lastValues("adam", { lr: 0.001 }, "validationLoss")!;
    const [centre, low, high] = tInterval(values);
    expect(best.rows[0].map(({ text }) => text).slice(0, 2)).toEqual(["adam", "learning rate 0.001"]);
    expect(best.rows[0][3].text).toBe(`${centre.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`);
    expect(targets.columns[1].label).toBe("Epochs to validation loss ≤ 0.29");
    expect(
      tuning.rows.map((row) => row.map(({ text }) => text)).map((row) => [row[0], row[2], row[3]]),
    ).toEqual([
      ["adam", "7", "0"],
      ["momentum", "14", "4"],
      ["sgd", "7", "4"],
    ]);
    expect(settings.rows).toHaveLength(28);
    expect(settings.note).toContain("adam: β₁ 0.9, β₂ 0.999, ε 10⁻⁸");
  });

  test("every setting with its outcome", () => {
    const settings = tablesOf(linear)[3];
    const steps = stepsTo(1e-6, linearRun("momentum", { lr: 0.01, momentum: 0.6 }));
    const texts = settings.rows.map((row) => row.map(({ text }) => text));
    expect(texts).toContainEqual([
      "sgd",
      "0.5",
      "–",
      "diverged",
      "diverged",
      "1",
      "diverged: loss at step 4",
    ]);
    expect(texts.find((row) => row[0] === "momentum" && row[1] === "0.01" && row[2] === "0.6")?.[3]).toBe(
      `${steps}`,
    );
  });
});

describe("the optimum of a study on batches", () => {
  const least = 0.195;
  const known = { problem: { ...mnist(), optimum: { loss: least } } };
  const gapsOf = (optimizer: string) =>
    classifierGrid()
      .filter((setting) => setting.optimizer === optimizer)
      .flatMap(({ hyperparameters }) => {
        const losses = lastValues(optimizer, hyperparameters, "finalTrainLoss");
        return losses ? [{ hyperparameters, gap: tInterval(losses.map((loss) => loss - least)) }] : [];
      })
      .sort((a, b) => a.gap[0] - b.gap[0]);

  test("is measured from the loss of the final parameters, in words, table and figure", () => {
    const text = textOf(classifier, "optimum", known);
    expect(text).toContain(
      "How far each one ends from the optimum (training loss 0.195), at its best setting: sgd ",
    );
    const table = tablesOf(classifier, known).find(({ id }) => id === "optimum")!;
    const validation = tablesOf(classifier, known).find(({ id }) => id === "best")!;
    expect(table.rows).toHaveLength(3);
    for (const [optimizer, best, nearest, words] of table.rows) {
      const [first] = gapsOf(optimizer.text);
      expect(nearest.sort).toBeCloseTo(first.gap[0], 12);
      expect(words.text).toContain(`learning rate ${first.hyperparameters.lr}`);
      const chosen = validation.rows.find((row) => row[0].text === optimizer.text)![1].text;
      const own = gapsOf(optimizer.text).find(({ hyperparameters }) =>
        Object.entries(hyperparameters).every(
          ([name, value]) => !["lr", "momentum"].includes(name) || chosen.includes(`${value}`),
        ),
      )!;
      expect(best.sort).toBeCloseTo(own.gap[0], 12);
      const decimals = /0\.(\d+) \(/.exec(best.text)![1].length;
      expect(best.text).toBe(
        `${own.gap[0].toFixed(decimals)} (${own.gap[1].toFixed(decimals)} to ${own.gap[2].toFixed(decimals)})`,
      );
      expect(text).toContain(`${optimizer.text} ${best.text} above the least loss`);
    }
    const figure = figuresOf(classifier, known).find(({ id }) => id === "distance")!;
    elementsOf(figure.svg);
    expect(figure.svg).toContain("Training loss above its least value");
  });

  test("says nothing where runs tell the losses of batches alone, or no optimum is known", () => {
    const before = mkdtempSync(join(tmpdir(), "slalom-report-"));
    const study = writeClassifierStudy(before, { seeds: [0] });
    for (const run of readdirSync(join(study.folder, "runs"))) {
      const path = join(study.folder, "runs", run, "summary.json");
      const { final, ...summary } = JSON.parse(readFileSync(path, "utf8"));
      const { finalTrainLoss: _, ...others } = final;
      writeFileSync(path, JSON.stringify({ ...summary, final: others }));
    }
    const old = loadStudy(study.folder);
    expect(textOf(old, "optimum", known)).toBe("");
    expect(figuresOf(old, known).map(({ id }) => id)).not.toContain("distance");
    expect(tablesOf(old, known).map(({ id }) => id)).not.toContain("optimum");
    expect(textOf(classifier, "optimum")).toBe("");
    rmSync(before, { recursive: true, force: true });
  });
});

describe("figures", () => {
  test("all that the rows tell is drawn", () => {
    expect(linearFigures.map(({ id }) => id)).toEqual([
      "best-settings",
      "best-settings-train-loss",
      "distance",
      "comparison-course",
      "learning-rate",
      "learning-rate-value",
      "map-momentum",
      "paths",
      "paths-course",
      "train-loss-sgd",
      "train-loss-momentum",
      "train-loss-adam",
    ]);
    const others = figuresOf(classifier).map(({ id }) => id);
    for (const id of ["map-momentum", "test-accuracy-adam", "validation-loss-sgd", "learning-rate-report"]) {
      expect(others).toContain(id);
    }
    expect(others).not.toContain("paths");
  });

  test("they carry numbers, theory and divergence", () => {
    const figures = new Map(linearFigures.map((figure) => [figure.id, figure]));
    const sgd = figures.get("train-loss-sgd")!;
    expect(sgd.caption).toContain(
      "2 settings of 6 diverged (✕). Dotted: what the theory of quadratics predicts.",
    );
    expect(sgd.svg).toContain(`0.05 diverged at step ${linearRun("sgd", { lr: 0.05 }).divergedAt}`);
    expect(figures.get("learning-rate")!.svg).toContain("sgd stable below 2/λmax");
    expect(figures.get("map-momentum")!.caption).toContain(
      "Best: 133 steps at learning rate 0.005, momentum 0.9.",
    );
    expect(figures.get("map-momentum")!.svg).toContain('class="boundary"');
    expect(figures.get("paths-course")!.svg).toContain("momentum");
    for (const { svg, inline, title } of figures.values()) {
      elementsOf(svg);
      expect(elementsOf(inline(360)).find(({ name }) => name === "title")?.text).toBe(title);
      expect(inline(360)).toContain('viewBox="0 0 360 ');
    }
  });
});

describe("the page", () => {
  test("is well-formed, loads nothing, and its links lead somewhere", () => {
    for (const [study, options] of [
      [linear, { problem }],
      [classifier, {}],
    ] as const) {
      const page = htmlPage(study, options);
      const elements = elementsOf(page);
      expect(page.startsWith("<!doctype html>\n")).toBe(true);
      const ids = elements.flatMap(({ attributes }) => attributes.id ?? []);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { name, attributes } of elements) {
        expect(attributes.src).toBeUndefined();
        if (attributes.href !== undefined) {
          expect(name).toBe("a");
          expect(ids).toContain(attributes.href.replace(/^#/, ""));
        }
        for (const key of Object.keys(attributes)) expect(key).not.toMatch(/^on/);
        if (name === "svg") expect(attributes.role).toBe("img");
      }
      expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:|@import|url\(/);
      const count = (name: string) => elements.filter((element) => element.name === name).length;
      expect(count("h1")).toBe(1);
      expect(count("figure")).toBeGreaterThan(10);
      expect(count("svg")).toBe(2 * count("figure"));
      for (const { name, attributes } of elements)
        if (name === "th") expect(attributes.scope).toMatch(/^(col|row)$/);
      // Findings come before figures, figures before tables.
      const places = ["findings", "comparison", "tables", "configuration"].map((id) => ids.indexOf(id));
      expect([...places].sort((a, b) => a - b)).toEqual(places);
      const text = findingsOf(study, options)[0].text.replaceAll("'", "&#39;");
      expect(elements.some((element) => element.name === "p" && element.text === text)).toBe(true);
    }
  });

  test("hostile names stay text", () => {
    const study = loadStudy(
      writeClassifierStudy(root, {
        name: "hostile",
        title: '<script>alert("title")</script>',
        seeds: [0],
        problemOptions: { "</dd><script>": "'\"<img src=x onerror=alert(1)>" },
        versions: { ...classifier.record.versions, cpu: "</code><script>alert(2)</script>" },
      }).folder,
    );
    const label = "<b onclick=steal()>Adam</b>";
    const renamed = study.runs.map((run) => ({
      ...run,
      configuration:
        run.configuration.optimizer === "adam" ? { ...run.configuration, label } : run.configuration,
    }));
    const page = htmlPage({ ...study, runs: renamed });
    const elements = elementsOf(page);
    expect(elements.filter(({ name }) => name === "script")).toHaveLength(1);
    expect(elements.filter(({ name }) => name === "img" || name === "b")).toHaveLength(0);
    expect(elements.find(({ name }) => name === "h1")?.text).toBe(
      "&lt;script&gt;alert(&quot;title&quot;)&lt;/script&gt;",
    );
    expect(page).toContain("&lt;b onclick=steal()&gt;Adam&lt;/b&gt;");
  });
});

describe("the terminal", () => {
  test("the summary fits its lines and has no colour unless asked", () => {
    for (const width of [60, 80, 120]) {
      const lines = terminalSummary(classifier, { width }).split("\n");
      expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(width);
    }
    expect(terminalSummary(classifier)).not.toContain("\u001b");
    expect(terminalSummary(classifier, { style: "colour" })).toContain("\u001b[1mBest settings\u001b[0m");
  });

  test("the whole text of the linear study", async () => {
    await expect(terminalSummary(linear, { problem })).toMatchFileSnapshot("snapshots/linear.txt");
  });
});

test("writes figures and the page, and leaves nothing else", () => {
  const folder = join(root, "out", "report");
  // Few figures: each PNG takes a moment.
  const study = { ...linear, runs: linear.runs.filter((run) => run.configuration.optimizer === "adam") };
  const paths = writeReport(study, folder, { pngWidth: 300 });
  expect(readdirSync(folder).sort()).toEqual(["figures", "report.html"]);
  expect(readFileSync(paths.html, "utf8")).toBe(htmlPage(study));
  expect(readdirSync(join(folder, "figures")).sort()).toEqual(
    paths.figures.flatMap(({ id }) => [`${id}.png`, `${id}.svg`]).sort(),
  );
  for (const { svg, png } of paths.figures) {
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg /);
    expect(readFileSync(png).subarray(1, 4).toString()).toBe("PNG");
  }
  // An existing file stands where a folder is needed.
  expect(() => writeReport(study, paths.html)).toThrow(/could not write/);
});
