/** The conformance suite on emitted CUDA C, run on the CPU; and the shape of everything that it makes us emit. */
import { afterAll, describe, expect, test } from "vitest";
import type { Compiler, Target } from "../../../../src/backends/cuda/nvrtc.js";
import { conformance } from "../../conformance.js";
import { Emulation, missingCompiler } from "./emulation.js";
import {
  architecturesOf,
  compilerPaths,
  distinctKernels,
  missingNvrtc,
  openNvrtc,
  unitOf,
  withoutLikes,
} from "./nvrtc.js";
import { checkProgram } from "./structure.js";

const emulation = new Emulation(checkProgram);
const missing = missingCompiler();

conformance("programs whose CUDA C is collected", () => emulation.collecting());

describe.skipIf(compilerPaths.length === 0)(`emitted CUDA C under NVRTC${missingNvrtc}`, () => {
  const compile = (compiler: Compiler, kernels: readonly string[], target: Target): void => {
    const code = compiler.compile(unitOf(kernels), target, "conformance");
    expect(code.length).toBeGreaterThan(1000);
  };

  test("compiles: of kernels that differ in sizes alone one", { timeout: 1_200_000 }, () => {
    const compiler = openNvrtc(compilerPaths[0]);
    const kernels = withoutLikes(distinctKernels(emulation.sources));
    expect(kernels.length).toBeGreaterThan(300);
    for (let first = 0; first < kernels.length; first += kernelsOfUnit)
      compile(compiler, kernels.slice(first, first + kernelsOfUnit), { kind: "ptx", architecture: 80 });
  });

  test.each(compilerPaths)(
    "compiles to machine code of every architecture, a part of it, by %s",
    { timeout: 600_000 },
    (path) => {
      const compiler = openNvrtc(path);
      const part = distinctKernels(emulation.sources).filter((_, n) => n % 50 === 0);
      for (const architecture of architecturesOf(compiler))
        compile(compiler, part, { kind: "cubin", architecture });
    },
  );
});

/** Larger units spare nothing any more. */
const kernelsOfUnit = 200;

describe.skipIf(missing)(`emitted CUDA C on the CPU${missing ? `: ${missing}` : ""}`, () => {
  afterAll(() => emulation.release());

  test("compiles as C++", { timeout: 600_000 }, async () => {
    expect(emulation.sources.length).toBeGreaterThan(1000);
    await emulation.compile();
  });

  conformance("CUDA C", () => emulation.backend());
});
