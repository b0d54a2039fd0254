/** Schedules against PyTorch's factors (test/fixtures/optimizers/schedules.jsonl), and what PyTorch lacks. */
import { describe, expect, test } from "vitest";
import type { DType } from "../../../src/base/dtype.js";
import { evaluate, full, minimum, rsqrt, variable } from "../../../src/graph/index.js";
import {
  constantRate,
  cosine,
  defineSchedule,
  describeSchedule,
  exponential,
  linearWarmup,
  oneCycle,
  polynomial,
  product,
  type Schedule,
  type ScheduleDescription,
  scheduleFrom,
  schedules,
  sequence,
  stepDecay,
  withWarmup,
} from "../../../src/learn/schedules/index.js";
import { readFixture } from "../optimizers/peers.js";

interface Fixture {
  readonly source: string;
  readonly cases: readonly {
    readonly schedule: ScheduleDescription;
    readonly totalSteps: number;
    readonly factors: readonly number[];
  }[];
}

const fixture = readFixture<Fixture>("schedules.jsonl");

/** Factors at `steps`, from one graph. */
function factorsAt(
  schedule: Schedule,
  steps: readonly number[],
  { totalSteps = 40, dtype = "float64" }: { totalSteps?: number; dtype?: DType } = {},
): number[] {
  const step = variable("step", [], dtype);
  const factor = schedule.factor(step, totalSteps);
  expect(factor.shape).toEqual([]);
  expect(factor.dtype).toBe(dtype);
  return steps.map(
    (t) => evaluate([factor], new Map([[step, evaluate([full([], t, dtype)])[0]]]))[0].data[0],
  );
}

const close = (received: readonly number[], expected: readonly number[], digits = 13): void => {
  expect(received.length).toBe(expected.length);
  received.forEach((value, i) => {
    expect(value, `step ${i}`).toBeCloseTo(expected[i], digits);
  });
};

describe(fixture.source, () => {
  const named = fixture.cases.map((c) => [JSON.stringify(c.schedule).replaceAll('"', ""), c] as const);
  test.each(named)("%s", (_, { schedule, totalSteps, factors }) => {
    const steps = factors.map((_, t) => t);
    close(factorsAt(scheduleFrom(schedule), steps, { totalSteps }), factors);
    close(factorsAt(scheduleFrom(schedule), steps, { totalSteps, dtype: "float32" }), factors, 5);
  });

  test("covers every schedule", () => {
    for (const { id } of schedules) expect(fixture.cases.map(({ schedule }) => schedule.id)).toContain(id);
  });
});

