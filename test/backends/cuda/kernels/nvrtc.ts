/** NVIDIA's compiler, for tests: many kernels as one translation unit. */
import type { CudaProgram } from "../../../../src/backends/cuda/commands.js";
import { type Compiler, type Inspector, openCompiler } from "../../../../src/backends/cuda/nvrtc.js";
import { openLibrary } from "../../../../src/native/library.js";
import { allDeviceFunctions, kernelsAlone } from "./emulation.js";

/** Paths of libnvrtc, of one version or several, between colons. */
export const compilerPaths = process.env.SLALOM_TEST_NVRTC?.split(":") ?? [];
/** Why there is nothing to compile with, to be put behind the name of a test. */
export const missingNvrtc = compilerPaths.length > 0 ? "" : ": SLALOM_TEST_NVRTC names no libnvrtc";

export const openNvrtc = (path: string): Compiler & Inspector =>
  openCompiler({ name: "nvrtc", title: "NVRTC", path, native: openLibrary(path) });

/** From Volta on, of those that the compiler makes code for. */
export const architecturesOf = ({ architectures }: Pick<Compiler, "architectures">): number[] =>
  [70, 75, 80, 90, 100].filter((one) => architectures.includes(one));

/**
 * Each kernel of the programs with the functions that it calls, without names: those that are the same but for their names
 * are there once.
 */
export function distinctKernels(programs: readonly CudaProgram[]): string[] {
  const kernels = new Set<string>();
  for (const program of programs) {
    let kernel = "";
    for (const piece of kernelsAlone(program, "p").split(/^(?=\/\/ |extern "C")/m)) {
      kernel += piece;
      if (!piece.startsWith('extern "C"')) continue;
      const [, name] = /\) (\w+)\(/.exec(piece)!;
      kernels.add(
        kernel.replaceAll(`${name.replace(/^p_/, "")}_part`, "part").replaceAll(` ${name}(`, " kernel("),
      );
      kernel = "";
    }
  }
  return [...kernels];
}

/** Of kernels that are the same but for numbers, which are sizes and places, the first. */
export function withoutLikes(kernels: readonly string[]): string[] {
  const first = new Map<string, string>();
  for (const kernel of kernels) {
    const likeness = kernel.replace(/\b\d[\w.]*/g, "0");
    if (!first.has(likeness)) first.set(likeness, kernel);
  }
  return [...first.values()];
}

/** One source of many kernels, each in a namespace of its own. */
export const unitOf = (kernels: readonly string[]): string =>
  [
    allDeviceFunctions,
    ...kernels.map((kernel, i) => `namespace n${i} {\n${kernel.replaceAll(" kernel(", ` kernel${i}(`)}}`),
  ].join("\n");
