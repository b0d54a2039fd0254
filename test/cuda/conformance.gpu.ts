/** The conformance suite on a GPU, products and convolutions by libraries. */
import { conformance } from "../backends/conformance.js";
import { gpu } from "./gpu.js";

conformance("cuda", () => gpu());
