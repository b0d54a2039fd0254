/** What a backend says where memory is too little, and that what it gave back can be had again. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.js";
import { planProgram } from "../../src/compile/planProgram.js";
import type { Program } from "../../src/compile/program.js";
import { add, variable } from "../../src/graph/index.js";

/** A program that adds 1 to each of so many variables of 256 MiB. */
function large(count: number): Program {
  const names = Array.from({ length: count }, (_, i) => `v${i}`);
  const variables = Object.fromEntries(names.map((name) => [name, variable(name, [2 ** 26])]));
  const updates = Object.fromEntries(names.map((name) => [name, add(variables[name], 1)]));
  return {
    name: "large",
    variables,
    entries: { step: { updates, traces: {} } },
    traceCapacity: 1,
  };
}

/** All tests of one backend; `make` is called once. */
export function limits(name: string, make: () => Backend): void {
  describe(`${name}: memory`, () => {
    const backend = make();

    test("a program that needs more than there is is refused with the figures", () => {
      expect(() => backend.compile(large(2000))).toThrow(
        expect.objectContaining({
          code: "device",
          message: expect.stringMatching(/^program large: needs [\d.]+ [MGT]iB/),
        }),
      );
    });

    test("a program that was released leaves its place to the next", () => {
      const most = backend.memoryOf!(planProgram(large(1))).mostBytes;
      // More than half of it, so that two do not fit; on a large GPU what other tests take at the same time stays.
      const count = Math.max(1, Math.floor((0.55 * most) / 2 ** 28));
      for (let round = 0; round < 3; round++) {
        const executable = backend.compile(large(count));
        executable.run("step");
        expect(executable.bytes).toBeGreaterThan(most / 2);
        executable.release();
      }
    });
  });
}
