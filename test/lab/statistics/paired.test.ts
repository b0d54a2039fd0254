/**
 * Comparisons against scipy 1.17: `stats.ttest_rel` with its confidence interval, `stats.permutation_test(...,
 * permutation_type="samples", n_resamples=inf)`, `stats.binomtest(1, 7)`.
 */
import { describe, expect, it } from "vitest";
import { keyFromSeed, normalFromBits, randomBits } from "../../../src/base/random.js";
import { compareAll, comparePaired, holm, rank, type SeedValue } from "../../../src/lab/statistics/index.js";

const bySeed = (values: readonly number[]): SeedValue[] => values.map((value, seed) => ({ seed, value }));
const lower = { better: "lower" } as const;

const small = bySeed([0.3, 0.31, 0.29, 0.33, 0.3]);
const large = bySeed([0.34, 0.33, 0.35, 0.36, 0.32]);

describe("comparePaired", () => {
  it("decides by the paired t where no exact test could, and says so", () => {
    const found = comparePaired(small, large, lower);
    expect(found).toMatchObject({ verdict: "better", pairs: 5, method: "paired t", signFlipP: 0.0625 });
    expect(found.p).toBeCloseTo(0.010469669289615206, 12);
    expect(found.difference.low).toBeCloseTo(-0.054777012673671355, 12);
    expect(found.difference.high).toBeCloseTo(-0.01322298732632866, 12);
    expect(found.reason).toBe(
      "5 paired seeds: the verdict assumes nearly normal differences, no exact test reaches 95 %",
    );
  });

  it("turns with the order and with the better side", () => {
    expect(comparePaired(large, small, lower).verdict).toBe("worse");
    expect(comparePaired(small, large, { better: "higher" }).verdict).toBe("worse");
    expect(comparePaired(small, large, { ...lower, level: 0.995 }).verdict).toBe("the data do not decide");
  });

  it("needs the sign flips as well from six pairs", () => {
    const a = bySeed([1.0, 1.2, 0.9, 1.1, 1.3, 0.8, 1.05, 1.15]);
    const b = bySeed([1.1, 1.15, 1.2, 1.25, 1.5, 0.85, 1.0, 1.4]);
    const found = comparePaired(a, b, lower); // t alone: p = 0.037
    expect(found).toMatchObject({ method: "paired t and sign flips", p: 0.0625, signFlipP: 0.0625 });
    expect(found.verdict).toBe("the data do not decide");
  });

  it("pairs by seed, whatever the order, and leaves the others out", () => {
    const shuffled = [{ seed: 9, value: 100 }, ...[...large].reverse()];
    expect(comparePaired(small, shuffled, lower)).toEqual(comparePaired(small, large, lower));
    expect(comparePaired(small, [{ seed: 9, value: 1 }], lower)).toMatchObject({
      verdict: "the data do not decide",
      pairs: 0,
      reason: "no seed in common",
    });
  });

  it("decides nothing from one seed unless seeds change nothing", () => {
    const one = [bySeed([1]), bySeed([2])] as const;
    expect(comparePaired(...one, lower)).toMatchObject({
      verdict: "the data do not decide",
      difference: { estimate: -1, low: -Infinity, high: Infinity },
    });
    const known = { verdict: "better", method: "deterministic", p: 0, difference: { low: -1, high: -1 } };
    expect(comparePaired(...one, { ...lower, randomness: "none" })).toMatchObject(known);
    expect(comparePaired(bySeed([1, 1, 1]), bySeed([2, 2, 2]), lower)).toMatchObject(known);
    expect(comparePaired(bySeed([2, 2]), bySeed([2, 2]), lower).verdict).toBe("the data do not decide");
  });

  it("counts a diverged run as worse than any other, by the sign test", () => {
    const diverging = bySeed([Number.NaN, 2, 2, 2, 2, 2, 0]);
    const found = comparePaired(diverging, bySeed([1, 1, 1, 1, 1, 1, 1]), lower);
    expect(found).toMatchObject({ method: "sign test", p: 0.125, verdict: "the data do not decide" });
    const all = bySeed([Number.NaN, 2, 2, 2, 2, 2, 2]);
    expect(comparePaired(all, bySeed([1, 1, 1, 1, 1, 1, 1.5]), lower)).toMatchObject({
      p: 2 / 128,
      verdict: "worse",
    });
    expect(comparePaired(bySeed([Number.NaN]), bySeed([1]), { ...lower, randomness: "none" }).verdict).toBe(
      "worse",
    );
  });

  it("samples the sign flips of many pairs", () => {
    const key = keyFromSeed(3);
    const noise = (offset: number) =>
      bySeed(Array.from({ length: 30 }, (_, i) => normalFromBits(randomBits(key, offset + i), 1)));
    const [a, b] = [noise(0), noise(100)];
    const found = comparePaired(a, b, lower);
    expect(found.verdict).toBe("the data do not decide");
    expect(found.signFlipP).toBeGreaterThan(0.05);
    const moved = b.map(({ seed, value }) => ({ seed, value: value + 2 }));
    expect(comparePaired(a, moved, lower)).toMatchObject({ verdict: "better", signFlipP: 1 / 10_001 });
  });

  it("errs as seldom as its level says when nothing differs", () => {
    const key = keyFromSeed(11);
    let wrong = 0;
    for (let trial = 0; trial < 1000; trial++) {
      const values = (offset: number) =>
        bySeed(
          Array.from({ length: 4 }, (_, i) => normalFromBits(randomBits(key, trial * 8 + offset + i), 1)),
        );
      if (comparePaired(values(0), values(4), lower).verdict !== "the data do not decide") wrong++;
    }
    expect(wrong).toBeGreaterThan(29); // 50 expected, three standard errors are 21
    expect(wrong).toBeLessThan(71);
  });
});

