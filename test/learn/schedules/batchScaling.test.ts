/** Learning rates for larger batches, by value; what is refused. */
import { describe, expect, test } from "vitest";
import { evaluate, full } from "../../../src/graph/index.js";
import { logspace, momentum } from "../../../src/learn/optimizers/index.js";
import {
  type BatchScaling,
  constantRate,
  cosine,
  describeSchedule,
  linearWarmup,
  type ScaledRate,
  scaledForBatch,
  withWarmup,
} from "../../../src/learn/schedules/index.js";

/** A batch 16 times as large. */
const larger = { batchSize: 4096, baseBatchSize: 256 } as const;

/** lr times the schedule's factor at the steps of a run of 100. */
function ratesAt({ lr, schedule = constantRate() }: ScaledRate, steps: readonly number[]): number[] {
  const factors = evaluate(steps.map((t) => schedule.factor(full([], t, "float64"), 100)));
  return factors.map(({ data }) => data[0] * (lr as number));
}

const close = (received: readonly number[], expected: readonly number[]): void => {
  expect(received).toHaveLength(expected.length);
  received.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 12);
  });
};

describe("the rate", () => {
  test("is kept, grows with the batch, or with its root", () => {
    expect(scaledForBatch(0.1, { rule: "kept", ...larger })).toEqual({ lr: 0.1 });
    expect(scaledForBatch(0.1, { rule: "linear", ...larger })).toEqual({ lr: 1.6 });
    expect(scaledForBatch(0.1, { rule: "squareRoot", ...larger })).toEqual({ lr: 0.4 });
  });

  test("falls for smaller batches", () => {
    const smaller = { batchSize: 64, baseBatchSize: 256 };
    expect(scaledForBatch(0.1, { rule: "linear", ...smaller })).toEqual({ lr: 0.025 });
    expect(scaledForBatch(0.1, { rule: "squareRoot", ...smaller })).toEqual({ lr: 0.05 });
  });

  test("is each of a list, with no more than 12 digits", () => {
    const threefold = { rule: "linear", batchSize: 96, baseBatchSize: 32 } as const;
    expect(0.1 * 3).not.toBe(0.3);
    expect(scaledForBatch([0.1, 0.2, 0], threefold)).toEqual({ lr: [0.3, 0.6, 0] });
    expect(scaledForBatch([], threefold)).toEqual({ lr: [] });
  });
});

describe("the warm-up", () => {
  test("rises from the rate that was given to the scaled one", () => {
    const linear = scaledForBatch(0.1, { rule: "linear", ...larger, warmup: { steps: 10 } });
    close(ratesAt(linear, [0, 1, 5, 10, 99]), [0.1, 0.25, 0.85, 1.6, 1.6]);
    const root = scaledForBatch(0.1, { rule: "squareRoot", ...larger, warmup: { steps: 10 } });
    close(ratesAt(root, [0, 1, 5, 10, 99]), [0.1, 0.13, 0.25, 0.4, 0.4]);
  });

  test("rises from another share where one is given", () => {
    const warmup = { steps: 10, start: 0 };
    close(ratesAt(scaledForBatch(0.1, { rule: "linear", ...larger, warmup }), [0, 5, 10]), [0, 0.8, 1.6]);
    close(ratesAt(scaledForBatch(0.1, { rule: "kept", ...larger, warmup }), [0, 5, 10]), [0, 0.05, 0.1]);
  });

  test("is left out for a rate that was not raised", () => {
    const warmup = { steps: 10 };
    for (const scaling of [
      { rule: "kept", ...larger },
      { rule: "linear", batchSize: 256, baseBatchSize: 256 },
      { rule: "squareRoot", batchSize: 128, baseBatchSize: 256 },
    ] as const) {
      expect(scaledForBatch(0.1, { ...scaling, warmup })).not.toHaveProperty("schedule");
      const schedule = cosine();
      expect(scaledForBatch(0.1, { ...scaling, warmup, schedule }).schedule).toBe(schedule);
    }
  });

  test("goes before a schedule", () => {
    const schedule = cosine({ end: 0.1 });
    const scaled = scaledForBatch(0.1, { rule: "linear", ...larger, warmup: { steps: 10 }, schedule });
    const expected = withWarmup(schedule, { steps: 10, start: 1 / 16 });
    expect(describeSchedule(scaled.schedule!)).toEqual(describeSchedule(expected));
    close(ratesAt(scaled, [0, 10, 55, 100]), [0.1, 1.6, 0.55 * 1.6, 0.16]);
    expect(scaledForBatch(0.1, { rule: "linear", ...larger, schedule }).schedule).toBe(schedule);
  });
});

test("what it gives are settings of an optimizer", () => {
  const scaling = { rule: "linear", ...larger, warmup: { steps: 10 } } as const;
  const choice = momentum({ ...scaledForBatch(logspace(1e-3, 1e-1, 3), scaling), momentum: 0.8 });
  expect(choice.settings).toEqual({ lr: [0.016, 0.16, 1.6], momentum: [0.8], weightDecay: [0] });
  expect(describeSchedule(choice.schedule!)).toEqual(
    describeSchedule(linearWarmup({ steps: 10, start: 1 / 16 })),
  );
});

describe("mistakes", () => {
  const linear: BatchScaling = { rule: "linear", ...larger };
  const mistakes: [string, () => unknown, string][] = [
    [
      "an unknown rule",
      () => scaledForBatch(1, { ...linear, rule: "lineal" as never }),
      'unknown rule of scaledForBatch "lineal". Did you mean "linear"? Valid: linear, kept, squareRoot.',
    ],
    [
      "no rule",
      () => scaledForBatch(1, { ...larger } as never),
      'unknown rule of scaledForBatch "undefined"',
    ],
    [
      "an unknown option",
      () => scaledForBatch(1, { ...linear, warmUp: 3 } as never),
      'unknown option of scaledForBatch "warmUp". Did you mean "warmup"?',
    ],
    [
      "a whole batch",
      () => scaledForBatch(1, { ...linear, batchSize: "full" as never }),
      'scaledForBatch: batchSize is "full"; expected a number of examples, an integer of at least 1.',
    ],
    ["a size of 0", () => scaledForBatch(1, { ...linear, baseBatchSize: 0 }), "baseBatchSize is 0; expected"],
    ["half an example", () => scaledForBatch(1, { ...linear, batchSize: 2.5 }), "batchSize is 2.5; expected"],
    [
      "a rate that is none",
      () => scaledForBatch([0.1, Number.NaN], linear),
      "scaledForBatch: the learning rate is NaN; expected a finite number at least 0, or a list of them.",
    ],
    ["a rate in words", () => scaledForBatch(["0.1" as never], linear), 'the learning rate is "0.1"'],
    ["a negative rate", () => scaledForBatch(-1, linear), "the learning rate is -1"],
    [
      "a warm-up without steps",
      () => scaledForBatch(1, { ...linear, warmup: {} as never }),
      "linear-warmup: steps (steps until the full rate) is missing",
    ],
  ];
  test.each(mistakes)("%s", (_, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ name: "SlalomError", code: "option" }));
  });
});
