/** What holds for every emitted program. */
import { expect } from "vitest";
import type { CudaProgram } from "../../../../src/backends/cuda/commands.js";
import type { Plan } from "../../../../src/compile/plan.js";

/** Shared memory that every device gives when asked. */
const mostSharedBytes = 64 * 1024;

/** Launches name kernels of the source, each once, and are such as every device can run; scratch lies behind the arena. */
export function checkProgram(program: CudaProgram, plan: Plan): void {
  expect(Object.keys(program.entries)).toEqual(Object.keys(plan.entries));
  expect(program.arenaBytes).toBeGreaterThanOrEqual(plan.arenaBytes);
  expect(program.arenaBytes % 64).toBe(0);
  const kernels = [...program.source.matchAll(/^extern "C" __global__ void .* (\w+)\(/gm)].map(
    ([, name]) => name,
  );
  const launches = Object.values(program.entries).flatMap(({ commands }) =>
    commands.filter((command) => command.kind === "launch"),
  );
  expect(launches.map(({ kernel }) => kernel)).toEqual(kernels);
  expect(new Set(kernels).size).toBe(kernels.length);
  for (const { grid, block, sharedBytes } of launches) {
    expect(grid).toBeGreaterThanOrEqual(1);
    expect(grid).toBeLessThan(2 ** 31);
    expect(Number.isInteger(grid)).toBe(true);
    expect(block).toBe(256);
    expect(sharedBytes).toBeLessThanOrEqual(mostSharedBytes);
  }
  expect(program.source.split("++*step;")).toHaveLength(Object.keys(program.entries).length + 1);
}
