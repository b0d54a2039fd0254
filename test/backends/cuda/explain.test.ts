/** A step on a GPU in numbers: nodes of its graph, what they move and compute, what a data sheet says of that. */
import { describe, expect, test } from "vitest";
import {
  type CudaEntryExplanation,
  type CudaExplainOptions,
  explainCuda,
} from "../../../src/backends/cuda/explain.js";
import { type Gpu, gpus, nodeS } from "../../../src/backends/cuda/gpus.js";
import { resourcesIn } from "../../../src/backends/cuda/kernelResources.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import type { Program } from "../../../src/compile/program.js";
import * as f from "../../../src/graph/index.js";
import { withProductPrecision } from "../../../src/transform/index.js";
import { exercise3Program } from "./kernels/programs.js";

/** A billion a second of everything. */
const slow: Gpu = {
  name: "slow",
  capability: [9, 0],
  memoryGB: 1,
  bandwidthGBs: 1,
  tflops: { float32: 1e-3, float64: 1e-3, tf32: 2e-3, bfloat16: 4e-3 },
};

function stepOf(
  program: Program,
  options: Partial<CudaExplainOptions> = {},
  waves = true,
): CudaEntryExplanation {
  const plan = planProgram(program, { waves });
  return explainCuda(plan, { gpu: slow, precision: "float32", libraries: true, ...options }).entries[0];
}

describe("exercise 3's network, batch 50", () => {
  const program = exercise3Program(50, 1);

  test("is 26 nodes a step, 11 of them products and convolutions; with memory for one kernel after another it was more", () => {
    const { nodes, commands } = stepOf(program);
    expect(commands.filter(({ command }) => command !== "launch")).toHaveLength(11);
    expect(nodes).toBe(26);
    expect(stepOf(program, {}, false).nodes).toBeGreaterThan(nodes);
  });

  test("is not many more without libraries, and as many of our own for 64 lanes", () => {
    expect(stepOf(program, { libraries: false }).nodes).toBe(29);
    const lanes = stepOf(exercise3Program(50, 64)).commands;
    expect(lanes.filter(({ command }) => command === "launch")).toHaveLength(15);
  });

  test("computes what its products and convolutions take, three times forward's but for the first layer's images", () => {
    const { flops, bytes } = stepOf(program);
    const [first, second] = [28 * 28 * 32 * 25, 14 * 14 * 64 * 25 * 32];
    const [third, fourth] = [3136 * 1024, 1024 * 10];
    const products = 2 * 50 * (2 * first + 3 * (second + third + fourth));
    expect(flops).toBeGreaterThan(products);
    expect(flops).toBeLessThan(1.02 * products);
    // Adam alone reads a parameter, its gradient and two slots, and writes three of them.
    expect(bytes).toBeGreaterThan(3_274_634 * 4 * 7);
    expect(bytes).toBeLessThan(3_274_634 * 4 * 16);
  });
});

describe("a command", () => {
  const [a, b] = [f.variable("a", [64, 128]), f.variable("b", [128, 32])];
  const product = (precision?: "bfloat16"): Program => {
    const c = f.matmul(a, b);
    const traces = { c: precision ? withProductPrecision([c], precision)[0] : c };
    return {
      name: "product",
      variables: { a, b },
      entries: { step: { updates: {}, traces } },
      traceCapacity: 1,
    };
  };
  const flops = 2 * 64 * 128 * 32;
  const productIn = (options: Partial<CudaExplainOptions>, precision?: "bfloat16") =>
    stepOf(product(precision), options).commands.find(({ flops: own }) => own === flops)!;

  test("takes the longest of its nodes, its traffic and its arithmetic", () => {
    expect(productIn({})).toMatchObject({
      command: "product",
      nodes: 1,
      bound: "arithmetic",
      forecastS: flops / 1e9,
    });
    const fast = { ...slow, tflops: { float32: 1, float64: 1 } };
    const bytes = 4 * (64 * 128 + 128 * 32 + 64 * 32);
    expect(productIn({ gpu: fast })).toMatchObject({ bound: "memory", bytes, forecastS: bytes / 1e9 });
    expect(productIn({ gpu: { ...fast, bandwidthGBs: 1000 } })).toMatchObject({
      bound: "launch",
      forecastS: nodeS,
    });
  });

  test("multiplies at the rate of its precision, by a library and by our own kernels", () => {
    expect(productIn({ precision: "tf32" }).forecastS).toBeCloseTo(flops / 2e9, 12);
    // Its operands are rounded by kernels of ours.
    expect(productIn({}, "bfloat16")).toMatchObject({ nodes: 3, forecastS: flops / 4e9 });
    const own = (precision: CudaExplainOptions["precision"], ofPlan?: "bfloat16") =>
      productIn({ libraries: false, precision }, ofPlan);
    expect(own("float32")).toMatchObject({ command: "launch", forecastS: flops / 1e9 });
    expect(own("tf32").forecastS).toBeCloseTo(flops / 2e9, 12);
    expect(own("float32", "bfloat16").forecastS).toBeCloseTo(flops / 4e9, 12);
  });

  test("of lanes is a call of cuDNN for each", () => {
    const program = exercise3Program(10, 3);
    const first = stepOf(program).commands.find(({ command }) => command === "convolution")!;
    expect(first).toMatchObject({ nodes: 3, parts: [{ title: "conv2d 3 of 10x28x28x1 * 32x5x5" }] });
  });
});

test("data sheets: newer GPUs are faster, and tensor cores faster than ordinary ones", () => {
  for (const [i, gpu] of gpus.entries()) {
    const { float32, float64, tf32 = float32, bfloat16 = float32 } = gpu.tflops;
    expect([float64 < float32, float32 <= tf32, tf32 <= bfloat16]).toEqual([true, true, true]);
    if (i > 0) expect(gpu.bandwidthGBs).toBeGreaterThan(gpus[i - 1].bandwidthGBs);
  }
});

test("what the assembler tells of each kernel", () => {
  const log = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'step0_0' for 'sm_90'
ptxas info    : Function properties for step0_0
ptxas         .     24 bytes stack frame, 16 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 24 bytes cumulative stack size, 256 bytes smem
ptxas info    : Compile time = 7.784 ms
ptxas info    : Compiling entry function 'step0_1' for 'sm_90'
ptxas info    : Function properties for step0_1
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers
`;
  expect(Object.fromEntries(resourcesIn(log))).toEqual({
    step0_0: { registers: 255, spillBytes: 36, stackBytes: 24, staticSharedBytes: 256 },
    step0_1: { registers: 10, spillBytes: 0, stackBytes: 0, staticSharedBytes: 0 },
  });
});
