/** Averages of iterates against their definitions; descriptions that make them again; mistakes. */
import { describe, expect, test } from "vitest";
import { constantArray, type DType, evaluate, full } from "../../../src/graph/index.js";
import {
  type Average,
  averaged,
  averageFrom,
  describeAverage,
  ema,
  type RunLength,
  swa,
} from "../../../src/learn/averages/index.js";
import { adam, sgd } from "../../../src/learn/optimizers/index.js";

/** Weights of the updates 1, 2, ... */
const weights = (average: Average, run: RunLength, dtype: DType = "float64"): number[] =>
  Array.from({ length: run.totalSteps }, (_, i) => {
    const [value] = evaluate([average.weight(full([], i + 1, dtype), run)]);
    expect([value.dtype, value.shape]).toEqual([dtype, []]);
    return value.data[0];
  });

/** The averages of a sequence of scalars, as the trainer makes them. */
function followed(average: Average, iterates: readonly number[], run: Partial<RunLength> = {}): number[] {
  let value = 100;
  return weights(average, { totalSteps: iterates.length, ...run }).map((weight, i) => {
    const vector = (x: number) => constantArray(Float64Array.of(x), [1], "float64");
    const [next] = evaluate([averaged(vector(value), vector(iterates[i]), full([], weight, "float64"))]);
    value = next.data[0];
    return value;
  });
}

const iterates = [3, -1, 4, 1, -5, 9, 2, -6, 5, 3];

describe("exponential", () => {
  test.each([0, 0.5, 0.9, 0.999])(
    "with decay %d is the weighted mean of all iterates, without the start",
    (decay) => {
      const received = followed(ema({ decay }), iterates);
      received.forEach((value, t) => {
        const shares = iterates.slice(0, t + 1).map((_, i) => decay ** (t - i));
        const total = shares.reduce((sum, share) => sum + share, 0);
        const expected = shares.reduce((sum, share, i) => sum + share * iterates[i], 0) / total;
        expect(value).toBeCloseTo(expected, 12);
      });
    },
  );

  test("in float32 the first weights are right to its digits", () => {
    const [first, second, third] = weights(ema({ decay: 0.9999 }), { totalSteps: 3 }, "float32");
    expect(first).toBeCloseTo(1, 6);
    expect(second).toBeCloseTo(1 / 1.9999, 6);
    expect(third).toBeCloseTo(1e-4 / (1 - 0.9999 ** 3), 6);
  });
});

describe("equal", () => {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;

  test("from the beginning at every step it is the mean of all iterates", () => {
    followed(swa({ from: 0, every: 1 }), iterates).forEach((value, t) => {
      expect(value).toBeCloseTo(mean(iterates.slice(0, t + 1)), 12);
    });
  });

  test("counts multiples of the interval from the share on, and is the iterate until then", () => {
    // 0.55 of 10 steps is 5.5: the steps 6, 8 and 10 count.
    const received = followed(swa({ from: 0.55, every: 2 }), iterates);
    expect(received.slice(0, 6)).toEqual(iterates.slice(0, 6));
    const [six, eight, ten] = [iterates[5], iterates[7], iterates[9]];
    [six, mean([six, eight]), mean([six, eight]), mean([six, eight, ten])].forEach((expected, i) => {
      expect(received[6 + i]).toBeCloseTo(expected, 12);
    });
  });

  test("counts the ends of epochs unless told otherwise, exactly at the share", () => {
    const run = { totalSteps: 12, stepsPerEpoch: 3 };
    expect(weights(swa(), run)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1 / 2]);
    // 0.7 * 10 is a little less than 7 in floating point.
    expect(weights(swa({ from: 0.7, every: 1 }), { totalSteps: 10 }).slice(6)).toEqual([
      1,
      1 / 2,
      1 / 3,
      1 / 4,
    ]);
  });

  test("a run without epochs, or too short, is refused with what to do", () => {
    expect(() => weights(swa(), { totalSteps: 10 })).toThrow(
      'swa: every is "epoch", but the problem has no data, and so no epochs; expected a number of steps. Take swa({ every: 1 })?',
    );
    expect(() => weights(swa({ every: 40 }), { totalSteps: 30 })).toThrow(
      "swa: no multiple of 40 steps lies between 0.75 of the run and its end at step 30",
    );
  });
});

test("descriptions make the same averages again", () => {
  for (const average of [ema({ decay: 0.7 }), swa(), swa({ from: 0.5, every: 4 })]) {
    const again = averageFrom(JSON.parse(JSON.stringify(describeAverage(average))));
    expect([again.id, again.title, again.parameters]).toEqual([
      average.id,
      average.title,
      average.parameters,
    ]);
    const run = { totalSteps: 20, stepsPerEpoch: 5 };
    expect(weights(again, run)).toEqual(weights(average, run));
  }
  expect(() => averageFrom({ id: "emma", parameters: {} })).toThrow(
    'unknown average "emma". Did you mean "ema"?',
  );
});

test("titles tell what was asked", () => {
  expect(
    [ema(), ema({ decay: 0.99 }), swa(), swa({ from: 0.5, every: 10 })].map(({ title }) => title),
  ).toEqual(["EMA 0.999", "EMA 0.99", "SWA 0.75", "SWA 0.5 every 10"]);
});

describe("mistakes", () => {
  test("values outside their bounds", () => {
    expect(() => ema({ decay: 1 })).toThrow("ema: received decay 1; expected a number from 0 to below 1");
    expect(() => swa({ from: 1 })).toThrow("swa: received from 1; expected a number from 0 to below 1");
    expect(() => swa({ every: 0 })).toThrow('swa: received every 0; expected "epoch" or a positive number');
    expect(() => ema({ dekay: 0.9 } as never)).toThrow('Did you mean "decay"?');
  });

  test("a choice takes what was called, beside its schedule", () => {
    const average = ema();
    expect(adam({ average }).average).toBe(average);
    expect(() => sgd({ average: ema as never })).toThrow(
      "sgd: average is a function; expected one such as ema() or swa({ from: 0.75 }), called.",
    );
  });
});