describe("beyond PyTorch", () => {
  test("decays stay at their end", () => {
    close(factorsAt(cosine({ steps: 10, end: 0.1 }), [10, 15, 20, 1000]), [0.1, 0.1, 0.1, 0.1]);
    close(factorsAt(polynomial({ steps: 10, power: 2, end: 0.25 }), [0, 5, 10, 99]), [1, 0.4375, 0.25, 0.25]);
    close(factorsAt(oneCycle({ steps: 10 }), [9, 12]), [4e-6, 4e-6]);
  });

  test("a warm-up may start at 0", () => {
    close(factorsAt(linearWarmup({ steps: 4, start: 0 }), [0, 1, 2, 4, 9]), [0, 0.25, 0.5, 1, 1]);
  });

  test("exponential over several steps is smooth", () => {
    close(factorsAt(exponential({ decay: 0.25, every: 4 }), [0, 2, 4, 8]), [1, 0.5, 0.25, 0.0625]);
  });

  test("one cycle that only rises, and that only falls", () => {
    close(factorsAt(oneCycle({ steps: 11, rise: 1, startDivisor: 10 }), [0, 5, 10]), [0.1, 0.55, 1]);
    close(
      factorsAt(oneCycle({ steps: 10, rise: 0.1, startDivisor: 2, endDivisor: 5 }), [0, 9, 20]),
      [1, 0.1, 0.1],
    );
  });

  test("a warm-up before a schedule gives it the rest of the run", () => {
    const factors = factorsAt(withWarmup(cosine(), { steps: 4, start: 0 }), [0, 2, 4, 8, 12], {
      totalSteps: 12,
    });
    close(factors, [0, 0.5, 1, 0.5, 0]);
  });

  test("a product multiplies", () => {
    const schedule = product([constantRate({ factor: 0.5 }), stepDecay({ every: 2, decay: 0.1 })]);
    close(factorsAt(schedule, [0, 1, 2, 4]), [0.5, 0.5, 0.05, 0.005]);
  });

  test("a sequence hides the values of parts that are not in force", () => {
    // A fractional power of a negative base, before its turn and after it.
    const wild = polynomial({ steps: 5, power: 0.5 });
    close(factorsAt(sequence([constantRate(), wild], { at: [3] }), [0, 2, 3, 8]), [1, 1, 1, 0]);
  });

  test("a schedule of the user's own", () => {
    const inverseSqrt = defineSchedule({
      id: "inverse-sqrt",
      title: "Inverse square root",
      parameters: { scale: { default: 1, minimum: 0, meaning: "greatest factor" } },
      factor: (step, { scale }) => minimum(rsqrt(step), scale),
    });
    close(factorsAt(inverseSqrt({ scale: 0.5 }), [0, 1, 4, 16, 100]), [0.5, 0.5, 0.5, 0.25, 0.1]);
    const description = describeSchedule(inverseSqrt({ scale: 0.5 }));
    close(factorsAt(scheduleFrom(description, [...schedules, inverseSqrt]), [16]), [0.25]);
  });
});

describe("descriptions", () => {
  test("survive JSON and give the same schedule", () => {
    const schedule = product([
      sequence([linearWarmup({ steps: 3 }), constantRate(), cosine({ end: 0.1 })], { at: [3, 10] }),
      stepDecay({ every: 7 }),
    ]);
    const stored = JSON.parse(JSON.stringify(describeSchedule(schedule)));
    expect(stored).toEqual({
      id: "product",
      parameters: {},
      parts: [
        {
          id: "sequence",
          parameters: { at1: 3, at2: 10 },
          parts: [
            { id: "linear-warmup", parameters: { steps: 3, start: 1 / 3 } },
            { id: "constant", parameters: { factor: 1 } },
            { id: "cosine", parameters: { end: 0.1 } },
          ],
        },
        { id: "step-decay", parameters: { every: 7, decay: 0.1 } },
      ],
    });
    const steps = Array.from({ length: 40 }, (_, t) => t);
    expect(factorsAt(scheduleFrom(stored), steps)).toEqual(factorsAt(schedule, steps));
  });
});

describe("mistakes", () => {
  const mistakes: [string, () => unknown, string][] = [
    ["unknown parameter", () => cosine({ ends: 0 } as never), 'Did you mean "end"?'],
    ["missing parameter", () => stepDecay(), "every (steps between two falls) is missing"],
    ["not finite", () => exponential({ decay: Number.NaN }), "decay (factor over `every` steps) is NaN"],
    ["out of bounds", () => oneCycle({ rise: 2 }), "expected a finite number from 0 to 1"],
    ["not a number", () => cosine({ end: "1" as never }), 'is "1"'],
    ["no parts", () => product([]), "expected at least one"],
    ["too many boundaries", () => sequence([cosine()], { at: [3] }), "1 schedules with boundaries [3]"],
    [
      "boundaries that fall",
      () => sequence([cosine(), cosine(), cosine()], { at: [5, 4] }),
      "increasing integers of at least 1",
    ],
    ["a boundary at 0", () => sequence([cosine(), cosine()], { at: [0] }), "increasing integers"],
    [
      "no length of the run",
      () => cosine().factor(variable("step", []), Number.POSITIVE_INFINITY),
      "needs the length of the run and got Infinity",
    ],
    ["unknown id", () => scheduleFrom({ id: "cosin", parameters: {} }), 'Did you mean "cosine"?'],
  ];
  test.each(mistakes)("%s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});
