/** Every optimizer against PyTorch's, torch-optimizer's and optax's over 300 steps in float64 (test/fixtures/optimizers). */
import { describe, expect, test } from "vitest";
import { optimizers } from "../../../src/learn/optimizers/index.js";
import { greatestDifference, type PeerCase, type PeerFixture, readFixture } from "./peers.js";

const torch = readFixture<PeerFixture>("torch.jsonl");
const torchOptimizer = readFixture<PeerFixture>("torchOptimizer.jsonl");
const optax = readFixture<PeerFixture>("optax.jsonl");
const fixtures = [torch, torchOptimizer, optax];

const nameOf = ({ optimizer, settings, schedule, clipNorm, decoupledWeightDecay }: PeerCase): string =>
  `${optimizer} ${JSON.stringify({ ...settings, schedule: schedule?.id, clipNorm, decoupledWeightDecay })}`;

describe.each(fixtures)("$source", (fixture) => {
  test.each(fixture.cases.map((peer) => [nameOf(peer), peer] as const))("%s", (_, peer) => {
    expect(greatestDifference(fixture, peer)).toBeLessThan(1e-9);
  });
});

describe("defaults are PyTorch's, or optax's where PyTorch lacks the optimizer", () => {
  test.each(optimizers.map((optimizer) => [optimizer.id, optimizer] as const))("%s", (id, optimizer) => {
    const ours = Object.entries(optimizer.hyperparameters).map(([name, { default: value }]) => [name, value]);
    const theirs = { ...torch.defaults, ...optax.defaults }[id];
    expect({ ...theirs, ...Object.fromEntries(ours) }).toEqual({ ...theirs, ...otherDefaults[id] });
  });

  const otherDefaults: Readonly<Record<string, Readonly<Record<string, number>>>> = {
    // PyTorch's momentum of 0 would make these two plain gradient descent.
    momentum: { momentum: 0.9 },
    nesterov: { momentum: 0.9 },
    // optax has no default rate, and adapts all tensors unless it is given a mask.
    lars: { lr: 1, minimumAxes: 2 },
    lamb: { lr: 1e-3, minimumAxes: 2 },
  };
});

describe("the fixtures", () => {
  test("hold every optimizer with default and other settings, weight decay, clipping and a schedule", () => {
    for (const { id } of optimizers) {
      const cases = fixtures.flatMap((fixture) => fixture.cases.filter((peer) => peer.optimizer === id));
      expect(cases.length, id).toBeGreaterThanOrEqual(3);
      expect(
        cases.some((peer) => peer.settings.weightDecay > 0),
        id,
      ).toBe(true);
      expect(
        cases.some((peer) => peer.schedule && peer.clipNorm),
        id,
      ).toBe(true);
    }
  });

  test("a wrong update differs: the comparison is not blind", () => {
    const peer = torch.cases.find(({ optimizer }) => optimizer === "adam")!;
    const wrong = { ...peer, settings: { ...peer.settings, eps: 2e-8 } };
    expect(greatestDifference(torch, wrong)).toBeGreaterThan(1e-9);
    expect(
      greatestDifference(torch, { ...peer, optimizer: "nadam", settings: { lr: 1e-3 } }),
    ).toBeGreaterThan(1e-4);
  });
});
