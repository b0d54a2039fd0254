/**
 * Classic surfaces of two variables, each with its formula, start, minima and source. Where only a survey is named,
 * it is M. Jamil, X.-S. Yang: "A literature survey of benchmark functions for global optimization problems", 2013.
 */
import {
  add,
  cos,
  equal,
  exp,
  mul,
  neg,
  type Operand,
  sin,
  sqrt,
  square,
  sub,
  type Tensor,
  where,
} from "../../graph/index.js";
import type { SurfaceFunction } from "./surfaceProblem.js";

/** A curved valley that is easy to find and hard to follow. */
export const rosenbrock: SurfaceFunction = {
  name: "rosenbrock",
  title: "Rosenbrock",
  formula: "(1 - x)^2 + 100 (y - x^2)^2",
  source: "H. Rosenbrock: An automatic method for finding the greatest or least value of a function, 1960",
  start: [-1.2, 1],
  range: [
    [-2, 2],
    [-1, 3],
  ],
  minimum: 0,
  minima: [[1, 1]],
  value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  loss: (x, y) => add(square(sub(1, x)), mul(square(sub(y, square(x))), 100)),
};

/** Flat around the minimum, steep at the corners: a fixed learning rate fits one of them. */
export const beale: SurfaceFunction = {
  name: "beale",
  title: "Beale",
  formula: "(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2",
  source:
    "E. Beale: On an iterative method for finding a local minimum of a function of several variables, 1958",
  start: [1, 1],
  range: [
    [-4.5, 4.5],
    [-4.5, 4.5],
  ],
  minimum: 0,
  minima: [[3, 0.5]],
  value: (x, y) => (1.5 - x + x * y) ** 2 + (2.25 - x + x * y ** 2) ** 2 + (2.625 - x + x * y ** 3) ** 2,
  loss: (x, y) => {
    const term = (target: number, power: Tensor) => square(add(sub(target, x), mul(x, power)));
    const ySquared = square(y);
    return sumOf(term(1.5, y), term(2.25, ySquared), term(2.625, mul(ySquared, y)));
  },
};

/** Four minima of value 0: which one is reached depends on the optimizer. */
export const himmelblau: SurfaceFunction = {
  name: "himmelblau",
  title: "Himmelblau",
  formula: "(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
  source: "D. Himmelblau: Applied nonlinear programming, 1972",
  start: [0, 0],
  range: [
    [-5, 5],
    [-5, 5],
  ],
  minimum: 0,
  minima: [
    [3, 2],
    [-2.805118086952745, 3.131312518250573],
    [-3.779310253377747, -3.2831859912861696],
    [3.5844283403304917, -1.8481265269644034],
  ],
  value: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
  loss: (x, y) => add(square(sumOf(square(x), y, -11)), square(sumOf(square(y), x, -7))),
};

