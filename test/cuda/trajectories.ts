/** Every optimizer on a backend against PyTorch's, torch-optimizer's and optax's, over the 300 steps of the fixtures. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.js";
import { add } from "../../src/graph/index.js";
import {
  greatestDifference,
  type PeerCase,
  type PeerFixture,
  peerUpdate,
  readFixture,
  type Values,
} from "../learn/optimizers/peers.js";

/** float64: of another order of additions. float32: of its roundings, which steps of constant size, as Adam makes them, carry on. */
const bounds = { float64: 1e-9, float32: 5e-3 } as const;
/** In float32; a rate that follows from norms of both parameter and gradient magnifies what rounding made. */
const boundOfLars = 0.1;

/** All tests of one backend; `make` is called once. */
export function trajectories(name: string, make: () => Backend): void {
  describe.each(["float64", "float32"] as const)(`${name}: optimizers over 300 steps in %s`, (dtype) => {
    const backend = make();
    for (const file of ["torch.jsonl", "torchOptimizer.jsonl", "optax.jsonl"]) {
      const fixture = readFixture<PeerFixture>(file);
      const trajectory = (_: PeerFixture, peer: PeerCase): Values[] =>
        trajectoryOn(backend, fixture, peer, dtype);
      test.each([...new Set(fixture.cases.map(({ optimizer }) => optimizer))])(
        `%s against ${fixture.source}`,
        (optimizer) => {
          for (const peer of fixture.cases.filter((one) => one.optimizer === optimizer))
            expect(greatestDifference(fixture, peer, trajectory), JSON.stringify(peer.settings)).toBeLessThan(
              optimizer === "lars" && dtype === "float32" ? boundOfLars : bounds[dtype],
            );
        },
      );
    }
  });
}

/** Our parameters at the fixture's steps: one program, run from each of these steps to the next. */
function trajectoryOn(
  backend: Backend,
  fixture: PeerFixture,
  peer: PeerCase,
  dtype: "float32" | "float64",
): Values[] {
  const { state, fixed, step } = peerUpdate(fixture, peer, dtype);
  const variablesOf = (named: Readonly<Record<string, { readonly variable: PeerStep }>>) =>
    Object.fromEntries(Object.entries(named).map(([name, { variable }]) => [name, variable]));
  const updates = Object.fromEntries(Object.entries(state).map(([name, { next }]) => [name, next]));
  const executable = backend.compile({
    name: `${peer.optimizer} ${dtype}`,
    variables: { ...variablesOf(state), ...variablesOf(fixed), step },
    entries: { step: { updates: { ...updates, step: add(step, 1) }, traces: {} } },
    traceCapacity: fixture.totalSteps,
  });
  for (const [name, { start }] of Object.entries(state)) executable.write(name, start.data);
  for (const [name, { value }] of Object.entries(fixed)) executable.write(name, [value]);
  executable.write("step", [1]);
  let done = 0;
  const kept = fixture.steps.map((at): Values => {
    executable.run("step", at - done);
    done = at;
    return Object.fromEntries(
      Object.keys(fixture.problem.shapes).map((name) => [name, [...executable.read(name)]]),
    );
  });
  executable.release();
  return kept;
}

type PeerStep = ReturnType<typeof peerUpdate>["step"];
