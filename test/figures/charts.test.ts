/** Every example chart: nothing broken, clipped or on top of each other; divergence shown; bytes as committed. */
import { describe, expect, it } from "vitest";
import {
  comparisonFigure,
  confusionMatrixFigure,
  convergenceFigure,
  heatMapFigure,
  imageGridFigure,
  measurementsFigure,
  rasterize,
  sensitivityFigure,
  trajectoriesFigure,
} from "../../src/figures/index.js";
import * as examples from "./examples.js";
import { overlaps, textBoxes, viewBox } from "./inspect.js";

const charts: Record<string, (width: number) => string> = {
  "exercise-1": (width) => convergenceFigure({ ...examples.exercise1(), width }),
  "exercise-1-theory": (width) =>
    convergenceFigure({ ...examples.exercise1({ theory: "shown", x: "log" }), width }),
  mnist: (width) => convergenceFigure({ ...examples.mnist(), width }),
  facets: (width) => convergenceFigure({ ...examples.facets(), width }),
  "optimizers-at-best": (width) => convergenceFigure({ ...examples.optimizersAtBest(), width }),
  "seventeen-rates": (width) => convergenceFigure({ ...examples.seventeen(), width }),
  sensitivity: (width) => sensitivityFigure({ ...examples.sensitivity(), width }),
  "sensitivity-references": (width) => sensitivityFigure({ ...examples.sensitivityQuadratic(), width }),
  "heat-map": (width) => heatMapFigure({ ...examples.heatMap(), width }),
  "heat-map-even": (width) => heatMapFigure({ ...examples.smallHeatMap(), width }),
  trajectories: (width) => trajectoriesFigure({ ...examples.trajectories(), width }),
  rosenbrock: (width) => trajectoriesFigure({ ...examples.rosenbrock(), width }),
  "confusion-matrix": (width) => confusionMatrixFigure({ ...examples.confusionMatrix(), width }),
  "image-grid": (width) => imageGridFigure({ ...examples.imageGrid(), width }),
  measurements: (width) => measurementsFigure({ ...examples.ranksMeasured(), width }),
  comparison: (width) => comparisonFigure({ ...examples.comparison(), width }),
};

describe.each(Object.keys(charts))("%s", (name) => {
  it.each([400, 640, 900])("has whole, separate texts inside its %i units", (width) => {
    const svg = charts[name](width);
    expect(/NaN|undefined|Infinity|null/.exec(svg)).toBeNull();
    const box = viewBox(svg);
    expect(box.width).toBe(width);
    const texts = textBoxes(svg);
    expect(texts.length).toBeGreaterThan(5);
    const outside = texts.filter(
      (text) => text.left < 0 || text.right > box.width || text.top < 0 || text.bottom > box.height,
    );
    expect(outside).toEqual([]);
    expect(overlaps(texts)).toEqual([]);
  });

  it("has no coordinate finer than two decimals, a role, a title and a description", () => {
    const svg = charts[name](640);
    const attributes = svg.replace(/>[^<]*</g, "><");
    expect(/\d\.\d{3}/.exec(attributes)).toBeNull();
    expect(svg).toMatch(/^<svg [^>]*role="img"[^>]*>\n<title>[^<]+<\/title>\n<desc>[^<]+<\/desc>/);
  });

  it("is well-formed for the renderer", () => {
    const png = rasterize(charts[name](640), { width: 200 });
    expect([...png.slice(1, 4)].map((code) => String.fromCharCode(code)).join("")).toBe("PNG");
  });
});

describe("snapshots", () => {
  it.each(["exercise-1", "sensitivity-references", "heat-map-even", "trajectories", "comparison"])(
    "%s",
    async (name) => {
      const svg = charts[name](640);
      expect(charts[name](640)).toBe(svg);
      await expect(svg).toMatchFileSnapshot(`snapshots/${name}.svg`);
    },
  );
});

