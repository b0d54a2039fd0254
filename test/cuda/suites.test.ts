/**
 * What `npm run test:cuda` runs on a GPU, run on the CPU, so that the suites themselves are known to work; and what that
 * command says where there is no GPU.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { allGemm } from "../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { limits } from "./limits.js";
import { products } from "./products.js";
import { rankParity } from "./ranks.js";
import { trainings } from "./trainings.js";
import { trajectories } from "./trajectories.js";
import { workerParity } from "./workers.js";

const bfloat16 = allGemm().libraries.some((library) => library.multipliesBfloat16());

products("cpu", "float32", () => cpuBackend());
products("reference", "bfloat16", () => referenceBackend());
trajectories("cpu", () => cpuBackend());
trainings("cpu", {
  make: () => cpuBackend(),
  oracle: () => cpuBackend({ gemm: "wasm", relaxedSimd: false }),
  bfloat16,
});
limits("cpu", () => cpuBackend());
rankParity("cpu", (ranks) => cpuBackend({ ranks }));
if (availableParallelism() > 1) workerParity({ backend: "cpu", gemm: "wasm" });

test("without a GPU the command ends with code 1 and one sentence", () => {
  const environment = { ...process.env, CUDA_VISIBLE_DEVICES: "" };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["test/cuda/requireGpu.js"], {
    encoding: "utf8",
    env: environment,
  });
  expect(stdout).toBe("");
  expect(stderr.trimEnd()).toMatch(
    /^test:cuda needs an NVIDIA GPU, and this machine has none to use: cuda.*\.$/,
  );
  expect(status).toBe(1);
});
