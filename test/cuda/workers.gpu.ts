/** Workers with a GPU each, or where there is one alone, both on that. */
import { lookAtCuda } from "../../src/backends/cuda/probe.js";
import { workerParity } from "./workers.js";

const { devices } = lookAtCuda({ environment: process.env });
const apart = devices.length > 1 ? ({ devices: [0, 1], ranks: 1 } as const) : {};
workerParity({ backend: "cuda", gemm: "auto" }, apart);