describe("divergence is drawn", () => {
  it("with a cross for each run and the step in words", () => {
    const svg = convergenceFigure(examples.exercise1());
    expect(svg.match(/class="diverged"/g)).toHaveLength(4);
    const texts = textBoxes(svg).map((box) => box.content);
    // 10⁶ times the start is passed by lr 0.05 at step 9: the factor is (1 - 0.05 * 66.8)² = 5.48 a step.
    expect(texts).toContain("✕ 0.05 diverged at step 9");
    expect(texts).toContain("✕ 1 diverged at step 2");
  });

  it("where the curve leaves the frame, at the step that the data say", () => {
    const svg = convergenceFigure({
      x: { domain: [0, 10] },
      y: { scale: "linear", domain: [0, 10] },
      panels: [{ series: [{ label: "a", x: [0, 4, 8], y: [2, 6, 1e300], divergedAt: 8 }] }],
    });
    const [, d] = /class="curve" d="([^"]+)"/.exec(svg)!;
    const points = d
      .slice(1)
      .split("L")
      .map((pair) => pair.split(",").map(Number));
    const [[x0], [x1], [x2]] = points;
    expect(points).toHaveLength(3);
    // 1e300 rises at once: the exit is at x = 4 to within a hundredth of the way.
    expect(x2 - x1).toBeLessThan(0.02 * (x1 - x0));
    const [, crossX] = /class="diverged" d="M([\d.]+),/.exec(svg)!;
    expect(Number(crossX) + 4.5).toBeCloseTo(x2, 1);
  });

  it("as the last finite point when the run ends in NaN inside the frame", () => {
    const svg = convergenceFigure({
      x: {},
      y: { domain: [0, 10] },
      panels: [{ series: [{ label: "a", x: [0, 1, 2], y: [2, 6, Number.NaN], divergedAt: 2 }] }],
    });
    expect(svg).toContain('class="diverged"');
    expect(svg).toContain("a diverged at step 2");
  });

  it("when every run diverged, and when there is no finite value at all", () => {
    const all = convergenceFigure({
      x: {},
      y: { scale: "log" },
      panels: [{ series: [{ label: "a", x: [0, 1, 2], y: [1, 1e9, 1e30], divergedAt: 1 }] }],
    });
    expect(all).toContain('class="curve"');
    const none = convergenceFigure({
      x: {},
      y: {},
      panels: [{ series: [{ label: "b", x: [0], y: [Number.NaN], divergedAt: 0 }] }],
    });
    expect(none).toContain("b diverged at step 0");
  });

  it("in every chart: strip, hatching, path, row", () => {
    expect(sensitivityFigure(examples.sensitivity()).match(/class="diverged"/g)).toHaveLength(5);
    const cells = examples.heatMap().cells;
    const hatched = heatMapFigure(examples.heatMap()).match(/class="diverged"/g)!;
    // The legend's sample is one more.
    expect(hatched.length).toBe(cells.filter((cell) => cell.outcome === "diverged").length + 1);
    expect(trajectoriesFigure(examples.trajectories())).toContain('class="diverged"');
    expect(comparisonFigure(examples.comparison())).toContain("diverged at 57");
  });
});

