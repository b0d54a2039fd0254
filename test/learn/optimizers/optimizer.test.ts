/** Choices from settings, what is refused, and an optimizer of the user's own. */
import { describe, expect, test } from "vitest";
import { evaluate, full, mul, sign, sub } from "../../../src/graph/index.js";
import {
  adam,
  defineOptimizer,
  findOptimizer,
  hyperparameters,
  logspace,
  momentum,
  type Optimizer,
  sgd,
} from "../../../src/learn/optimizers/index.js";
import { cosine } from "../../../src/learn/schedules/index.js";

describe("a choice", () => {
  test("has a list for every hyperparameter, defaults filled in", () => {
    const choice = momentum({ lr: logspace(1e-3, 0.1, 3), momentum: 0.5 });
    expect(choice.optimizer).toBe(momentum);
    expect(choice.settings).toEqual({ lr: [1e-3, 1e-2, 0.1], momentum: [0.5], weightDecay: [0] });
    expect(choice).not.toHaveProperty("schedule");
    expect(adam().settings).toEqual({
      lr: [1e-3],
      beta1: [0.9],
      beta2: [0.999],
      eps: [1e-8],
      weightDecay: [0],
    });
  });

  test("carries what goes around the update", () => {
    const schedule = cosine();
    const choice = sgd({ lr: 1, schedule, clipNorm: 5, decoupledWeightDecay: 0 });
    expect(choice).toMatchObject({ schedule, clipNorm: 5, decoupledWeightDecay: 0 });
  });
});

describe("refused settings", () => {
  const mistakes: [string, () => unknown, string][] = [
    ["unknown", () => adam({ learningRate: 1 } as never), 'unknown setting of adam "learningRate"'],
    ["near miss", () => adam({ beta: 0.9 } as never), 'Did you mean "beta1"? Valid: beta1, beta2'],
    ["of another optimizer", () => sgd({ momentum: 0.9 } as never), "Valid: "],
    ["NaN", () => adam({ lr: Number.NaN }), "adam: lr is NaN; expected a finite number at least 0"],
    ["infinite in a list", () => adam({ lr: [1, 1 / 0] }), "lr is Infinity"],
    ["negative", () => sgd({ lr: -1 }), "lr is -1; expected a finite number at least 0"],
    [
      "beta of 1",
      () => adam({ beta2: 1 }),
      "beta2 is 1; expected a finite number at least 0 and at most 0.99999",
    ],
    ["empty list", () => adam({ lr: [] }), "lr is an empty list"],
    ["text", () => adam({ lr: "0.1" as never }), 'lr is "0.1"'],
    ["null", () => adam({ lr: [null as never] }), "lr is null"],
    ["clip at 0", () => adam({ clipNorm: 0 }), "clipNorm is 0; expected a finite number above 0"],
    ["negative decay", () => adam({ decoupledWeightDecay: -1 }), "decoupledWeightDecay is -1"],
    ["a schedule not called", () => adam({ schedule: cosine as never }), "schedule is a function; expected"],
    ["a schedule's name", () => adam({ schedule: "cosine" as never }), 'schedule is "cosine"; expected'],
  ];
  test.each(mistakes)("%s", (_, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ name: "SlalomError", code: "option" }));
  });
});

test("findOptimizer knows the list and names the nearest", () => {
  expect(findOptimizer("adam")).toBe(adam);
  expect(() => findOptimizer("adamm")).toThrow('unknown optimizer "adamm". Did you mean "adam"?');
});

describe("an optimizer of the user's own", () => {
  const signDescent = defineOptimizer({
    id: "sign-descent",
    title: "Sign descent",
    paper: { authors: "M. Riedmiller, H. Braun", title: "RPROP", year: 1993 },
    hyperparameters: { lr: hyperparameters.learningRate },
    slots: () => ({}),
    update: ({ parameter, gradient, hyper }) => ({
      parameter: sub(parameter, mul(sign(gradient), hyper.lr)),
      slots: {},
    }),
  });

  test("is one like those of the list", () => {
    const asAny: Optimizer = signDescent;
    expect(asAny({ lr: [0.1, 0.2] }).settings).toEqual({ lr: [0.1, 0.2] });
    const [value] = evaluate([
      signDescent.update({
        parameter: full([], 1, "float64"),
        gradient: full([], -7, "float64"),
        slots: {},
        hyper: { lr: full([], 0.25, "float64") },
        step: full([], 1, "float64"),
      }).parameter,
    ]);
    expect(value.data[0]).toBe(1.25);
  });

  test("is refused where a default is out of bounds or a name is taken", () => {
    const { learningRate } = hyperparameters;
    const withHyper = (hyper: Readonly<Record<string, typeof learningRate>>) => () =>
      defineOptimizer({ ...signDescent, id: "mine", hyperparameters: hyper, update: (input) => input });
    expect(withHyper({ lr: { ...learningRate, default: -1 as never } })).toThrow("mine: lr is -1");
    expect(withHyper({ lr: learningRate, clipNorm: learningRate })).toThrow('"clipNorm" is taken');
  });
});
