/** The conformance suite on a GPU, all of it by our own kernels. */
import { conformance } from "../backends/conformance.js";
import { gpuAlone } from "./gpu.js";

conformance("cuda without libraries", () => gpuAlone());
