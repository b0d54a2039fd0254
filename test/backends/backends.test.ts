/** Every backend that computes, with every library that is here, through one conformance suite. */

import { allGemm } from "../../src/backends/cpu/gemm/index.js";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { referenceBackend } from "../../src/backends/reference/index.js";
import { conformance } from "./conformance.js";

conformance("reference", referenceBackend);
for (const { name, title } of allGemm().libraries)
  conformance(`cpu with ${title}`, () => cpuBackend({ gemm: name }));
conformance("cpu without relaxed SIMD", () => cpuBackend({ gemm: "wasm", relaxedSimd: false }));
