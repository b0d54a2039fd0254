/**
 * A problem of one's own: a robust fit of a line, whose loss is a function of the parameters alone.
 *
 *     slalom run examples/own-problem.ts
 */
import {
  adam,
  add,
  constant,
  functionProblem,
  mul,
  nesterov,
  sgd,
  sqrt,
  square,
  study,
  sub,
  sum,
} from "slalom";

/** Points near y = 2 x - 1, and one far off it. */
const x = [-2, -1, 0, 1, 2, 3];
const y = [-5.1, -2.9, -1, 1.1, 3, 40];

/** The pseudo-Huber loss: sum of sqrt(1 + r^2) - 1, quadratic near 0 and linear far from it. */
const robustLine = functionProblem({
  name: "robust-line",
  title: "A line through points with one outlier",
  options: { x, y },
  start: { slope: 0, offset: 0 },
  loss: ({ slope, offset }) => {
    const predictions = add(mul(constant(x, slope.dtype), slope), offset);
    const residuals = sub(predictions, constant(y, slope.dtype));
    return sum(sub(sqrt(add(square(residuals), 1)), 1));
  },
  steps: 500,
});

export default study({
  name: "own-problem",
  problem: robustLine,
  optimizers: [
    sgd({ lr: [0.001, 0.01, 0.1, 1] }),
    nesterov({ lr: [0.001, 0.01, 0.1, 1], momentum: [0.5, 0.9] }),
    adam({ lr: [0.01, 0.1, 1] }),
  ],
  dtype: "float64",
  // The least loss is 33.308: how soon is it known to a thousandth?
  targets: [{ metric: "trainLoss", value: 33.34 }],
});
