/** Figures of scaling studies: which there are, what they say, and what is not drawn. */
import { describe, expect, test } from "vitest";
import { forecast, links, type StudyForecast, type TargetTraining } from "../../src/lab/index.js";
import { paysUpTo, type ScalingCurve, type ScalingStudy } from "../../src/lab/scaling.js";
import { forecastFigure, scalingFigures } from "../../src/report/index.js";
import { overlaps, textBoxes, viewBox } from "../figures/inspect.js";

function curveOf(batchSize: number, secondsOfSteps: readonly number[]): ScalingCurve {
  const points = secondsOfSteps.map((seconds, i) => {
    const ranks = 2 ** i;
    const speedup = secondsOfSteps[0] / seconds;
    return {
      ranks,
      processes: 1,
      batchSize,
      stepS: { median: seconds, least: seconds, greatest: seconds },
      examplesPerS: batchSize / seconds,
      speedup,
      efficiency: speedup / ranks,
    };
  });
  return { batchSize, points, paysUpTo: paysUpTo(points) };
}

const curves = [curveOf(50, [0.016, 0.01, 0.0095]), curveOf(5000, [1.2, 0.62, 0.33])];

const training = (
  rule: TargetTraining["rule"],
  batchSize: number,
  epochs: number | undefined,
): TargetTraining => ({
  rule,
  batchSize,
  learningRate: 1e-4,
  ranks: 4,
  outcome: epochs === undefined ? "not reached" : "reached",
  ...(epochs !== undefined && { reached: { steps: (epochs * 50_000) / batchSize, epochs } }),
  times:
    epochs === undefined
      ? []
      : [1, 2, 4].map((ranks, i) => ({
          ranks,
          seconds:
            ((epochs * 50_000) / batchSize) *
            curves.find((curve) => curve.batchSize === batchSize)!.points[i].stepS.median,
        })),
});

const scaling: ScalingStudy = {
  study: "cnn",
  optimizer: "Adam",
  mode: "strong",
  backend: "cpu (4 cores)",
  date: "2025-01-01T00:00:00.000Z",
  curves,
  target: {
    target: { metric: "validationAccuracy", value: 0.99, direction: "above" },
    seed: 0,
    epochs: 30,
    evaluatedEvery: 1,
    baseBatchSize: 50,
    baseLearningRate: 1e-4,
    trainings: [
      training("kept", 50, 4),
      training("linear", 50, 4),
      training("kept", 5000, undefined),
      training("linear", 5000, 11),
    ],
  },
};

const textsOf = (svg: string): string[] => textBoxes(svg).map(({ content }) => content);
const figuresOf = (of: ScalingStudy): Map<string, string> =>
  new Map(scalingFigures(of).map(({ id, svg }) => [id, svg]));

/** All that is written, the lines of a paragraph joined. */
const wordsOf = (svg: string): string => textsOf(svg).join(" ");

const forecastOf = (options: Partial<Parameters<typeof forecast>[0]> = {}): StudyForecast => ({
  study: "cnn",
  optimizer: "Adam",
  stepsFrom: "cpu (4 cores)",
  date: "2025-01-01T00:00:00.000Z",
  ...forecast({
    mode: "strong",
    steps: curves.map(({ batchSize, points }) => ({ batchSize, seconds: points[0].stepS.median })),
    link: links[1],
    bytes: 13e6,
    ranks: [8, 16],
    batchSizes: [50, 5000],
    measured: curves.flatMap(({ points }) => points),
    ...options,
  }),
});

