/** Every optimizer against PyTorch's and optax's over 300 steps in float64 (test/fixtures/optimizers). */
import { describe, expect, test } from "vitest";
import { optimizers } from "../../../src/learn/optimizers/index.js";
import { greatestDifference, type PeerCase, type PeerFixture, readFixture } from "./peers.js";

const torch = readFixture<PeerFixture>("torch.jsonl");
const optax = readFixture<PeerFixture>("optax.jsonl");

const nameOf = ({ optimizer, settings, schedule, clipNorm, decoupledWeightDecay }: PeerCase): string =>
  `${optimizer} ${JSON.stringify({ ...settings, schedule: schedule?.id, clipNorm, decoupledWeightDecay })}`;

describe.each([torch, optax])("$source", (fixture) => {
  test.each(fixture.cases.map((peer) => [nameOf(peer), peer] as const))("%s", (_, peer) => {
    expect(greatestDifference(fixture, peer)).toBeLessThan(1e-9);
  });
});

describe("defaults are PyTorch's", () => {
  test.each(optimizers.map((optimizer) => [optimizer.id, optimizer] as const))("%s", (id, optimizer) => {
    const ours = Object.entries(optimizer.hyperparameters).map(([name, { default: value }]) => [name, value]);
    // PyTorch's momentum of 0 would make these two plain gradient descent.
    const kept = id === "momentum" || id === "nesterov" ? { momentum: 0.9 } : {};
    expect({ ...torch.defaults![id], ...Object.fromEntries(ours) }).toEqual({
      ...torch.defaults![id],
      ...kept,
    });
  });
});

describe("the fixtures", () => {
  test("hold every optimizer with default and other settings, weight decay, clipping and a schedule", () => {
    for (const { id } of optimizers) {
      const cases = torch.cases.filter((peer) => peer.optimizer === id);
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