/** A quadratic with eigenvalues 2 and 18. */
export const booth: SurfaceFunction = {
  name: "booth",
  title: "Booth",
  formula: "(x + 2 y - 7)^2 + (2 x + y - 5)^2",
  source: "Jamil, Yang 2013, function 17",
  start: [-5, -5],
  range: [
    [-10, 10],
    [-10, 10],
  ],
  minimum: 0,
  minima: [[1, 3]],
  value: (x, y) => (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2,
  loss: (x, y) => add(square(sumOf(x, mul(y, 2), -7)), square(sumOf(mul(x, 2), y, -5))),
};

/** A quadratic with eigenvalues 0.04 and 1: a long narrow bowl. */
export const matyas: SurfaceFunction = {
  name: "matyas",
  title: "Matyas",
  formula: "0.26 (x^2 + y^2) - 0.48 x y",
  source: "Jamil, Yang 2013, function 71",
  start: [8, -4],
  range: [
    [-10, 10],
    [-10, 10],
  ],
  minimum: 0,
  minima: [[0, 0]],
  value: (x, y) => 0.26 * (x * x + y * y) - 0.48 * x * y,
  loss: (x, y) => sub(mul(add(square(x), square(y)), 0.26), mul(mul(x, y), 0.48)),
};

/** A bowl with a local minimum near every integer point. */
export const rastrigin: SurfaceFunction = {
  name: "rastrigin",
  title: "Rastrigin",
  formula: "20 + x^2 - 10 cos(2 pi x) + y^2 - 10 cos(2 pi y)",
  source: "L. Rastrigin: Systems of extremal control, 1974",
  start: [3.4, -2.6],
  range: [
    [-5.12, 5.12],
    [-5.12, 5.12],
  ],
  minimum: 0,
  minima: [[0, 0]],
  value: (x, y) => 20 + x * x - 10 * Math.cos(2 * Math.PI * x) + y * y - 10 * Math.cos(2 * Math.PI * y),
  loss: (x, y) => {
    const wave = (z: Tensor) => sub(square(z), mul(cos(mul(z, 2 * Math.PI)), 10));
    return sumOf(wave(x), wave(y), 20);
  },
};

/** Nearly flat far out, a funnel of ripples at the centre, a kink at the minimum (where the gradient here is 0). */
export const ackley: SurfaceFunction = {
  name: "ackley",
  title: "Ackley",
  formula: "20 + e - 20 exp(-0.2 sqrt((x^2 + y^2) / 2)) - exp((cos(2 pi x) + cos(2 pi y)) / 2)",
  source: "D. Ackley: A connectionist machine for genetic hillclimbing, 1987",
  start: [2.5, -1.7],
  range: [
    [-5, 5],
    [-5, 5],
  ],
  minimum: 0,
  minima: [[0, 0]],
  value: (x, y) =>
    20 +
    Math.E -
    20 * Math.exp(-0.2 * Math.sqrt((x * x + y * y) / 2)) -
    Math.exp((Math.cos(2 * Math.PI * x) + Math.cos(2 * Math.PI * y)) / 2),
  loss: (x, y) => {
    const mean = mul(add(square(x), square(y)), 0.5);
    // The root's slope at 0 is infinite: there the root is taken of 1 and not used.
    const atCentre = equal(mean, 0);
    const radius = where(atCentre, 0, sqrt(where(atCentre, 1, mean)));
    const ripple = mul(add(cos(mul(x, 2 * Math.PI)), cos(mul(y, 2 * Math.PI))), 0.5);
    return sumOf(mul(exp(mul(radius, -0.2)), -20), neg(exp(ripple)), 20 + Math.E);
  },
};

/** Three minima in a row, the middle one least. */
export const threeHumpCamel: SurfaceFunction = {
  name: "three-hump-camel",
  title: "three-hump camel",
  formula: "2 x^2 - 1.05 x^4 + x^6 / 6 + x y + y^2",
  source: "Jamil, Yang 2013, function 30",
  start: [-2, 1.5],
  range: [
    [-2.5, 2.5],
    [-2.5, 2.5],
  ],
  minimum: 0,
  minima: [[0, 0]],
  value: (x, y) => 2 * x ** 2 - 1.05 * x ** 4 + x ** 6 / 6 + x * y + y * y,
  loss: (x, y) => {
    const s = square(x);
    const ofX = mul(s, add(mul(s, add(mul(s, 1 / 6), -1.05)), 2));
    return sumOf(ofX, mul(x, y), square(y));
  },
};

/** Six minima, two of them global. */
export const sixHumpCamel: SurfaceFunction = {
  name: "six-hump-camel",
  title: "six-hump camel",
  formula: "(4 - 2.1 x^2 + x^4 / 3) x^2 + x y + (4 y^2 - 4) y^2",
  source: "Jamil, Yang 2013, function 29",
  start: [1.5, 0.9],
  range: [
    [-2, 2],
    [-1.2, 1.2],
  ],
  minimum: -1.0316284534898774,
  minima: [
    [0.08984201310031807, -0.7126564030207396],
    [-0.08984201310031807, 0.7126564030207396],
  ],
  value: (x, y) => (4 - 2.1 * x ** 2 + x ** 4 / 3) * x * x + x * y + (4 * y * y - 4) * y * y,
  loss: (x, y) => {
    const s = square(x);
    const t = square(y);
    const ofX = mul(s, add(mul(s, add(mul(s, 1 / 3), -2.1)), 4));
    return sumOf(ofX, mul(x, y), mul(t, add(mul(t, 4), -4)));
  },
};

/** Values from 3 to a million within a square of side 4. */
export const goldsteinPrice: SurfaceFunction = {
  name: "goldstein-price",
  title: "Goldstein-Price",
  formula:
    "(1 + (x + y + 1)^2 (19 - 14 x + 3 x^2 - 14 y + 6 x y + 3 y^2)) (30 + (2 x - 3 y)^2 (18 - 32 x + 12 x^2 + 48 y - 36 x y + 27 y^2))",
  source: "A. Goldstein, J. Price: On descent from local minima, 1971",
  start: [-0.5, 0.5],
  range: [
    [-2, 2],
    [-2, 2],
  ],
  minimum: 3,
  minima: [[0, -1]],
  value: (x, y) =>
    (1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x * x - 14 * y + 6 * x * y + 3 * y * y)) *
    (30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x * x + 48 * y - 36 * x * y + 27 * y * y)),
  loss: (x, y) => {
    const form = (c: number, cx: number, cxx: number, cy: number, cxy: number, cyy: number) =>
      sumOf(mul(x, cx), mul(square(x), cxx), mul(y, cy), mul(mul(x, y), cxy), mul(square(y), cyy), c);
    const left = mul(square(sumOf(x, y, 1)), form(19, -14, 3, -14, 6, 3));
    const right = mul(square(sub(mul(x, 2), mul(y, 3))), form(18, -32, 12, 48, -36, 27));
    return mul(add(left, 1), add(right, 30));
  },
};

