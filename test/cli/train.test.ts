import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../launch/support.js";
import { json, slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Heavy ball on the sum of (W x + b - y)^2 over x = 1, 2, 3, 4 and y = 0, -1, -2, -3, in plain arithmetic. */
function heavyBall(lr: number, momentum: number, steps: number) {
  let [W, b, vW, vb] = [0.3, -0.3, 0, 0];
  const losses: number[] = [];
  for (let step = 0; step <= steps; step++) {
    const errors = [1, 2, 3, 4].map((x) => W * x + b - (1 - x));
    losses.push(errors.reduce((sum, error) => sum + error ** 2, 0));
    if (step === steps) break;
    vW = momentum * vW + errors.reduce((sum, error, i) => sum + 2 * error * (i + 1), 0);
    vb = momentum * vb + errors.reduce((sum, error) => sum + 2 * error, 0);
    W -= lr * vW;
    b -= lr * vb;
  }
  return { W, b, losses };
}

describe("slalom train", () => {
  it("trains exercise 1's problem: every number of the run against plain arithmetic", async () => {
    const { runs, status } = await json(
      folder.path,
      "train linear-regression --optimizer momentum --set lr=0.01 momentum=0.6 --steps 40 --dtype float64 --target trainLoss=1 --seed 7 --rows",
    );
    const expected = heavyBall(0.01, 0.6, 40);
    const [run] = runs;
    expect(status).toBe("completed");
    expect(runs).toHaveLength(1);
    expect(run).toMatchObject({ status: "completed", seed: 7, stepsDone: 40 });
    expect(run.configuration).toMatchObject({
      optimizer: "momentum",
      hyperparameters: { lr: 0.01, momentum: 0.6 },
      dtype: "float64",
    });
    expect(run.parameters?.W[0]).toBeCloseTo(expected.W, 12);
    expect(run.parameters?.b[0]).toBeCloseTo(expected.b, 12);
    expect(run.final.trainLoss).toBeCloseTo(expected.losses[40], 12);
    const reached = expected.losses.findIndex((loss) => loss <= 1);
    expect(run.targets).toMatchObject([{ metric: "trainLoss", step: reached }]);
    expect(run.targets[0].timeS).toBeGreaterThanOrEqual(0);
    expect(run.rows?.trainLoss.step).toEqual(Array.from({ length: 41 }, (_, step) => step));
    run.rows?.trainLoss.value.forEach((loss, step) => {
      expect(loss).toBeCloseTo(expected.losses[step], 10);
    });
  });

  it("prints a table of the loss and how the run ended, and keeps nothing", async () => {
    const before = readdirSync(tmpdir()).filter((name) => /^slalom-[A-Za-z0-9]{6}$/.test(name));
    const { code, out, err } = await slalom(
      folder.path,
      "train linear-regression -O sgd -s lr=0.01 --steps 100",
    );
    expect(code).toBe(0);
    expect(err).toBe("");
    expect(out).toMatch(
      /^Gradient descent on linear-regression\nlr=0\.01 · weightDecay=0 · seed 0 · float32\n/,
    );
    expect(out).toMatch(/\nstep +train loss +W +b\n +0 +23\.66 +0\.3 +-0\.3\n/);
    expect(out).toMatch(/\n 100 +0\.146364 +-0\.840798 +0\.531927\n\ncompleted: 100 steps in .*a step\n/);
    expect(readdirSync(folder.path)).toEqual([]);
    expect(readdirSync(tmpdir()).filter((name) => /^slalom-[A-Za-z0-9]{6}$/.test(name))).toEqual(before);
  });

  it("shows a divergence as a result: the step, what blew up, the last finite loss", async () => {
    const words = "train linear-regression --optimizer sgd --set lr=0.5 --steps 1000 --dtype float32";
    const [run] = (await json(folder.path, words)).runs;
    expect(run.status).toBe("diverged");
    expect(run.stepsDone).toBeLessThan(1000);
    expect(run.divergence?.step).toBe(run.stepsDone);
    expect(Number.isFinite(run.divergence?.value)).toBe(false);
    expect(run.divergence?.lastFiniteLoss).toBeGreaterThan(1e30);
    const { code, out } = await slalom(folder.path, words);
    expect(code).toBe(0);
    expect(out).toMatch(
      new RegExp(`diverged at step ${run.stepsDone}: loss.* became (Infinity|NaN); last finite loss`),
    );
  });

  it("averages, stops early and restores the best, as a study would", async () => {
    const words =
      "train linear-regression --optimizer momentum --set lr=0.01 momentum=0.9 --steps 400 --dtype float64 --evaluate-every 3";
    const [averaged] = (
      await json(
        folder.path,
        `${words} --average ema decay=0.5 --early-stopping trainLoss=3 --restore-best --rows`,
      )
    ).runs;
    expect(averaged.configuration).toMatchObject({
      average: { id: "ema", parameters: { decay: 0.5 } },
      earlyStopping: { patience: 3, metric: "trainLoss", minDelta: 0, restore: "best", evaluateEvery: 3 },
    });
    const { step, value } = averaged.rows!.trainLoss;
    const best = Math.min(...value);
    const bestStep = step[value.indexOf(best)];
    expect(averaged.final).toMatchObject({ trainLoss: best, bestStep });
    expect(averaged.stepsDone).toBeLessThan(400);
    expect(averaged.stepsDone).toBe(bestStep + 9);
    expect(averaged).toMatchObject({ stoppedEarly: { step: averaged.stepsDone } });
    const { out } = await slalom(
      folder.path,
      `${words} --average swa from=0.9 every=2 --early-stopping trainLoss=3`,
    );
    expect(out).toMatch(/lr=0\.01 .* · SWA 0\.9 every 2 · seed 0/);
    expect(out).toMatch(/^stopped early: trainLoss was not better than .*, of step \d+, for 3 evaluations$/m);
  });

  it("keeps the run where it is told to, and repeats it only when told so", async () => {
    const words = "train rosenbrock --optimizer adam --set lr=0.05 --steps 20 --name mine --out kept";
    const first = await json(folder.path, words);
    const again = await json(folder.path, words);
    expect(again.runs).toEqual(first.runs);
    expect((await json(folder.path, "list --out kept")).studies).toMatchObject([{ name: "mine" }]);
    const other = await slalom(folder.path, words.replace("20", "21"));
    expect(other).toMatchObject({ code: 1, out: "" });
    expect(other.err).toMatch(/stored with other settings: steps is 20 there and 21 here/);
    expect((await json(folder.path, `${words.replace("20", "21")} --fresh`)).runs[0].stepsDone).toBe(21);
  });

  it("measures the gradient noise scale on the way, and says what it means for the batch", async () => {
    const words =
      "train mnist-softmax -O sgd -s lr=0.5 --batch 100 --steps 40 --evaluate-every 20 --gradient-noise";
    const { code, out } = await slalom(folder.path, `${words} --micro-batch 10 --name noisy`);
    expect(code).toBe(0);
    expect(out).toMatch(/\n *step .*gradient noise scale\n/);
    const said = out.replaceAll(/\s+/g, " ");
    expect(said).toMatch(
      /gradient noise scale: [\d,.]+ examples at first, [\d,.]+ examples at the end; batches of 100 are (well below|near|well above) it: twice as large they would take 0\.\d+ times as many steps/,
    );
    const [run] = (await json(folder.path, "show noisy --rows")).runs;
    expect(run.rows?.gradientNoiseScale.step).toEqual([20, 40]);
    const [square, variance, scale] = ["Square", "Variance", "NoiseScale"].map(
      (name) => run.final[`gradient${name}`],
    );
    expect(variance).toBeGreaterThan(0);
    expect(scale).toBeCloseTo(variance / square, 6);
    const shown = (await slalom(folder.path, "show noisy --runs")).out;
    expect(shown).toContain("Gradient noise scale at the best settings: ");
    expect(shown).toMatch(/seed +status .*gradient noise scale +time\n/);
    const refused = await slalom(folder.path, words);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("one rank takes the batches of 100 examples whole; expected");
  });

  it("trains on MNIST in its own order, with validation and test twice within an epoch", async () => {
    const [run] = (
      await json(
        folder.path,
        "train mnist-softmax --optimizer sgd --set lr=0.5 --steps 100 --no-shuffle --batch 100 --gemm wasm --evaluate-every 0.1epochs --rows --micro-batch 50",
      )
    ).runs;
    // 50,000 examples in batches of 100.
    expect(run.rows?.validationLoss.step).toEqual([50, 100]);
    expect(run.configuration).toMatchObject({ shuffle: false, microBatch: 50 });
    expect(run.parameters).toBeUndefined();
    expect(run.final.validationAccuracy).toBeGreaterThan(0.8);
    expect(run.final.testAccuracy).toBeGreaterThan(0.8);
    expect(run.final.validationLoss).toBeLessThan(0.7);
  });
});