describe("figures of a scaling study", () => {
  test("are of speed-up, efficiency, throughput, and the way to a target", () => {
    const ids = ["speed-up", "efficiency", "throughput", "epochs-to-target", "time-to-target"];
    expect([...figuresOf(scaling).keys()]).toEqual(ids);
    const { target: _target, ...rest } = scaling;
    expect([...figuresOf(rest).keys()]).toEqual(ids.slice(0, 3));
    for (const svg of figuresOf(scaling).values()) {
      const texts = textBoxes(svg);
      expect(overlaps(texts)).toEqual([]);
      expect(Math.max(...texts.map(({ right }) => right))).toBeLessThanOrEqual(viewBox(svg).width);
    }
  });

  test("ring the ranks past which the next no longer pay, where that was seen", () => {
    expect(curves.map((curve) => curve.paysUpTo)).toEqual([2, 4]);
    const figures = figuresOf(scaling);
    const rings = (id: string): number => figures.get(id)!.match(/class="best"/g)?.length ?? 0;
    // One in the legend; batch 5,000 gained to the end.
    expect([rings("speed-up"), rings("efficiency"), rings("throughput")]).toEqual([2, 2, 3]);
    expect(rings("time-to-target")).toBe(0);
    expect(wordsOf(figures.get("speed-up")!)).toContain(
      "The next ranks gain less than a tenth past 2 ranks at batch 50.",
    );
    const paying = figuresOf({ ...scaling, curves: [curves[1]] }).get("speed-up")!;
    expect(paying).not.toContain('class="best"');
    expect(wordsOf(paying)).not.toContain("less than a tenth");
  });

  test("show trainings that met the target, and name the others", () => {
    const figures = figuresOf(scaling);
    const epochs = figures.get("epochs-to-target")!;
    expect(textsOf(epochs)).toContain("Adam: epochs to validation accuracy ≥ 99 %");
    expect(wordsOf(epochs)).toContain("Not met within 30 epochs: batch 5000 kept.");
    expect(textsOf(epochs)).toEqual(expect.arrayContaining(["learning rate kept", "learning rate linear"]));
    // The linear rule alone has two points to join.
    expect(epochs.match(/class="measured"/g)).toHaveLength(1);
    const time = figures.get("time-to-target")!;
    // Batch 50 by both rules, batch 5,000 by one.
    expect(time.match(/class="measured"/g)).toHaveLength(3);
    const none = { ...scaling.target!, trainings: [training("kept", 50, undefined)] };
    expect([...figuresOf({ ...scaling, target: none }).keys()]).toHaveLength(3);
  });

  test("of several seeds show the middle and the range, to the frame where one did not meet the target", () => {
    const seed = (number: number, epochs: number | undefined) => ({
      seed: number,
      ...(epochs === undefined
        ? { outcome: "not reached" as const }
        : { outcome: "reached" as const, reached: { steps: 1000 * epochs, epochs } }),
    });
    const trainings = [
      { ...training("kept", 50, 4), seeds: [seed(1, 3), seed(0, 4), seed(2, 6)] },
      { ...training("kept", 5000, 11), seeds: [seed(0, 9), seed(2, 11), seed(1, undefined)] },
    ];
    const several = figuresOf({
      ...scaling,
      target: { ...scaling.target!, seeds: [0, 1, 2], trainings },
    });
    const epochs = several.get("epochs-to-target")!;
    expect(wordsOf(epochs)).toContain("the median of seeds 0, 1 and 2, with the range");
    const bars = [...epochs.matchAll(/<line [^>]*y1="([\d.]+)"[^>]*y2="([\d.]+)"[^>]*class="range"/g)];
    const lengths = bars.map(([, bottom, top]) => Number(bottom) - Number(top));
    expect(lengths).toHaveLength(2);
    // 3 of 3 to 6 epochs; and from 9 to the frame, which ends 8 % above 11.
    expect(lengths[0]).toBeGreaterThan(0);
    expect(lengths[1] / lengths[0]).toBeCloseTo((1.08 * 11 - 9) / 3, 1);
    expect(figuresOf(scaling).get("epochs-to-target")).not.toContain('class="range"');
    expect(wordsOf(several.get("time-to-target")!)).toContain("The steps of the middle one of several seeds");
  });

  test("of weak scaling take the time of each point's own batch", () => {
    const points = [1, 2].map((ranks) => ({ ...curves[0].points[ranks - 1], ranks, batchSize: 50 * ranks }));
    const weak: ScalingStudy = {
      ...scaling,
      mode: "weak",
      curves: [{ batchSize: 50, points, paysUpTo: 2 }],
      target: {
        ...scaling.target!,
        trainings: [1, 2].map((ranks) => ({
          ...training("kept", 50, 4),
          batchSize: 50 * ranks,
          times: [{ ranks, seconds: 10 * ranks }],
        })),
      },
    };
    const time = figuresOf(weak).get("time-to-target")!;
    expect(textsOf(time)).toContain("batch a rank 50");
    expect(time.match(/class="measured"/g)).toHaveLength(1);
  });

  test("are refused without a certificate", () => {
    const [one, { speedup: _s, efficiency: _e, ...two }] = curves[0].points;
    const broken = { ...scaling, curves: [{ ...curves[0], points: [one, two] }] };
    expect(() => scalingFigures(broken)).toThrow(
      /scaling of "cnn", batch 50: 2 ranks have no certificate that passed/,
    );
  });
});

describe("the figure of a forecast", () => {
  test("says that it is one, and stands beside what was measured", () => {
    const svg = forecastFigure(forecastOf());
    const [title] = textsOf(svg);
    expect(title).toBe("Forecast: strong scaling of Adam, infiniband");
    expect(wordsOf(svg)).toContain("Dashed: not measured, but a model of one rank's measured steps");
    expect(svg.match(/class="forecast"/g)).toHaveLength(2);
    expect(svg.match(/class="measured"/g)).toHaveLength(2);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(["forecast", "ideal", "16"]));
    expect(overlaps(textBoxes(svg))).toEqual([]);
  });

  test("is dashed alone where nothing was measured", () => {
    const svg = forecastFigure({ ...forecastOf({ measured: [] }), stepsFrom: "given" });
    expect(svg).not.toContain('class="measured"');
    expect(svg.match(/class="forecast"/g)).toHaveLength(2);
    expect(wordsOf(svg)).toContain("Not measured: a model of one rank's given steps");
  });
});
