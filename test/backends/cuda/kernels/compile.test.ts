/** Emitted CUDA C through NVIDIA's compiler, for every architecture that it knows of those we run on. */
import { describe, expect, test } from "vitest";
import { emitCuda } from "../../../../src/backends/cuda/kernels/index.js";
import { type Compiler, openCompiler } from "../../../../src/backends/cuda/nvrtc.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import { openLibrary } from "../../../../src/native/library.js";
import { allDeviceFunctions, kernelsAlone, withoutLibraries } from "./emulation.js";
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

const open = (path: string): Compiler =>
  openCompiler({ name: "nvrtc", title: "NVRTC", path, native: openLibrary(path) });

/** What the compiler makes of a source for the oldest of the present architectures. */
const assemblyOf = (compiler: Compiler, source: string): string =>
  new TextDecoder().decode(compiler.compile(source, { kind: "ptx", architecture: 75 }, "program"));

describe.skipIf(paths.length === 0)(`emitted CUDA C under NVRTC${reason}`, () => {
  test.each(paths)("%s compiles every operation for every architecture", { timeout: 600_000 }, (path) => {
    const compiler = open(path);
    const programs = operationPrograms().map((program) => emitCuda(planProgram(program), withoutLibraries));
    const source = [
      allDeviceFunctions,
      ...programs.map((program, i) => `namespace p${i} {\n${kernelsAlone(program, `p${i}`)}}`),
    ].join("\n");
    const architectures = [70, 75, 80, 90, 100].filter((one) => compiler.architectures.includes(one));
    expect(architectures).toContain(90);
    for (const architecture of architectures) {
      const code = compiler.compile(source, { kind: "cubin", architecture }, "operations");
      expect(code.length).toBeGreaterThan(10_000);
    }
  });

  test.each(paths)(
    "%s compiles whole programs with just the device functions they name",
    { timeout: 600_000 },
    (path) => {
      const compiler = open(path);
      for (const program of [
        regressionProgram(),
        imagesProgram(25),
        imagesProgram(2, "bfloat16"),
        largeProgram(),
        productsProgram(),
      ]) {
        const { source, entries } = emitCuda(planProgram(program), withoutLibraries);
        const assembly = assemblyOf(compiler, source);
        for (const command of entries.step.commands)
          expect(assembly).toContain(`.entry ${command.kind === "launch" ? command.kernel : ""}(`);
      }
    },
  );

  test.each(paths)("%s loads and stores contiguous elements 16 bytes at a time", (path) => {
    const { source } = emitCuda(planProgram(largeProgram()), withoutLibraries);
    const assembly = assemblyOf(open(path), source);
    expect(assembly).toMatch(/ld\.global\.v4\.(f32|b32|u32)/);
    expect(assembly).toMatch(/st\.global\.v4\.(f32|b32|u32)/);
  });
});
