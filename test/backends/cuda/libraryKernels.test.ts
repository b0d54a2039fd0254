/** The kernels around calls of libraries, compiled as C++ and run on the CPU. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  elementwiseShape,
  type LibraryKernel,
  libraryKernelSource,
  libraryKernels,
} from "../../../src/backends/cuda/libraryCalls.js";
import { roundedToBfloat16 } from "../../../src/base/bfloat16.js";
import { type NativeFunction, openLibrary } from "../../../src/native/library.js";
import { temporaryFolder } from "../../launch/support.js";

const hasCompiler = spawnSync("g++", ["--version"]).status === 0;

test.runIf(!hasCompiler)("kernels on the CPU: skipped, as there is no g++", () => {
  expect(hasCompiler).toBe(false);
});

/** What CUDA gives to a kernel, and a function that runs all threads of a kernel one after another. */
const surroundings = `
#define __global__
#define __device__
struct Place { unsigned int x; };
static Place blockIdx, threadIdx, blockDim, gridDim;
`;
const runner = (name: string, parameters: number): string => {
  const all = Array.from({ length: parameters }, (_, i) => `p${i}`);
  return `
extern "C" void run_${name}(unsigned grid, unsigned block, ${all.map((p) => `unsigned long long ${p}`).join(", ")}) {
  gridDim.x = grid; blockDim.x = block;
  for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++)
      reinterpret_cast<void (*)(${all.map(() => "unsigned long long").join(", ")})>(${name})(${all.join(", ")});
}`;
};
const parametersOf = { library_roundMatrices: 7, library_roundNumbers: 3, library_finishOutputs: 5 } as const;

describe.runIf(hasCompiler)("kernels on the CPU", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  let launch: (name: LibraryKernel, count: number, ...args: (ArrayBufferView | number)[]) => void;

  beforeAll(() => {
    const names = Object.keys(libraryKernels) as LibraryKernel[];
    const path = join(folder.path, "kernels");
    const runners = names.map((name) => runner(name, parametersOf[name]));
    writeFileSync(`${path}.cpp`, [surroundings, libraryKernelSource, ...runners].join("\n"));
    const compiled = spawnSync("g++", ["-O1", "-fPIC", "-shared", "-o", `${path}.so`, `${path}.cpp`], {
      encoding: "utf8",
    });
    expect(compiled).toMatchObject({ status: 0, stderr: "" });
    const library = openLibrary(`${path}.so`);
    const functions = new Map<LibraryKernel, NativeFunction>(
      names.map((name) => {
        const types = Array.from({ length: parametersOf[name] }, () => "uint64").join(", ");
        return [name, library.func(`void run_${name}(uint, uint, ${types})`)];
      }),
    );
    launch = (name, count, ...args) => {
      const { grid, block } = elementwiseShape(count);
      const values = args.map((one) => (typeof one === "number" ? one : library.addressOfBytes(one)));
      functions.get(name)!(grid, block, ...values);
    };
  });

  /** Ties, neighbours of them, both zeros, the smallest and the largest, infinities and NaN. */
  const numbers = Float32Array.of(
    ...[1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -1 - 2 ** -8, 2.7, 0, -0, 1e-45],
    ...[3.4e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-38, -123.456, 7],
    ...Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 10 ** ((i % 60) - 30)),
  );

  test("round numbers as the CPU does", () => {
    const rounded = new Float32Array(numbers.length);
    launch("library_roundNumbers", numbers.length, numbers, rounded, numbers.length);
    expect([...rounded]).toEqual([...roundedToBfloat16(numbers)]);
  });

  test("gather matrices without gaps while they round", () => {
    const [matrices, rows, columns, leading, stride] = [3, 5, 7, 9, 60];
    const count = matrices * rows * columns;
    const rounded = new Uint16Array(count);
    launch("library_roundMatrices", count, numbers, rounded, matrices, rows, columns, leading, stride);
    const expected = new Uint32Array(roundedToBfloat16(numbers).buffer);
    for (let matrix = 0; matrix < matrices; matrix++) {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const at = matrix * stride + row * leading + column;
          // Any NaN will do.
          if (Number.isNaN(numbers[at])) continue;
          expect(rounded[(matrix * rows + row) * columns + column]).toBe(expected[at] >>> 16);
        }
      }
    }
  });

  test("add a bias per channel and take the maximum with 0, which keeps NaN", () => {
    const channels = 4;
    const bias = Float32Array.from({ length: 32 }, (_, i) => i - 1.5);
    for (const [withBias, relu] of [
      [true, 1],
      [true, 0],
      [false, 1],
    ] as const) {
      const y = numbers.slice();
      launch("library_finishOutputs", y.length, y, withBias ? bias : 0, y.length, channels, relu);
      const expected = numbers.map((value, i) => {
        const sum = Math.fround(value + (withBias ? bias[i % channels] : 0));
        return relu === 1 && sum <= 0 ? 0 : sum;
      });
      expect([...y]).toEqual([...expected]);
      expect(y[12]).toBeNaN();
    }
  });
});
