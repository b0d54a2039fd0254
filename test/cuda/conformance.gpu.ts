/** The conformance suite on a GPU, products and convolutions by libraries. */
import { conformance } from "../backends/conformance.js";
import { gpuByLibraries } from "./gpu.js";

conformance("cuda by libraries", () => gpuByLibraries());
