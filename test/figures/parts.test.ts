/** The parts of figures against values known from elsewhere: numbers, ticks, colours, cutting, contours. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  categoricalColours,
  categoryStyle,
  contrastRatio,
  inkOn,
  perceivedLightness,
  sequentialColour,
  textColour,
} from "../../src/figures/colour.js";
import { contourRings, logLevels, sampleGrid } from "../../src/figures/contours.js";
import { spreadLabels } from "../../src/figures/labels.js";
import { chooseColumns, panelGrid } from "../../src/figures/layout.js";
import { formatFixed, formatNumber, powerOfTen } from "../../src/figures/numbers.js";
import { clipPolygon, clipPolyline, lastExit, simplify } from "../../src/figures/polyline.js";
import { dataDomain, makeScale } from "../../src/figures/scale.js";
import { coordinate, escapeXml, type Point } from "../../src/figures/svg.js";
import { fitText, textWidth, wrapText } from "../../src/figures/text.js";
import { linearTicks, logTicks } from "../../src/figures/ticks.js";

describe("numbers for people", () => {
  it.each([
    [0, "0"],
    [-0, "0"],
    [0.001, "0.001"],
    [0.0005, "0.0005"],
    [5e-5, "5×10⁻⁵"],
    [1e-5, "10⁻⁵"],
    [0.99951, "1"],
    [999.6, "1000"],
    [1000, "1000"],
    [12345, "12,300"],
    [-2.5, "−2.5"],
    [1e6, "10⁶"],
    [2.345e12, "2.35×10¹²"],
    [1e300, "10³⁰⁰"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NaN, "not a number"],
  ])("%d is %s", (value, text) => expect(formatNumber(value)).toBe(text));

  it("keeps decimals where a column asks for them", () => {
    expect(formatFixed(0.9, 2)).toBe("0.90");
    expect(formatFixed(-0.001, 2)).toBe("0.00");
    expect(formatFixed(-12345.6, 1)).toBe("−12,345.6");
    expect(powerOfTen(-12)).toBe("10⁻¹²");
  });
});

describe("ticks", () => {
  const values = (ticks: ReturnType<typeof logTicks>) => ticks.major.map((tick) => tick.value);
  const labels = (ticks: ReturnType<typeof logTicks>) => ticks.major.map((tick) => tick.label);

  it("are powers of ten with minor 2 to 9 where decades are wide", () => {
    const ticks = logTicks([1, 1000], 600, 56);
    expect(values(ticks)).toEqual([1, 10, 100, 1000]);
    expect(labels(ticks)).toEqual(["1", "10", "100", "1000"]);
    expect(ticks.minor).toHaveLength(24);
  });

  it("skip powers when many decades are narrow, on multiples of the step", () => {
    const ticks = logTicks([1e-31, 10], 300, 30);
    expect(labels(ticks)).toEqual(["10⁻³⁰", "10⁻²⁵", "10⁻²⁰", "10⁻¹⁵", "10⁻¹⁰", "10⁻⁵", "10⁰"]);
  });

  it("hold over the whole range of doubles", () => {
    const ticks = logTicks([1e-300, 1e300], 300, 30);
    expect(ticks.major.length).toBeGreaterThanOrEqual(4);
    expect(ticks.major.length).toBeLessThanOrEqual(10);
  });

  it("name 1, 2, 5 in one to two decades, and round steps in less", () => {
    expect(labels(logTicks([0.24, 2.4], 380, 30))).toEqual(["0.5", "1", "2"]);
    expect(labels(logTicks([0.26, 0.31], 380, 30))).toEqual(["0.26", "0.27", "0.28", "0.29", "0.30", "0.31"]);
  });

  it("on linear axes have equal decimals", () => {
    expect(linearTicks([0, 1], 5).major.map((tick) => tick.label)).toEqual([
      "0.0",
      "0.2",
      "0.4",
      "0.6",
      "0.8",
      "1.0",
    ]);
    expect(linearTicks([0, 50000], 5).major.at(-1)!.label).toBe("50,000");
  });

  it("lie inside the domain, rise, and stand apart, whatever the domain", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -300, max: 290, noNaN: true }),
        fc.double({ min: 0.01, max: 600, noNaN: true }),
        (exponent, decades) => {
          const low = 10 ** exponent;
          const high = Math.min(1e307, 10 ** (exponent + decades));
          fc.pre(low < high);
          const scale = makeScale({ kind: "log", domain: [low, high], range: [0, 400] });
          const found = scale.ticks(30).major.map((tick) => tick.value);
          for (const [i, value] of found.entries()) {
            expect(value).toBeGreaterThanOrEqual(low * (1 - 1e-8));
            expect(value).toBeLessThanOrEqual(high * (1 + 1e-8));
            if (i > 0) expect(scale.toPixel(value) - scale.toPixel(found[i - 1])).toBeGreaterThan(9);
          }
        },
      ),
      { numRuns: 200, seed: 1 },
    );
  });
});

describe("scales", () => {
  it("map decades evenly and send what has no place far outside", () => {
    const scale = makeScale({ kind: "log", domain: [1, 100], range: [200, 0] });
    expect(scale.toPixel(10)).toBeCloseTo(100, 9);
    expect(scale.toPixel(0)).toBeGreaterThan(1e5);
    expect(scale.toPixel(Number.POSITIVE_INFINITY)).toBeLessThan(-1e5);
    expect(scale.toPixel(Number.NaN)).toBeNaN();
  });

  it("take their domain from finite values only", () => {
    expect(dataDomain([Number.NaN, 2, Number.POSITIVE_INFINITY, 4], "linear", [0, 0])).toEqual([2, 4]);
    expect(dataDomain([0, -1, 1, 100], "log", [0, 0])).toEqual([1, 100]);
    expect(dataDomain([], "log")).toEqual([0.1, 1]);
    expect(dataDomain([5], "linear", [0, 0])).toEqual([2.5, 7.5]);
  });

  it("say which domain is wrong", () => {
    expect(() => makeScale({ kind: "log", domain: [-1, 1], range: [0, 1] })).toThrow(
      "[-1, 1] does not fit a log axis",
    );
  });
});

describe("colours", () => {
  it("rise evenly in lightness along the ramp, so grey print keeps the order", () => {
    const steps = Array.from({ length: 21 }, (_, i) => perceivedLightness(sequentialColour(i / 20)));
    for (let i = 1; i < steps.length; i++) expect(steps[i] - steps[i - 1]).toBeCloseTo(0.033, 2);
  });

  it("measure contrast as WCAG does", () => {
    expect(contrastRatio("#000000", "#ffffff")).toBeCloseTo(21, 9);
    expect(contrastRatio("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
    expect(perceivedLightness("#ffffff")).toBeCloseTo(1, 6);
  });

  it("choose readable ink on every colour of the ramp, and readable text in every category's colour", () => {
    for (let t = 0; t <= 1; t += 0.02) {
      const fill = sequentialColour(t);
      expect(contrastRatio(inkOn(fill), fill)).toBeGreaterThan(4);
    }
    for (const colour of categoricalColours)
      expect(contrastRatio(textColour(colour), "#ffffff")).toBeGreaterThanOrEqual(4.5);
  });

  it("tell fourteen categories apart by colour, marker or dash", () => {
    const looks = Array.from({ length: 14 }, (_, i) => JSON.stringify(categoryStyle(i)));
    expect(new Set(looks).size).toBe(14);
  });
});

describe("polylines", () => {
  const frame = { x: 0, y: 0, width: 10, height: 10 };

  it("are cut where they cross the frame, and broken at NaN", () => {
    const parts = clipPolyline(
      [
        { x: -5, y: 5 },
        { x: 5, y: 5 },
        { x: 5, y: -5 },
        { x: Number.NaN, y: 1 },
        { x: 1, y: 1 },
        { x: 2, y: 2 },
      ],
      frame,
    );
    expect(parts).toEqual([
      [
        { x: 0, y: 5 },
        { x: 5, y: 5 },
        { x: 5, y: 0 },
      ],
      [
        { x: 1, y: 1 },
        { x: 2, y: 2 },
      ],
    ]);
  });

  it("know where they leave for good", () => {
    expect(
      lastExit(
        [
          { x: 1, y: 1 },
          { x: 1, y: -9 },
          { x: 3, y: 5 },
          { x: 3, y: -5 },
          { x: 4, y: -9 },
        ],
        frame,
      ),
    ).toEqual({ x: 3, y: 0 });
    expect(
      lastExit(
        [
          { x: 1, y: 1 },
          { x: 2, y: 2 },
        ],
        frame,
      ),
    ).toBeUndefined();
  });

  it("as polygons keep the area inside", () => {
    const square = [
      { x: 5, y: 5 },
      { x: 15, y: 5 },
      { x: 15, y: 15 },
      { x: 5, y: 15 },
    ];
    expect(area(clipPolygon(square, frame))).toBeCloseTo(25, 9);
    expect(
      clipPolygon(
        square.map((point) => ({ x: point.x + 20, y: point.y })),
        frame,
      ),
    ).toEqual([]);
  });

  it("lose points that no eye sees, and only those", () => {
    const curve = Array.from({ length: 1001 }, (_, i) => ({ x: i / 2, y: 100 * Math.exp(-i / 200) }));
    const thin = simplify(curve, 0.12);
    expect(thin.length).toBeLessThan(60);
    for (const point of curve) {
      const after = Math.max(
        1,
        thin.findIndex((one) => one.x >= point.x),
      );
      const [a, b] = [thin[after - 1], thin[after]];
      expect(Math.abs(a.y + ((point.x - a.x) / (b.x - a.x)) * (b.y - a.y) - point.y)).toBeLessThan(0.15);
    }
  });
});

describe("labels move apart", () => {
  it("by as little as possible", () => {
    expect(spreadLabels([10, 50], { gap: 12, low: 0, high: 100 })).toEqual([10, 50]);
    expect(spreadLabels([20, 20, 20], { gap: 10, low: 0, high: 100 })).toEqual([10, 20, 30]);
    expect(spreadLabels([100, 99], { gap: 10, low: 0, high: 100 })).toEqual([100, 90]);
  });

  it("whatever is wanted: inside, apart, in order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -50, max: 400, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (wanted) => {
          const placed = spreadLabels(wanted, { gap: 15, low: 0, high: 300 });
          const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b] || a - b);
          order.forEach((index, rank) => {
            expect(placed[index]).toBeGreaterThanOrEqual(-1e-9);
            expect(placed[index]).toBeLessThanOrEqual(300 + 1e-9);
            if (rank > 0) expect(placed[index] - placed[order[rank - 1]]).toBeGreaterThanOrEqual(15 - 1e-9);
          });
        },
      ),
      { seed: 2 },
    );
  });
});

describe("contours", () => {
  it("of a paraboloid are circles of the right radius", () => {
    const grid = sampleGrid((x, y) => x * x + y * y, { x: [-2, 2], y: [-2, 2] }, 101);
    const rings = contourRings(grid, 1);
    // Outside of the circle lies the high side: the border is the other ring.
    expect(rings).toHaveLength(2);
    const circle = rings.find((ring) => ring.every((point) => Math.hypot(point.x, point.y) < 1.5))!;
    for (const point of circle) expect(Math.hypot(point.x, point.y)).toBeCloseTo(1, 3);
    expect(Math.abs(area(circle))).toBeCloseTo(Math.PI, 2);
    const border = rings.find((ring) => ring !== circle)!;
    expect(Math.abs(area(border))).toBeCloseTo(16, 9);
  });

  it("close at a saddle, and take values that are not finite as high", () => {
    const saddle = sampleGrid((x, y) => x * y, { x: [-1, 1], y: [-1, 1] }, 4);
    const total = contourRings(saddle, 0.01).reduce((sum, ring) => sum + area(ring), 0);
    expect(Math.abs(total)).toBeGreaterThan(1.5);
    expect(Math.abs(total)).toBeLessThan(2.2);
    const holed = {
      x: [0, 1, 2],
      y: [0, 1, 2],
      z: [
        [0, 0, 0],
        [0, Number.NaN, 0],
        [0, 0, 0],
      ],
    };
    expect(contourRings(holed, 1)).toHaveLength(1);
  });

  it("have levels that rise by an equal factor above the minimum", () => {
    const grid = sampleGrid((x, y) => 7 + x * x + 10 * y * y, { x: [-1, 1], y: [-1, 1] });
    const heights = logLevels(grid, 6).map((level) => level - 7);
    const factor = heights[1] / heights[0];
    for (let i = 1; i < heights.length; i++) expect(heights[i] / heights[i - 1]).toBeCloseTo(factor, 6);
    expect(logLevels(sampleGrid(() => 3, { x: [0, 1], y: [0, 1] }, 5))).toEqual([]);
  });

  it("name the sizes that do not fit", () => {
    expect(() => contourRings({ x: [0, 1], y: [0, 1], z: [[1, 2]] }, 1)).toThrow(
      "expected z with 2 rows of 2",
    );
  });
});

describe("text and layout", () => {
  it("measures as DejaVu Sans does", () => {
    // From the font's own table: H 752, e 615, l 278, l 278, o 612 thousandths.
    expect(textWidth("Hello", { size: 10 })).toBeCloseTo(25.35, 9);
    expect(textWidth("10⁻³", { size: 10 })).toBeCloseTo(22.01, 1);
  });

  it("breaks and cuts to the width", () => {
    for (const line of wrapText("the quick brown fox jumps over the lazy dog", 80))
      expect(textWidth(line)).toBeLessThanOrEqual(80);
    expect(wrapText("the quick brown fox", 80).join(" ")).toBe("the quick brown fox");
    expect(fitText("abcdefghijklmnop", 50)).toMatch(/^abc\w*…$/);
  });

  it("rounds coordinates and stops at what is not finite", () => {
    expect(coordinate(1.005)).toBe("1");
    expect(coordinate(-0.001)).toBe("0");
    expect(() => coordinate(Number.NaN)).toThrow("not finite");
    expect(escapeXml(`<a b="c">&`)).toBe("&lt;a b=&quot;c&quot;&gt;&amp;");
  });

  it("places panels without overlap and knows which carry axis labels", () => {
    const places = panelGrid({
      count: 5,
      columns: 3,
      area: { x: 0, y: 0, width: 320, height: 210 },
      gapPx: 10,
      headPx: 20,
    });
    expect(places.map((place) => place.isLeft)).toEqual([true, false, false, true, false]);
    expect(places.map((place) => place.isBottom)).toEqual([false, false, true, true, true]);
    expect(places[4].frame).toEqual({ x: 110, y: 130, width: 100, height: 80 });
    expect(chooseColumns(4, 600)).toBe(2);
    expect(chooseColumns(3, 600)).toBe(3);
    expect(chooseColumns(7, 300)).toBe(1);
  });
});

/** Shoelace formula. */
function area(ring: readonly Point[]): number {
  return ring.reduce((sum, point, i) => {
    const next = ring[(i + 1) % ring.length];
    return sum + (point.x * next.y - next.x * point.y) / 2;
  }, 0);
}
