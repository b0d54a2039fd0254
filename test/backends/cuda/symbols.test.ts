/** The functions that we call, in the real libraries: those in the folder of Python packages that SLALOM_TEST_CUDA names. */
import { describe, expect, test } from "vitest";
import { bind } from "../../../src/backends/cuda/bind.js";
import { cublasLtPrototypes } from "../../../src/backends/cuda/cublasLt.js";
import { cudnnPrototypes } from "../../../src/backends/cuda/cudnn.js";
import { driverPrototypes } from "../../../src/backends/cuda/driverCalls.js";
import { type CudaLibraryName, findLibrary, libraryVersion } from "../../../src/backends/cuda/libraries.js";
import { ncclPrototypes } from "../../../src/backends/cuda/nccl.js";
import { nvrtcPrototypes } from "../../../src/backends/cuda/nvrtc.js";

const prototypes = {
  nvrtc: nvrtcPrototypes,
  cublasLt: cublasLtPrototypes,
  cudnn: cudnnPrototypes,
  nccl: ncclPrototypes,
} as const;

test("every prototype is of the function that it is called by", () => {
  for (const [name, prototype] of Object.entries({
    ...driverPrototypes,
    ...Object.assign({}, ...Object.values(prototypes)),
  }))
    expect(prototype).toMatch(new RegExp(`^(int|str) ${name}(_v2)?\\(`));
});

const packages = process.env.SLALOM_TEST_CUDA;

test.runIf(packages === undefined)(
  "real libraries: skipped, as SLALOM_TEST_CUDA names no folder with nvidia/ in it",
  () => {
    expect(packages).toBeUndefined();
  },
);

describe.runIf(packages !== undefined)("real libraries", () => {
  const places = { toolkits: [], packages: [packages ?? ""] };

  test.each(Object.keys(prototypes) as (keyof typeof prototypes & CudaLibraryName)[])(
    "%s has every function, and says its version",
    (name) => {
      const { library, rejections } = findLibrary(name, places);
      expect(library, rejections.map(({ path, reason }) => `${path}: ${reason}`).join("\n")).toBeDefined();
      if (name === "nccl") library!.native.structure("ncclUniqueId", 128);
      const bound = bind(library!.native, library!.title, prototypes[name]);
      expect(Object.keys(bound)).toEqual(Object.keys(prototypes[name]));
      expect(libraryVersion(library!)).toMatch(/^\d+\.\d+/);
    },
  );
});
