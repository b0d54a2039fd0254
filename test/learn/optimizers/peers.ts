/** The problem and the trajectories of test/fixtures/optimizers, and the same run by our own update. */
import { readFileSync } from "node:fs";
import type { HostTensor } from "../../../src/base/shape.js";
import {
  add,
  constantArray,
  evaluate,
  matmul,
  mean,
  square,
  sub,
  type Tensor,
  tanh,
  variable,
} from "../../../src/graph/index.js";
import { applyOptimizer, findOptimizer, initialSlots } from "../../../src/learn/optimizers/index.js";
import { type ScheduleDescription, scheduleFrom } from "../../../src/learn/schedules/index.js";
import { grad } from "../../../src/transform/index.js";

type Values = Readonly<Record<string, readonly number[]>>;

export interface PeerCase {
  readonly optimizer: string;
  readonly settings: Readonly<Record<string, number>>;
  readonly schedule?: ScheduleDescription;
  readonly clipNorm?: number;
  readonly decoupledWeightDecay?: number;
  /** Parameters after each of the fixture's `steps`. */
  readonly trajectory: readonly Values[];
}

export interface PeerFixture {
  readonly source: string;
  readonly problem: {
    readonly inputs: readonly number[];
    readonly targets: readonly number[];
    readonly start: Values;
    readonly shapes: Readonly<Record<string, readonly number[]>>;
  };
  readonly steps: readonly number[];
  readonly totalSteps: number;
  /** The peer's defaults for each optimizer, by our names. */
  readonly defaults?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly cases: readonly PeerCase[];
}

/** A file of test/fixtures/optimizers: a line on what is common, then a case a line. */
export function readFixture<T extends { readonly cases: readonly unknown[] }>(name: string): T {
  const text = readFileSync(new URL(`../../fixtures/optimizers/${name}`, import.meta.url), "utf8");
  const [common, ...cases] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { ...common, cases };
}

/** The greatest difference to the peer over all kept steps, relative to the largest element of the tensor. */
export function greatestDifference(fixture: PeerFixture, peer: PeerCase): number {
  let greatest = 0;
  trajectoryOf(fixture, peer).forEach((ours, i) => {
    for (const [name, theirs] of Object.entries(peer.trajectory[i])) {
      const scale = Math.max(...theirs.map(Math.abs));
      theirs.forEach((value, j) => {
        greatest = Math.max(greatest, Math.abs(ours[name][j] - value) / scale);
      });
    }
  });
  return greatest;
}

/** Our parameters at the fixture's steps, in float64 by reference evaluation of one graph. */
function trajectoryOf({ problem, steps, totalSteps }: PeerFixture, peer: PeerCase): Values[] {
  const optimizer = findOptimizer(peer.optimizer);
  const scalar = (name: string): Tensor => variable(name, [], "float64");
  const parameters = mapValues(problem.shapes, (shape, name) => variable(name, shape, "float64"));
  const start = initialSlots(optimizer, parameters);
  const slots = mapValues(start, (tensors, parameter) =>
    mapValues(tensors, (tensor, name) => variable(`${parameter}.${name}`, tensor.shape, tensor.dtype)),
  );
  const hyper = mapValues(optimizer.hyperparameters, (_, name) => scalar(name));
  const step = scalar("step");
  const names = Object.keys(parameters);
  const wrt = names.map((name) => parameters[name]);
  const gradients = Object.fromEntries(grad(lossOf(problem, parameters), wrt).map((g, i) => [names[i], g]));
  const { clipNorm, decoupledWeightDecay } = peer;
  const schedule = peer.schedule && scheduleFrom(peer.schedule);
  const around = { schedule, clipNorm, decoupledWeightDecay };
  const next = applyOptimizer({
    optimizer,
    ...around,
    parameters,
    gradients,
    slots,
    hyper,
    step,
    totalSteps,
  });

  const slotsIn = (of: typeof slots): Tensor[] => names.flatMap((name) => Object.values(of[name]));
  const inputs = [...wrt, ...slotsIn(slots)];
  const outputs = [
    ...names.map((name) => next.parameters[name]),
    ...names.flatMap((name) => Object.keys(slots[name]).map((slot) => next.slots[name][slot])),
  ];
  let state = [
    ...names.map((name) => host(problem.shapes[name], problem.start[name])),
    ...evaluate(slotsIn(start)),
  ];
  const chosen: Readonly<Record<string, readonly number[]>> = optimizer(peer.settings).settings;
  const fixed = Object.entries(hyper).map(([name, tensor]) => [tensor, host([], chosen[name])] as const);
  const kept: Values[] = [];
  for (let t = 1; t <= totalSteps; t++) {
    const values = new Map<Tensor, HostTensor>([...fixed, [step, host([], [t])]]);
    inputs.forEach((input, i) => {
      values.set(input, state[i]);
    });
    state = evaluate(outputs, values);
    if (steps.includes(t)) kept.push(Object.fromEntries(names.map((name, i) => [name, [...state[i].data]])));
  }
  return kept;
}

function lossOf(
  { inputs, targets }: PeerFixture["problem"],
  parameters: Readonly<Record<string, Tensor>>,
): Tensor {
  const x = constantArray(
    Float64Array.from(inputs),
    [targets.length, inputs.length / targets.length],
    "float64",
  );
  const y = constantArray(Float64Array.from(targets), [targets.length], "float64");
  const hidden = tanh(add(matmul(x, parameters.hidden), parameters.hiddenBias));
  return mean(square(sub(add(matmul(hidden, parameters.output), parameters.outputBias), y)));
}

const host = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  shape,
  dtype: "float64",
  data: Float64Array.from(values),
});

const mapValues = <T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, name: string) => U,
): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]));