describe("measurements", () => {
  const linear = { x: {}, y: { domain: [0, 10] } } as const;
  const countOf = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0;

  it("are marked where they are, forecasts dashed and hollow, and named once", () => {
    const svg = measurementsFigure(examples.ranksMeasured());
    const dashes = [...svg.matchAll(/<path class="(measured|forecast)"[^>]*>/g)].map(([tag, kind]) => [
      kind,
      tag.includes("stroke-dasharray"),
    ]);
    expect(dashes.filter(([kind]) => kind === "measured")).toEqual(Array(4).fill(["measured", false]));
    expect(dashes.filter(([kind]) => kind === "forecast")).toEqual(Array(4).fill(["forecast", true]));
    expect(countOf(svg, /class="reference"/g)).toBe(2);
    // One on each panel, one in the legend.
    expect(countOf(svg, /class="best"/g)).toBe(3);
    const texts = textBoxes(svg).map(({ content }) => content);
    for (const name of ["batch 50", "batch 500", "forecast", "ideal", "past this more ranks gain little"])
      expect(texts.filter((text) => text === name)).toHaveLength(1);
    // The axis names the ranks that there are.
    expect(texts.filter((text) => ["1", "2", "4", "8"].includes(text)).length).toBeGreaterThanOrEqual(8);
  });

  it("leave out what is no number, and draw one alone", () => {
    const svg = measurementsFigure({
      ...linear,
      panels: [{ series: [{ label: "a", x: [1, 2, 4], y: [3, Number.NaN, 5] }] }],
    });
    const [, d] = /class="measured" d="([^"]+)"/.exec(svg)!;
    expect(d.match(/[ML]/g)).toEqual(["M", "L"]);
    const alone = measurementsFigure({ ...linear, panels: [{ series: [{ label: "a", x: [2], y: [3] }] }] });
    expect(alone).not.toContain('class="measured"');
    // In the legend and at its place.
    expect(countOf(alone, /<path transform="translate/g)).toBe(2);
  });

  it("say what can't be drawn", () => {
    const draw = (x: number[], y: number[]) =>
      measurementsFigure({ ...linear, panels: [{ series: [{ label: "a", x, y }] }] });
    expect(() => draw([1], [Number.NaN])).toThrow("received no measurement; expected at least one number");
    expect(() => draw([1, 2], [1])).toThrow(
      'series "a" has 2 values of x and 1 of y; expected equal lengths',
    );
  });
});

describe("convergence", () => {
  it("breaks a curve at NaN and never bridges the gap", () => {
    const svg = convergenceFigure({
      x: {},
      y: {},
      panels: [{ series: [{ label: "a", x: [0, 1, 2, 3, 4], y: [1, 2, Number.NaN, 4, 1] }] }],
    });
    const [, d] = /class="curve" d="([^"]+)"/.exec(svg)!;
    expect(d.match(/M/g)).toHaveLength(2);
  });

  it("names all seventeen series at their ends, in the order of the curves", () => {
    const texts = textBoxes(convergenceFigure(examples.seventeen()));
    const names = examples.seventeen().panels[0].series.map((series) => series.label);
    const tops = names.map((name) => texts.findLast((text) => text.content === name)!.top);
    expect([...tops].sort((a, b) => a - b)).toEqual(tops);
  });

  it("gives an optimizer the same colour whatever else is drawn", () => {
    const order = ["sgd", "momentum", "adam"];
    const strokes = (labels: readonly string[]) =>
      [
        ...convergenceFigure({
          x: {},
          y: {},
          colours: { by: "category", order },
          panels: [{ series: labels.map((label, i) => ({ label, x: [0, 1], y: [1, 2 + i] })) }],
        }).matchAll(/class="curve"[^>]* stroke="([^"]+)"/g),
      ].map((match) => match[1]);
    expect(strokes(["adam"])).toEqual([strokes(order)[2]]);
    expect(new Set(strokes(order)).size).toBe(3);
  });

  it("escapes whatever the names hold", () => {
    const svg = convergenceFigure({
      title: '<script>alert("x")</script> & \u0001\ud800',
      x: { label: "a < b" },
      y: {},
      panels: [{ title: "p&q", series: [{ label: "</svg>", x: [0, 1], y: [0, 1] }] }],
    });
    expect(svg).not.toContain("<script");
    expect(svg.match(/<\/svg>/g)).toHaveLength(1);
    expect(svg).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; \ufffd\ufffd");
    expect(() => rasterize(svg, { width: 100 })).not.toThrow();
  });

  it("says which series has unequal lengths", () => {
    const panels = [{ series: [{ label: "sgd", x: [0, 1], y: [1] }] }];
    expect(() => convergenceFigure({ x: {}, y: {}, panels })).toThrow(
      'series "sgd" has 2 values of x and 1 of y; expected equal lengths',
    );
    expect(() => convergenceFigure({ x: {}, y: {}, panels: [] })).toThrow("no panels");
  });

  it("refuses a log domain that reaches zero", () => {
    const panels = [{ series: [{ label: "sgd", x: [0, 1], y: [1, 2] }] }];
    expect(() => convergenceFigure({ x: {}, y: { scale: "log", domain: [0, 1] }, panels })).toThrow(
      "both above 0",
    );
  });
});

