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

export type Values = Readonly<Record<string, readonly number[]>>;

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
export function greatestDifference(
  fixture: PeerFixture,
  peer: PeerCase,
  run: (fixture: PeerFixture, peer: PeerCase) => readonly Values[] = evaluatedTrajectory,
): number {
  let greatest = 0;
  run(fixture, peer).forEach((ours, i) => {
    for (const [name, theirs] of Object.entries(peer.trajectory[i])) {
      const scale = Math.max(...theirs.map(Math.abs));
      theirs.forEach((value, j) => {
        greatest = Math.max(greatest, Math.abs(ours[name][j] - value) / scale);
      });
    }
  });
  return greatest;
}

/** One update as a graph: what changes with each step, and what stays. */
export interface PeerUpdate {
  /** Parameters by their names, and slots by names of their own. */
  readonly state: Readonly<
    Record<string, { readonly variable: Tensor; readonly next: Tensor; readonly start: HostTensor }>
  >;
  /** Hyperparameters. */
  readonly fixed: Readonly<Record<string, { readonly variable: Tensor; readonly value: number }>>;
  /** The number of the update, from 1. */
  readonly step: Tensor;
}

export function peerUpdate(
  { problem, totalSteps }: PeerFixture,
  peer: PeerCase,
  dtype: "float32" | "float64",
): PeerUpdate {
  const optimizer = findOptimizer(peer.optimizer);
  const scalar = (name: string): Tensor => variable(name, [], dtype);
  const parameters = mapValues(problem.shapes, (shape, name) => variable(name, shape, dtype));
  const starts = initialSlots(optimizer, parameters);
  const slots = mapValues(starts, (tensors, parameter) =>
    mapValues(tensors, (tensor, name) => variable(`${parameter}.${name}`, tensor.shape, tensor.dtype)),
  );
  const hyper = mapValues(optimizer.hyperparameters, (_, name) => scalar(name));
  const step = scalar("step");
  const names = Object.keys(parameters);
  const wrt = names.map((name) => parameters[name]);
  const loss = lossOf(problem, parameters, dtype);
  const gradients = Object.fromEntries(grad(loss, wrt).map((g, i) => [names[i], g]));
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
  const chosen: Readonly<Record<string, readonly number[]>> = optimizer(peer.settings).settings;
  const slotStates = names.flatMap((name) =>
    Object.keys(slots[name]).map((slot) => {
      const [start] = evaluate([starts[name][slot]]);
      return [
        `${name}.${slot}`,
        { variable: slots[name][slot], next: next.slots[name][slot], start },
      ] as const;
    }),
  );
  return {
    state: {
      ...mapValues(parameters, (parameter, name) => ({
        variable: parameter,
        next: next.parameters[name],
        start: host(problem.shapes[name], problem.start[name], dtype),
      })),
      ...Object.fromEntries(slotStates),
    },
    fixed: mapValues(hyper, (tensor, name) => ({ variable: tensor, value: chosen[name][0] })),
    step,
  };
}

/** Our parameters at the fixture's steps, in float64 by reference evaluation of one graph. */
function evaluatedTrajectory(fixture: PeerFixture, peer: PeerCase): Values[] {
  const { state, fixed, step } = peerUpdate(fixture, peer, "float64");
  const { steps, totalSteps, problem } = fixture;
  const entries = Object.entries(state);
  const settings = Object.values(fixed).map((one) => [one.variable, host([], [one.value])] as const);
  let values = entries.map(([, { start }]) => start);
  const kept: Values[] = [];
  for (let t = 1; t <= totalSteps; t++) {
    const given = new Map<Tensor, HostTensor>([...settings, [step, host([], [t])]]);
    entries.forEach(([, one], i) => {
      given.set(one.variable, values[i]);
    });
    values = evaluate(
      entries.map(([, { next }]) => next),
      given,
    );
    if (!steps.includes(t)) continue;
    const named = entries.map(([name], i) => [name, [...values[i].data]] as const);
    kept.push(Object.fromEntries(named.filter(([name]) => name in problem.shapes)));
  }
  return kept;
}

function lossOf(
  { inputs, targets }: PeerFixture["problem"],
  parameters: Readonly<Record<string, Tensor>>,
  dtype: "float32" | "float64",
): Tensor {
  const given = (values: readonly number[], shape: readonly number[]): Tensor =>
    constantArray(host(shape, values, dtype).data, shape, dtype);
  const x = given(inputs, [targets.length, inputs.length / targets.length]);
  const y = given(targets, [targets.length]);
  const hidden = tanh(add(matmul(x, parameters.hidden), parameters.hiddenBias));
  return mean(square(sub(add(matmul(hidden, parameters.output), parameters.outputBias), y)));
}

const host = (
  shape: readonly number[],
  values: readonly number[],
  dtype: "float32" | "float64" = "float64",
): HostTensor => ({
  shape,
  dtype,
  data: dtype === "float64" ? Float64Array.from(values) : Float32Array.from(values),
});

const mapValues = <T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, name: string) => U,
): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]));
