/** Emitted CUDA C through NVIDIA's compiler, for every architecture that it knows of those we run on. */
import { describe, expect, test } from "vitest";
import { emitCuda } from "../../../../src/backends/cuda/kernels/index.js";
import { libraryKernelSource } from "../../../../src/backends/cuda/libraryCalls.js";
import { loneKernels, ownKernelsFor } from "../../../../src/backends/cuda/loneKernels.js";
import type { Compiler } from "../../../../src/backends/cuda/nvrtc.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import { withoutLibraries } from "./emulation.js";
import { architecturesOf, compilerPaths, distinctKernels, missingNvrtc, openNvrtc, unitOf } from "./nvrtc.js";
import {
  exercise3Program,
  imagesProgram,
  largeProgram,
  operationPrograms,
  productsProgram,
  regressionProgram,
} from "./programs.js";

/** What the compiler makes of a source for the oldest of the present architectures. */
const assemblyOf = (compiler: Compiler, source: string): string =>
  new TextDecoder().decode(compiler.compile(source, { kind: "ptx", architecture: 75 }, "program"));

describe.skipIf(compilerPaths.length === 0)(`emitted CUDA C under NVRTC${missingNvrtc}`, () => {
  test.each(compilerPaths)(
    "%s compiles every operation for every architecture",
    { timeout: 600_000 },
    (path) => {
      const compiler = openNvrtc(path);
      const programs = operationPrograms().map((program) => emitCuda(planProgram(program), withoutLibraries));
      const source = unitOf(distinctKernels(programs));
      const architectures = architecturesOf(compiler);
      expect(architectures).toContain(90);
      for (const architecture of architectures) {
        const code = compiler.compile(source, { kind: "cubin", architecture }, "operations");
        expect(code.length).toBeGreaterThan(10_000);
      }
    },
  );

  test.each(compilerPaths)(
    "%s compiles whole programs with just the device functions they name",
    { timeout: 600_000 },
    (path) => {
      const compiler = openNvrtc(path);
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

  test.each(compilerPaths)("%s loads and stores contiguous elements 16 bytes at a time", (path) => {
    const { source } = emitCuda(planProgram(largeProgram()), withoutLibraries);
    const assembly = assemblyOf(openNvrtc(path), source);
    expect(assembly).toMatch(/ld\.global\.v4\.(f32|b32|u32)/);
    expect(assembly).toMatch(/st\.global\.v4\.(f32|b32|u32)/);
  });

  test.each(compilerPaths)(
    "%s compiles exercise 3's products and convolutions by themselves, to be timed",
    { timeout: 600_000 },
    (path) => {
      const plan = planProgram(exercise3Program(50, 2), { waves: true });
      const kernels = Object.values(plan.entries).flatMap((entry) => entry.kernels);
      const routed = kernels.filter((kernel) => kernel.kind === "gemm" || kernel.kind === "convolution");
      const { source, launches } = ownKernelsFor(loneKernels(routed.map((kernel) => ({ kernel, plan }))));
      expect(routed.length).toBeGreaterThanOrEqual(11);
      expect(launches.map((ofKernel) => ofKernel.length > 0)).toEqual(routed.map(() => true));
      const assembly = assemblyOf(openNvrtc(path), `${source}\n${libraryKernelSource}`);
      for (const { kernel } of launches.flat()) expect(assembly).toContain(`.entry ${kernel}(`);
    },
  );

  test.each(compilerPaths)("%s multiplies by tensor cores and copies on the side from 8.0 on", (path) => {
    const { source } = emitCuda(planProgram(regressionProgram()), withoutLibraries, "tf32");
    const compiler = openNvrtc(path);
    const assembly = (architecture: number): string =>
      new TextDecoder().decode(compiler.compile(source, { kind: "ptx", architecture }, "program"));
    for (const instruction of ["mma.sync.aligned.m16n8k8.row.col.f32.tf32", "cp.async.cg.shared.global"]) {
      expect(assembly(80)).toContain(instruction);
      expect(assembly(75)).not.toContain(instruction);
    }
  });

  test.each(compilerPaths)("%s keeps what exercise 3 runs in registers", { timeout: 600_000 }, (path) => {
    const compiler = openNvrtc(path);
    for (const [precision, program] of [
      ["float32", exercise3Program(50, 1)],
      ["tf32", exercise3Program(50, 1)],
      ["float32", exercise3Program(50, 1, "bfloat16")],
    ] as const) {
      const { source, entries } = emitCuda(
        planProgram(program, { waves: true }),
        withoutLibraries,
        precision,
      );
      for (const architecture of architecturesOf(compiler)) {
        const found = compiler.resources(source, architecture, "exercise3");
        expect(found.size).toBe(Object.values(entries).flatMap(({ commands }) => commands).length);
        for (const [name, { registers, spillBytes, staticSharedBytes }] of found) {
          // Two blocks of 256 threads are at once on a multiprocessor.
          expect(registers, name).toBeLessThanOrEqual(128);
          expect(spillBytes, name).toBe(0);
          expect(staticSharedBytes, name).toBe(0);
        }
      }
    }
  });
});
