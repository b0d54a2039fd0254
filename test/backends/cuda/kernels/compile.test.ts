/** Emitted CUDA C through NVIDIA's compiler, for every architecture that it knows of those we run on. */
import { describe, expect, test } from "vitest";
import { emitCuda } from "../../../../src/backends/cuda/kernels/index.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import { allDeviceFunctions, kernelsAlone, withoutLibraries } from "./emulation.js";
import { openCompiler } from "./nvrtc.js";
import {
  imagesProgram,
  largeProgram,
  operationPrograms,
  productsProgram,
  regressionProgram,
} from "./programs.js";

/** Paths of libnvrtc, of one version or several, between colons. */
const paths = process.env.SLALOM_TEST_NVRTC?.split(":") ?? [];
const reason = paths.length > 0 ? "" : ": SLALOM_TEST_NVRTC names no libnvrtc";

describe.skipIf(paths.length === 0)(`emitted CUDA C under NVRTC${reason}`, () => {
  test.each(paths)("%s compiles every operation for every architecture", { timeout: 600_000 }, (path) => {
    const compiler = openCompiler(path);
    const programs = operationPrograms().map((program) => emitCuda(planProgram(program), withoutLibraries));
    const source = [
      allDeviceFunctions,
      ...programs.map((program, i) => `namespace p${i} {\n${kernelsAlone(program, `p${i}`)}}`),
    ].join("\n");
    // The oldest ones went with version 13.
    const architectures =
      compiler.version[0] < 13 ? ["sm_70", "sm_75"] : ["sm_75", "sm_80", "sm_90", "sm_100"];
    for (const architecture of architectures)
      expect(compiler.machineCode(source, architecture).length).toBeGreaterThan(10_000);
  });

  test.each(paths)(
    "%s compiles whole programs with just the device functions they name",
    { timeout: 600_000 },
    (path) => {
      const compiler = openCompiler(path);
      for (const program of [
        regressionProgram(),
        imagesProgram(25),
        imagesProgram(2, "bfloat16"),
        largeProgram(),
        productsProgram(),
      ]) {
        const { source, entries } = emitCuda(planProgram(program), withoutLibraries);
        const assembly = compiler.assembly(source, "compute_75");
        for (const command of entries.step.commands)
          expect(assembly).toContain(`.entry ${command.kind === "launch" ? command.kernel : ""}(`);
      }
    },
  );

  test.each(paths)("%s loads and stores contiguous elements 16 bytes at a time", (path) => {
    const { source } = emitCuda(planProgram(largeProgram()), withoutLibraries);
    const assembly = openCompiler(path).assembly(source, "compute_75");
    expect(assembly).toMatch(/ld\.global\.v4\.(f32|b32|u32)/);
    expect(assembly).toMatch(/st\.global\.v4\.(f32|b32|u32)/);
  });
});
