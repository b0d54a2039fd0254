/** The conformance suite on emitted CUDA C, run on the CPU; and the shape of everything that it makes us emit. */
import { afterAll, describe, expect, test } from "vitest";
import { conformance } from "../../conformance.js";
import { Emulation, missingCompiler } from "./emulation.js";
import { checkProgram } from "./structure.js";

const emulation = new Emulation(checkProgram);
const missing = missingCompiler();

conformance("programs whose CUDA C is collected", () => emulation.collecting());

describe.skipIf(missing)(`emitted CUDA C on the CPU${missing ? `: ${missing}` : ""}`, () => {
  afterAll(() => emulation.release());

  test("compiles as C++", { timeout: 600_000 }, async () => {
    expect(emulation.sources.length).toBeGreaterThan(1000);
    await emulation.compile();
  });

  conformance("CUDA C", () => emulation.backend());
});
