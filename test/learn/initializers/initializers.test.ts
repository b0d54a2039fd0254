/** Initialisers: moments, bounds and fans of large draws; the same values for the same key. */
import { describe, expect, it } from "vitest";
import { evaluate, keyFromSeed } from "../../../src/graph/index.js";
import {
  constantValue,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  normal,
  pytorchDefault,
  truncatedNormal,
  uniform,
  zeroValues,
} from "../../../src/learn/initializers/index.js";

const shape = [200, 100];
const fans = { in: 100, out: 200 };
const draw = (initializer: Initializer, seed = 1) => [
  ...evaluate([initializer(keyFromSeed(seed), shape, fans)])[0].data,
];

interface Moments {
  readonly initializer: Initializer;
  readonly name: string;
  readonly deviation: number;
  /** Greatest magnitude; undefined: without bound. */
  readonly bound?: number;
}

// Of a normal cut at two deviations: sqrt(1 - 4 phi(2) / erf(sqrt 2)).
const cut = 0.8796256610342398;
const root3 = Math.sqrt(3);
const cases: Moments[] = [
  { initializer: uniform(0.2), name: "uniform(0.2)", deviation: 0.2 / root3, bound: 0.2 },
  { initializer: normal(0.1), name: "normal(0.1)", deviation: 0.1 },
  { initializer: truncatedNormal(0.1), name: "truncatedNormal(0.1)", deviation: 0.1 * cut, bound: 0.2 },
  {
    initializer: glorotUniform,
    name: "glorotUniform",
    deviation: Math.sqrt(2 / 300),
    bound: Math.sqrt(6 / 300),
  },
  { initializer: glorotNormal, name: "glorotNormal", deviation: Math.sqrt(2 / 300) },
  { initializer: heUniform, name: "heUniform", deviation: Math.sqrt(2 / 100), bound: Math.sqrt(6 / 100) },
  { initializer: heNormal, name: "heNormal", deviation: Math.sqrt(2 / 100) },
  { initializer: pytorchDefault, name: "pytorchDefault", deviation: 0.1 / root3, bound: 0.1 },
];

describe("initialisers", () => {
  it.each(cases)("$name has its deviation and bound", ({ initializer, name, deviation, bound }) => {
    const values = draw(initializer);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(values.length));
    expect(Math.abs(Math.sqrt(variance) / deviation - 1)).toBeLessThan(0.025);
    const greatest = Math.max(...values.map(Math.abs));
    if (bound !== undefined) {
      expect(greatest).toBeLessThanOrEqual(bound * (1 + 1e-6));
      expect(greatest).toBeGreaterThan(0.99 * bound);
    } else expect(greatest).toBeGreaterThan(3 * deviation);
    expect(initializer.name).toBe(name);
    expect(draw(initializer)).toEqual(values);
    expect(draw(initializer, 2)).not.toEqual(values);
  });

  it("fills with one value", () => {
    expect(new Set(draw(zeroValues))).toEqual(new Set([0]));
    expect(new Set(draw(constantValue(0.5)))).toEqual(new Set([0.5]));
    expect(constantValue(0.5).name).toBe("constantValue(0.5)");
  });

  it("names impossible settings", () => {
    expect(() => normal(0)).toThrow("normal: received sigma 0; expected a finite number above 0.");
    expect(() => uniform(Number.NaN)).toThrow("uniform: received limit NaN");
    expect(() => constantValue(Number.POSITIVE_INFINITY)).toThrow("expected a finite number");
  });
});
