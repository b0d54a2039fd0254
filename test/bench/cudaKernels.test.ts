/** What the benchmarks know of CUDA kernels without a GPU. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/sources.js";

const cudaKernels = (...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "bench/run.js"), "cudaKernels", "--programs", "grid sgd", ...args],
    { encoding: "utf8" },
  );
  expect(`${status}: ${stderr}`).toBe("0: ");
  return stdout;
};

test("a step of exercise 2's grid: its nodes, what it moves at least and as planned, a forecast", () => {
  const [row, ...others] = JSON.parse(cudaKernels("--json"));
  expect(others).toEqual([]);
  expect(row).toMatchObject({ name: "grid sgd, 9 lanes", nodes: row.launches + 2 });
  // Nine lanes of 784 x 10 weights and biases, read and written; 100 images.
  expect(row.leastBytes).toBe(2 * 9 * 7850 * 4 + 78_400);
  expect(row.bytes).toBeGreaterThan(row.leastBytes);
  expect(row.flops).toBeGreaterThan(9 * 2 * 2 * 100 * 7840);
  expect(row.forecastS.H200).toBeLessThanOrEqual(row.forecastS.H100);
  expect(row.forecastS.H100).toBeGreaterThanOrEqual(row.nodes * 1.5e-6);
});

test("is printed as a table, which says that nobody measured it", () => {
  const lines = cudaKernels("--kernels", "--own-kernels").split("\n");
  expect(lines[0]).toMatch(/^a step of +nodes +launches +GFLOP +moved +least +H100 +H200/);
  expect(lines[1]).toMatch(/^grid sgd, 9 lanes +\d+ +\d+ /);
  expect(lines.join("\n")).toMatch(/\nstep0_0 +\d+ +\d+ B +\S+ +[\d.]+ k?B +1\.50 us/);
  expect(lines.join("\n")).toContain("\nTimes are forecasts from data sheets, our own kernels alone");
});
