/** Trainings on a GPU, by libraries and by our own kernels, against the CPU. */
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { gpu, gpuAlone } from "./gpu.js";
import { trainings } from "./trainings.js";

const oracle = () => cpuBackend({ gemm: "wasm" });

trainings("cuda", { make: () => gpu(), oracle, bfloat16: true });
trainings("cuda without libraries", { make: () => gpuAlone(), oracle, bfloat16: true });
