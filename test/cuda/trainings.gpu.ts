/** Trainings on a GPU, by the fastest routes, by libraries and by our own kernels, against the CPU. */
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { gpu, gpuAlone, gpuByLibraries } from "./gpu.js";
import { trainings } from "./trainings.js";

const oracle = () => cpuBackend({ gemm: "wasm" });

trainings("cuda", { make: () => gpu(), oracle, bfloat16: true });
trainings("cuda by libraries", { make: () => gpuByLibraries(), oracle, bfloat16: true });
trainings("cuda without libraries", { make: () => gpuAlone(), oracle, bfloat16: true });
