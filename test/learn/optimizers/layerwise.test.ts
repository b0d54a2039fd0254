/** LARS and LAMB: the trust ratio by value, where it is 1, and each lane by its own norms. */
import { describe, expect, test } from "vitest";
import { constantArray, evaluate, full, type Tensor } from "../../../src/graph/index.js";
import { lamb, lars, type Optimizer, type Settings } from "../../../src/learn/optimizers/index.js";
import { vmap } from "../../../src/transform/index.js";

/** float64: a number is a scalar, a list a vector, a list of lists a matrix. */
type Values = number | readonly number[] | readonly (readonly number[])[];

function tensor(values: Values): Tensor {
  const shape: number[] = [];
  for (let inner: unknown = values; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  return constantArray(Float64Array.from([values].flat(2) as number[]), shape, "float64");
}

/** The tensor after the first update. */
function moved<H extends string>(
  optimizer: Optimizer<H>,
  [parameter, gradient]: readonly [Values, Values],
  settings: Settings<H>,
): number[] {
  const result = updated(optimizer, tensor(parameter), tensor(gradient), settings);
  return [...evaluate([result])[0].data];
}

function updated<H extends string>(
  optimizer: Optimizer<H>,
  parameter: Tensor,
  gradient: Tensor,
  settings: Settings<H>,
): Tensor {
  const chosen: Readonly<Record<string, readonly number[]>> = optimizer(settings).settings;
  const hyper = Object.fromEntries(
    Object.entries(chosen).map(([name, [value]]) => [name, full([], value, "float64")]),
  ) as Record<H, Tensor>;
  const slots = optimizer.slots(parameter);
  return optimizer.update({ parameter, gradient, slots, hyper, step: full([], 1, "float64") }).parameter;
}

const close = (received: readonly number[], expected: readonly number[]): void => {
  expect(received).toHaveLength(expected.length);
  received.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i], 12);
  });
};

/** |w| = 5, |g| = 13. */
const weights = [[3, 4]];
const gradients = [[-5, 12]];
/** With beta1 = beta2 = 0 Adam's step is the sign of each gradient, of norm sqrt(2) here. */
const signs = { beta1: 0, beta2: 0, eps: 0 };

describe("LARS", () => {
  const settings = { lr: 2, trustCoefficient: 0.1 };

  test("moves a matrix by lr trustCoefficient of its norm", () => {
    const length = (2 * 0.1 * 5) / 13;
    close(moved(lars, [weights, gradients], settings), [3 + 5 * length, 4 - 12 * length]);
    close(moved(lars, [weights, [[-5e6, 12e6]]], settings), moved(lars, [weights, gradients], settings));
  });

  test("decays inside of the ratio, whose divisor is the sum of the norms and eps", () => {
    const length = (2 * 0.1 * 5) / (13 + 0.4 * 5 + 1);
    close(moved(lars, [weights, gradients], { ...settings, weightDecay: 0.4, eps: 1 }), [
      3 - length * (-5 + 0.4 * 3),
      4 - length * (12 + 0.4 * 4),
    ]);
  });

  test("looks ahead as Nesterov momentum does", () => {
    const length = (2 * 0.1 * 5) / 13;
    close(moved(lars, [weights, gradients], { ...settings, nesterov: 1, momentum: 0.5 }), [
      3 + 1.5 * 5 * length,
      4 - 1.5 * 12 * length,
    ]);
  });

  test("takes plain steps on tensors of fewer axes, without decay", () => {
    const plain = { ...settings, weightDecay: 0.4 };
    close(
      moved(
        lars,
        [
          [3, 4],
          [-5, 12],
        ],
        plain,
      ),
      [13, -20],
    );
    close(moved(lars, [3, -5], plain), [13]);
    const all = { ...plain, minimumAxes: 0 };
    close(
      moved(
        lars,
        [
          [3, 4],
          [-5, 12],
        ],
        all,
      ),
      moved(lars, [weights, gradients], plain),
    );
    close(moved(lars, [3, -5], all), [3 - ((2 * 0.1 * 3) / (5 + 0.4 * 3)) * (-5 + 0.4 * 3)]);
    close(moved(lars, [3, -5], { ...all, minimumAxes: 1 }), [13]);
  });

  test("has ratio 1 for weights of 0, and makes nothing of gradients of 0", () => {
    close(moved(lars, [[[0, 0]], gradients], settings), [10, -24]);
    expect(moved(lars, [weights, [[0, 0]]], settings)).toEqual([3, 4]);
    expect(moved(lars, [[[0, 0]], [[0, 0]]], settings)).toEqual([0, 0]);
  });

  test("decays by lr trustCoefficient where gradients are 0, whatever the decay is", () => {
    for (const weightDecay of [1e-4, 0.4])
      close(moved(lars, [weights, [[0, 0]]], { ...settings, weightDecay }), [3 * 0.8, 4 * 0.8]);
  });

  test("refuses a trust coefficient of 0", () => {
    expect(() => lars({ trustCoefficient: 0 })).toThrow("lars: trustCoefficient is 0; expected");
  });
});

