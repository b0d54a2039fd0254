/** Libraries as they would be on a machine with GPUs, for the doctor and for what looks for them. */
import type { LibraryFiles } from "../../../src/backends/cuda/libraries.js";
import { type CFunction, FakeLibrary } from "./fakeLibrary.js";

export interface FakeGpu {
  readonly name: string;
  readonly capability: readonly [number, number];
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** The last byte of its UUID; by default its number. */
  readonly identity?: number;
  /** CUcomputemode. */
  readonly mode?: number;
  /** CUresult of taking its context. */
  readonly refusal?: number;
}

export interface FakeMachine {
  readonly gpus: readonly FakeGpu[];
  /** Of the driver, such as 12040. */
  readonly version?: number;
  /** CUresult of cuInit. */
  readonly refusal?: number;
}

const errors: Readonly<Record<number, readonly [name: string, text: string]>> = {
  46: ["CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"],
  100: ["CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"],
};

/** libcuda with what is called before a program is compiled; the functions of others do nothing. */
export function fakeLibcuda(
  { gpus, version = 12_040, refusal = 0 }: FakeMachine,
  path = "libcuda.so.1",
): FakeLibrary {
  return new FakeLibrary(path, (library) => {
    let current = 0;
    const attributes = ({ capability, mode = 0 }: FakeGpu): Record<number, number> => ({
      16: 132,
      20: mode,
      75: capability[0],
      76: capability[1],
    });
    const describe =
      (part: 0 | 1): CFunction =>
      (code, text) => {
        const known = errors[Number(code)];
        if (!known) return 1;
        library.setWord(text, library.text(known[part]));
        return 0;
      };
    const own: Record<string, CFunction> = {
      cuInit: () => refusal,
      cuDriverGetVersion: (at) => library.setInt(at, version) as undefined,
      cuGetErrorName: describe(0),
      cuGetErrorString: describe(1),
      cuDeviceGetCount: (at) => library.setInt(at, gpus.length) as undefined,
      cuDeviceGet: (at, ordinal) => library.setInt(at, Number(ordinal)) as undefined,
      cuDeviceGetName: (at, _length, device) => {
        const view = library.view(at);
        new Uint8Array(view.buffer, view.byteOffset).set(new TextEncoder().encode(gpus[Number(device)].name));
        return 0;
      },
      cuDeviceGetUuid_v2: (at, device) => {
        const view = library.view(at);
        const { identity = Number(device) } = gpus[Number(device)];
        new Uint8Array(view.buffer, view.byteOffset, 16).set([0xa1, 0xff, ...Array(13).fill(0), identity]);
        return 0;
      },
      cuDeviceTotalMem_v2: (at, device) => library.setWord(at, gpus[Number(device)].totalBytes) as undefined,
      cuDeviceGetAttribute: (at, attribute, device) =>
        library.setInt(at, attributes(gpus[Number(device)])[Number(attribute)]) as undefined,
      cuDeviceCanAccessPeer: (at, from, to) =>
        library.setInt(at, Math.abs(Number(from) - Number(to)) === 1 ? 1 : 0) as undefined,
      cuDevicePrimaryCtxRetain: (at, device) => {
        const { refusal: refused = 0 } = gpus[Number(device)];
        if (refused === 0) library.setWord(at, 100 + Number(device));
        return refused;
      },
      cuCtxSetCurrent: (context) => {
        current = Number(context) - 100;
        return 0;
      },
      cuMemGetInfo_v2: (free, total) => {
        library.setWord(free, gpus[current].freeBytes);
        library.setWord(total, gpus[current].totalBytes);
        return 0;
      },
    };
    return new Proxy(own, { get: (known, name: string) => known[name] ?? (() => 0) });
  });
}

/** Of CUDA 12.4, compiling for devices up to that. */
export const fakeNvrtc = (
  path: string,
  [major, minor] = [12, 4],
  architectures = [75, 80, 90],
): FakeLibrary =>
  new FakeLibrary(path, (library) => ({
    nvrtcVersion: (atMajor, atMinor) => {
      library.setInt(atMajor, major);
      library.setInt(atMinor, minor);
      return 0;
    },
    nvrtcGetErrorString: (code) => `NVRTC_ERROR_${code}`,
    nvrtcGetNumSupportedArchs: (at) => library.setInt(at, architectures.length) as undefined,
    nvrtcGetSupportedArchs: (at) => {
      for (const [i, one] of architectures.entries()) library.setInt(BigInt(at) + BigInt(4 * i), one);
      return 0;
    },
    ...Object.fromEntries(
      ["CreateProgram", "DestroyProgram", "CompileProgram", "GetCUBINSize", "GetCUBIN"]
        .concat(["GetPTXSize", "GetPTX", "GetProgramLogSize", "GetProgramLog"])
        .map((name): [string, CFunction] => [`nvrtc${name}`, () => 0]),
    ),
  }));

export const fakeCublasLt = (path: string): FakeLibrary =>
  new FakeLibrary(path, () => ({
    cublasLtGetCudartVersion: () => 12_040n,
    cublasLtGetVersion: () => 120_405n,
  }));

export const fakeCudnn = (path: string, version = 8907, runtime = 12_020): FakeLibrary =>
  new FakeLibrary(path, () => ({
    cudnnGetCudartVersion: () => BigInt(runtime),
    cudnnGetVersion: () => BigInt(version),
  }));

export const fakeNccl = (path: string): FakeLibrary =>
  new FakeLibrary(path, (library) => ({ ncclGetVersion: (at) => library.setInt(at, 22_105) as undefined }));

/** A file system with these libraries; the loader finds those without a folder. */
export function filesWith(libraries: readonly FakeLibrary[], folders: readonly string[] = []): LibraryFiles {
  const paths = [...libraries.map(({ path }) => path), ...folders];
  return {
    exists: (path) => paths.some((known) => known === path || known.startsWith(`${path}/`)),
    list: (folder) => [
      ...new Set(
        paths
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1).split("/")[0]),
      ),
    ],
    open: (path) => {
      const found = libraries.find((library) => library.path === path);
      if (found) return found;
      const missing = "cannot open shared object file: No such file or directory";
      throw new Error(`Failed to load shared library: ${path}: ${missing}`);
    },
  };
}