/** Four minima, one for each choice of valleys in x and y; one is least. */
export const styblinskiTang: SurfaceFunction = {
  name: "styblinski-tang",
  title: "Styblinski-Tang",
  formula: "(x^4 - 16 x^2 + 5 x + y^4 - 16 y^2 + 5 y) / 2",
  source: "M. Styblinski, T.-S. Tang: Experiments in nonconvex optimization, 1990",
  start: [-1, 0.5],
  range: [
    [-5, 5],
    [-5, 5],
  ],
  minimum: -78.33233140754282,
  minima: [[-2.903534027771177, -2.903534027771177]],
  value: (x, y) => (x ** 4 - 16 * x * x + 5 * x + y ** 4 - 16 * y * y + 5 * y) / 2,
  loss: (x, y) => {
    const quartic = (z: Tensor) => add(mul(square(z), add(square(z), -16)), mul(z, 5));
    return mul(add(quartic(x), quartic(y)), 0.5);
  },
};

/** A wave on a slope: the global minimum of the range has copies that lie lower outside of it. */
export const mcCormick: SurfaceFunction = {
  name: "mccormick",
  title: "McCormick",
  formula: "sin(x + y) + (x - y)^2 - 1.5 x + 2.5 y + 1",
  source: "G. McCormick: Computability of global solutions to factorable nonconvex programs, 1976",
  start: [3, 2],
  range: [
    [-1.5, 4],
    [-3, 4],
  ],
  minimum: -Math.sqrt(3) / 2 - Math.PI / 3,
  minima: [[0.5 - Math.PI / 3, -0.5 - Math.PI / 3]],
  value: (x, y) => Math.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1,
  loss: (x, y) => sumOf(sin(add(x, y)), square(sub(x, y)), mul(x, -1.5), mul(y, 2.5), 1),
};

/** Ripples across a bowl. */
export const levy: SurfaceFunction = {
  name: "levy",
  title: "Lévy no. 13",
  formula: "sin^2(3 pi x) + (x - 1)^2 (1 + sin^2(3 pi y)) + (y - 1)^2 (1 + sin^2(2 pi y))",
  source: "A. Lévy, A. Montalvo: The tunneling algorithm for the global minimization of functions, 1985",
  start: [-2.4, 3.3],
  range: [
    [-5, 5],
    [-5, 5],
  ],
  minimum: 0,
  minima: [[1, 1]],
  value: (x, y) =>
    Math.sin(3 * Math.PI * x) ** 2 +
    (x - 1) ** 2 * (1 + Math.sin(3 * Math.PI * y) ** 2) +
    (y - 1) ** 2 * (1 + Math.sin(2 * Math.PI * y) ** 2),
  loss: (x, y) => {
    const wave = (z: Tensor, frequency: number) => square(sin(mul(z, frequency * Math.PI)));
    const around = (z: Tensor, frequency: number) => mul(square(sub(z, 1)), add(wave(y, frequency), 1));
    return sumOf(wave(x, 3), around(x, 3), around(y, 2));
  },
};

/** A hole in a plain: away from it the gradient is next to nothing. */
export const easom: SurfaceFunction = {
  name: "easom",
  title: "Easom",
  formula: "-cos(x) cos(y) exp(-(x - pi)^2 - (y - pi)^2)",
  source: "Jamil, Yang 2013, function 50",
  start: [1.9, 2.2],
  range: [
    [Math.PI - 4, Math.PI + 4],
    [Math.PI - 4, Math.PI + 4],
  ],
  minimum: -1,
  minima: [[Math.PI, Math.PI]],
  value: (x, y) => -Math.cos(x) * Math.cos(y) * Math.exp(-((x - Math.PI) ** 2) - (y - Math.PI) ** 2),
  loss: (x, y) => {
    const distance = add(square(sub(x, Math.PI)), square(sub(y, Math.PI)));
    return neg(mul(mul(cos(x), cos(y)), exp(neg(distance))));
  },
};

export const surfaces: readonly SurfaceFunction[] = [
  rosenbrock,
  beale,
  himmelblau,
  booth,
  matyas,
  rastrigin,
  ackley,
  threeHumpCamel,
  sixHumpCamel,
  goldsteinPrice,
  styblinskiTang,
  mcCormick,
  levy,
  easom,
];

/** `first` plus all others. */
const sumOf = (first: Tensor, ...others: Operand[]): Tensor => others.reduce<Tensor>(add, first);