describe("several at once", () => {
  it("corrects as Holm: the k-th smallest times m - k + 1, monotone", () => {
    // By hand: 0.01 x 4, 0.02 x 3, then 0.03 x 2 = 0.06 kept, 0.04 x 1 raised to 0.06.
    const adjusted = holm([0.04, 0.01, 0.03, 0.02]);
    for (const [i, p] of [0.06, 0.04, 0.06, 0.06].entries()) expect(adjusted[i]).toBeCloseTo(p, 14);
    expect(holm([0.6, 0.7])).toEqual([1, 1]);
  });

  it("withdraws a verdict that does not survive the correction", () => {
    const groups = [
      { name: "a", values: small },
      { name: "b", values: large },
      { name: "c", values: bySeed([0.32, 0.3, 0.33, 0.31, 0.35]) },
    ];
    const [ab] = compareAll(groups, lower);
    expect(ab).toMatchObject({ first: "a", second: "b", verdict: "better" });
    expect(ab.adjustedP).toBeCloseTo(3 * 0.010469669289615206, 12);
    const four = [...groups, ...["d", "e"].map((name) => ({ name, values: groups[2].values }))];
    expect(compareAll(four, lower)[0].verdict).toBe("the data do not decide");
  });

  it("ranks, and names everyone that the data do not tell from the first", () => {
    const found = rank(
      [
        { name: "bad", values: bySeed([2, 2.1, 1.9, 2.05, 2]) },
        { name: "diverges", values: bySeed([1, 1, Number.NaN, 1, 1]) },
        { name: "good", values: small },
        { name: "as good", values: bySeed([0.31, 0.3, 0.3, 0.32, 0.305]) },
      ],
      lower,
    );
    expect(found.standings.map(({ name }) => name)).toEqual(["good", "as good", "bad", "diverges"]);
    expect(found.standings[2].versusFirst).toMatchObject({ first: "bad", second: "good", verdict: "worse" });
    expect(found.standings[2].versusFirst?.difference.low).toBeGreaterThan(1.5);
    expect(found.standings[3].interval).toBeUndefined();
    expect(found.leaders).toContain("as good");
    expect(found.leaders).not.toContain("bad");
    expect(found.comparisons).toHaveLength(6);
  });
});