describe("LAMB", () => {
  test("moves a matrix by lr of its norm, in Adam's direction", () => {
    const length = (0.1 * 5) / Math.SQRT2;
    close(moved(lamb, [weights, gradients], { ...signs, lr: 0.1 }), [3 + length, 4 - length]);
  });

  test("corrects for the start of both means at 0", () => {
    close(
      moved(lamb, [weights, gradients], { lr: 0.1, eps: 0, weightDecay: 0.5 }),
      moved(lamb, [weights, gradients], { ...signs, lr: 0.1, weightDecay: 0.5 }),
    );
  });

  test("takes the norm of Adam's step and decay together", () => {
    const change = [-1 + 0.5 * 3, 1 + 0.5 * 4];
    const length = (0.1 * 5) / Math.hypot(...change);
    close(moved(lamb, [weights, gradients], { ...signs, lr: 0.1, weightDecay: 0.5 }), [
      3 - length * change[0],
      4 - length * change[1],
    ]);
  });

  test("is Adam without decay on tensors of fewer axes", () => {
    const settings = { ...signs, lr: 0.1, weightDecay: 0.5 };
    close(
      moved(
        lamb,
        [
          [3, 4],
          [-5, 12],
        ],
        settings,
      ),
      [3.1, 3.9],
    );
    close(moved(lamb, [3, -5], settings), [3.1]);
    const all = { ...settings, minimumAxes: 0 };
    close(
      moved(
        lamb,
        [
          [3, 4],
          [-5, 12],
        ],
        all,
      ),
      moved(lamb, [weights, gradients], settings),
    );
    close(moved(lamb, [3, -5], all), [3 - 0.1 * 3]);
  });

  test("has ratio 1 for weights of 0, and makes nothing of gradients of 0", () => {
    const settings = { beta1: 0, beta2: 0, eps: 1e-6, lr: 0.1 };
    close(moved(lamb, [[[0, 0]], gradients], { ...settings, eps: 0 }), [0.1, -0.1]);
    expect(moved(lamb, [weights, [[0, 0]]], settings)).toEqual([3, 4]);
    expect(moved(lamb, [[[0, 0]], [[0, 0]]], { ...settings, weightDecay: 0.5 })).toEqual([0, 0]);
  });
});

describe.each([
  ["LARS", lars],
  ["LAMB", lamb],
] as const)("%s in lanes", (_, optimizer) => {
  /** Norms of weights 5, 500, 0 and 5; of gradients 13, 13, 13 and 0. */
  const lanes: readonly (readonly [Values, Values])[] = [
    [weights, gradients],
    [[[300, 400]], gradients],
    [[[0, 0]], gradients],
    [weights, [[0, 0]]],
  ];

  test("takes each lane by its own norms, and lanes for no axis", () => {
    for (const axes of ["matrix", "vector"]) {
      const cases = lanes.map(([w, g]) =>
        [w, g].map((x) => (axes === "matrix" ? x : ([x].flat(2) as number[]))),
      );
      const stacked = [0, 1].map((k) => {
        const all = cases.map((one) => evaluate([tensor(one[k])])[0]);
        const data = Float64Array.from(all.flatMap((one) => [...one.data]));
        return constantArray(data, [lanes.length, ...all[0].shape], "float64");
      });
      const one = (w: Tensor, g: Tensor): Tensor => updated<string>(optimizer, w, g, { weightDecay: 0.1 });
      const [together] = evaluate([vmap(one, { axes: [0, 0] })(...stacked)]);
      const alone = cases.flatMap(([w, g]) => moved<string>(optimizer, [w, g], { weightDecay: 0.1 }));
      expect([...together.data]).toEqual(alone);
    }
  });
});
