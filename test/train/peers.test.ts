/** Optimizers in compiled training against PyTorch's and optax's trajectories of 300 steps. */
import { describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { add, constantArray, matmul, mean, square, sub, tanh } from "../../src/graph/index.js";
import { findOptimizer, type OptimizerChoice } from "../../src/learn/optimizers/index.js";
import { functionProblem, type NestedStart } from "../../src/learn/problems/index.js";
import type { Parameters } from "../../src/learn/problems/problem.js";
import { scheduleFrom } from "../../src/learn/schedules/index.js";
import type { LaneTraining } from "../../src/train/index.js";
import { type PeerCase, type PeerFixture, readFixture } from "../learn/optimizers/peers.js";
import { descent, lanesOf, train } from "./support.js";

/**
 * float32 rounds to 6e-8; over 300 steps, and relative to tensors of one element that pass near 0, that becomes up to
 * 6e-5. The clipped cases take large rates, at which differences between two runs grow for a while: up to 7e-4. So do
 * steps that are as long as a tensor is large, where that has one element.
 */
const grows = ({ optimizer, clipNorm }: PeerCase): boolean =>
  clipNorm !== undefined || optimizer === "lars" || optimizer === "lamb";

describe.each([readFixture<PeerFixture>("torch.jsonl"), readFixture<PeerFixture>("optax.jsonl")])(
  "$source",
  (fixture) => {
    test.each(fixture.cases.map((peer) => [nameOf(peer), peer] as const))("%s", async (_, peer) => {
      expect(await greatestDifference(fixture, peer, "float64")).toBeLessThan(1e-9);
      const inFloat32 = await greatestDifference(fixture, peer, "float32");
      expect(inFloat32).toBeLessThan(grows(peer) ? 2e-3 : 1e-4);
    });
  },
);

const nameOf = ({ optimizer, settings, schedule, clipNorm, decoupledWeightDecay }: PeerCase): string =>
  `${optimizer} ${JSON.stringify({ ...settings, schedule: schedule?.id, clipNorm, decoupledWeightDecay })}`;

/** Of any parameter at any kept step, relative to the largest element of its tensor. */
async function greatestDifference(
  fixture: PeerFixture,
  peer: PeerCase,
  dtype: "float32" | "float64",
): Promise<number> {
  const { shapes } = fixture.problem;
  const { rows } = await train(trainingOf(fixture, peer, dtype), cpuBackend());
  let greatest = 0;
  for (const [i, step] of fixture.steps.entries()) {
    const row = rows[0].find((candidate) => candidate.step === step)!;
    for (const [name, theirs] of Object.entries(peer.trajectory[i])) {
      const scale = Math.max(...theirs.map(Math.abs));
      theirs.forEach((value, j) => {
        const ours = row[shapes[name].length === 0 ? `parameter.${name}` : `parameter.${name}.${j}`];
        greatest = Math.max(greatest, Math.abs(ours - value) / scale);
      });
    }
  }
  return greatest;
}

function trainingOf(
  { problem, totalSteps }: PeerFixture,
  { optimizer, settings, schedule, clipNorm, decoupledWeightDecay }: PeerCase,
  dtype: "float32" | "float64",
): LaneTraining {
  const choice: OptimizerChoice = {
    ...findOptimizer(optimizer)(settings),
    ...(schedule && { schedule: scheduleFrom(schedule) }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(decoupledWeightDecay !== undefined && { decoupledWeightDecay }),
  };
  const [lane] = lanesOf(choice);
  const start = Object.fromEntries(
    Object.entries(problem.shapes).map(([name, shape]) => [name, nested(problem.start[name], shape)]),
  );
  return descent([1], {
    problem: functionProblem({ name: "peer", start, loss: (parameters) => lossOf(problem, parameters) }),
    choice,
    // A second lane at another rate must change nothing.
    lanes: [lane, { ...lane, lr: 0.5 * lane.lr }],
    steps: totalSteps,
    evaluateEvery: totalSteps,
    dtype,
  });
}

function lossOf(
  { inputs, targets }: PeerFixture["problem"],
  { hidden, hiddenBias, output, outputBias }: Parameters,
) {
  const { dtype } = hidden;
  const array = (values: readonly number[]) =>
    dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values);
  const x = constantArray(array(inputs), [targets.length, inputs.length / targets.length], dtype);
  const y = constantArray(array(targets), [targets.length], dtype);
  const activations = tanh(add(matmul(x, hidden), hiddenBias));
  return mean(square(sub(add(matmul(activations, output), outputBias), y)));
}

/** Flat values as nested arrays. */
function nested(values: readonly number[], [extent, ...inner]: readonly number[]): NestedStart {
  if (extent === undefined) return values[0];
  const size = values.length / extent;
  return Array.from({ length: extent }, (_, i) => nested(values.slice(i * size, (i + 1) * size), inner));
}