describe("sensitivity", () => {
  it("rings the best of each curve and writes the good range in decades", () => {
    const svg = sensitivityFigure(examples.sensitivity());
    // One for each of four curves, one in the legend.
    expect(svg.match(/class="best"/g)).toHaveLength(5);
    expect(svg).toContain(">1.0 decades<");
    expect(svg).toContain(">0.5 decades<");
    expect(sensitivityFigure(examples.sensitivityQuadratic())).toContain(">2/λmax<");
  });

  it("rings the highest where higher is better", () => {
    const draw = (better: "lower" | "higher") => {
      const svg = sensitivityFigure({
        x: { domain: [0.1, 10] },
        y: {},
        better,
        curves: [
          {
            label: "sgd",
            points: [
              { x: 0.1, value: 0.9 },
              { x: 1, value: 0.5 },
            ],
          },
        ],
      });
      return Number([...svg.matchAll(/class="best" cx="([\d.]+)"/g)].at(-1)![1]);
    };
    expect(draw("higher")).toBeLessThan(draw("lower"));
  });
});

describe("heat map", () => {
  it("puts the boundary between the stable and the unstable cells", () => {
    const svg = heatMapFigure({
      x: { scale: "log" },
      y: {},
      values: { label: "v" },
      boundaries: [
        {
          label: "limit",
          points: [
            [0.1, -1],
            [0.1, 2],
          ],
        },
      ],
      cells: [0, 1].flatMap((y) => [0.01, 1].map((x) => ({ x, y, value: x + y }))),
    });
    const cells = [...svg.matchAll(/<rect x="([\d.]+)"[^>]*width="([\d.]+)"[^>]*class="cell"/g)].map(
      (match) => [Number(match[1]), Number(match[2])],
    );
    const [, at] = /class="boundary"[^>]*>\s*<path d="M([\d.]+),/.exec(svg)!;
    // 0.1 is midway between 0.01 and 1 on a log axis: the shared edge of the cells.
    expect(Number(at)).toBeCloseTo(cells[1][0], 1);
    expect(cells[0][0] + cells[0][1]).toBeCloseTo(cells[1][0], 1);
  });

  it("draws a text in a cell only where every text fits", () => {
    const texts = (count: number) => {
      const xs = Array.from({ length: count }, (_, i) => i);
      const svg = heatMapFigure({
        x: {},
        y: {},
        values: { label: "v" },
        cells: xs.map((x) => ({ x, y: 0, value: 12345 + x })),
      });
      // Small texts stand in cells, the axes' are larger.
      return [...svg.matchAll(/font-size="11"[^>]*>12,\d00</g)].length;
    };
    expect(texts(4)).toBe(4);
    expect(texts(60)).toBe(0);
  });

  it("refuses two cells at one place", () => {
    const cell = { x: 1, y: 2, value: 3 };
    expect(() => heatMapFigure({ x: {}, y: {}, values: { label: "v" }, cells: [cell, cell] })).toThrow(
      "two cells at (1, 2)",
    );
  });
});

describe("comparison", () => {
  it("sorts by the first column, the best on top, what has no value last", () => {
    const names = ["adam", "nesterov", "momentum", "sgd", "adagrad", "rmsprop", "adadelta", "adamw"];
    const boxes = textBoxes(comparisonFigure(examples.comparison()));
    const tops = names.map((name) => boxes.find((box) => box.content === name)!.top);
    expect([...tops].sort((a, b) => a - b)).toEqual(tops);
  });

  it("refuses a row without a value for each column", () => {
    expect(() =>
      comparisonFigure({ columns: [{}, {}], rows: [{ label: "sgd", values: [{ value: 1 }] }] }),
    ).toThrow('row "sgd" has 1 values; expected 2');
  });
});
