/** How CUDA's libraries are found, told and refused, on file systems that are made up. */
import { homedir } from "node:os";
import { describe, expect, test } from "vitest";
import { cudaBackend } from "../../../src/backends/cuda/index.js";
import {
  findLibrary,
  libraryPlaces,
  libraryVersion,
  requireLibrary,
} from "../../../src/backends/cuda/libraries.js";
import {
  type FakeMachine,
  fakeCublasLt,
  fakeCudnn,
  fakeLibcuda,
  fakeNccl,
  fakeNvrtc,
  filesWith,
} from "./fakeCuda.js";
import { FakeLibrary } from "./fakeLibrary.js";

const nowhere = { toolkits: [], packages: [] };

describe("places", () => {
  test("are the toolkit's folders and those of Python packages with an nvidia in them", () => {
    const files = filesWith(
      [],
      [
        "/opt/cuda/lib64/x",
        "/usr/local/cuda/lib/x",
        "/venv/lib/python3.11/site-packages/nvidia/cublas",
        "/venv/lib/python3.12/site-packages/numpy",
        "/bin/python3",
        "/lib/python3/dist-packages/nvidia/cudnn",
        `${homedir()}/.local/lib/python3.9/site-packages/nvidia/nccl`,
      ],
    );
    expect(
      libraryPlaces({ CUDA_HOME: "/opt/cuda", VIRTUAL_ENV: "/venv", PATH: "/none:/bin" }, files),
    ).toEqual({
      toolkits: ["/opt/cuda/lib64", "/usr/local/cuda/lib"],
      packages: [
        "/venv/lib/python3.11/site-packages",
        "/lib/python3/dist-packages",
        `${homedir()}/.local/lib/python3.9/site-packages`,
      ],
    });
    expect(libraryPlaces({}, filesWith([]))).toEqual(nowhere);
  });
});

describe("a library", () => {
  const packages = ["/venv/site-packages"];
  const inPackages = (name: string): string => `/venv/site-packages/nvidia/${name}`;

  test("is the loader's first, then the toolkit's, then that of the packages", () => {
    const paths = ["libcudnn.so.8", "/opt/cuda/lib64/libcudnn.so.9", inPackages("cudnn/lib/libcudnn.so.9")];
    const places = { toolkits: ["/opt/cuda/lib64"], packages };
    const found = paths.map((_, i) =>
      findLibrary("cudnn", places, { files: filesWith(paths.slice(i).map((path) => fakeCudnn(path))) }),
    );
    expect(found.map(({ library }) => library?.path)).toEqual(paths);
    expect(found[1].rejections.map(({ path }) => path)).toEqual([
      "libcudnn.so.9",
      "libcudnn.so.8",
      "libcudnn.so",
    ]);
  });

  test("of a newer CUDA than the driver's is left out for an older one", () => {
    const files = filesWith([
      fakeNvrtc("libnvrtc.so.13", [13, 2]),
      fakeNvrtc(inPackages("cuda_nvrtc/lib/libnvrtc.so.12")),
    ]);
    const { library, rejections } = findLibrary(
      "nvrtc",
      { toolkits: [], packages },
      { driverVersion: 12_040, files },
    );
    expect(library?.path).toBe("/venv/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
    expect(rejections[0]).toEqual({
      name: "nvrtc",
      path: "libnvrtc.so.13",
      reason: "is for CUDA 13.2, and the NVIDIA driver runs CUDA 12.4",
    });
  });

  test("says its version", () => {
    const found = (name: Parameters<typeof findLibrary>[0], native: FakeLibrary) =>
      libraryVersion(findLibrary(name, nowhere, { files: filesWith([native]) }).library!);
    expect(found("nvrtc", fakeNvrtc("libnvrtc.so.12"))).toBe("12.4");
    expect(found("cublasLt", fakeCublasLt("libcublasLt.so.12"))).toBe("12.4.5");
    expect(found("cudnn", fakeCudnn("libcudnn.so.8"))).toBe("8.9.7");
    expect(found("cudnn", fakeCudnn("libcudnn.so.9", 90_100))).toBe("9.1.0");
    expect(found("nccl", fakeNccl("libnccl.so.2"))).toBe("2.21.5");
  });

  test("that nothing replaces is refused with what was looked for and what installs it", () => {
    const files = filesWith([]);
    expect(() => requireLibrary("driver", nowhere, { files })).toThrowErrorMatchingInlineSnapshot(`
      [SlalomError: cuda: NVIDIA driver was not found; expected one of these files to load:
        libcuda.so.1: cannot open shared object file: No such file or directory
      Install it: sudo apt-get install nvidia-driver (Debian, from non-free; on a cluster ask for a GPU, in a container run it with --gpus all). If it is elsewhere, set LD_LIBRARY_PATH or CUDA_HOME. Or take --backend cpu.]
    `);
    const places = { toolkits: ["/opt/cuda/lib64"], packages };
    const newer = filesWith([fakeNvrtc("libnvrtc.so.13", [13, 0])]);
    expect(() =>
      requireLibrary("nvrtc", places, { driverVersion: 12_020, files: newer }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [SlalomError: cuda: NVRTC was not found; expected one of these files to load:
        libnvrtc.so.13: is for CUDA 13.0, and the NVIDIA driver runs CUDA 12.2
        libnvrtc.so.12: cannot open shared object file: No such file or directory
        libnvrtc.so.11.2: cannot open shared object file: No such file or directory
        libnvrtc.so: cannot open shared object file: No such file or directory
      Looked in /opt/cuda/lib64, /venv/site-packages too.
      Install it: pip install nvidia-cuda-nvrtc (CUDA 13; nvidia-cuda-nvrtc-cu12 for a driver of CUDA 12). If it is elsewhere, set LD_LIBRARY_PATH or CUDA_HOME. Or take --backend cpu.]
    `);
  });
});

describe("the backend", () => {
  const gpu = {
    name: "NVIDIA A100-SXM4-40GB",
    capability: [8, 0],
    totalBytes: 42e9,
    freeBytes: 40e9,
  } as const;
  const started = (machine: FakeMachine, others: readonly FakeLibrary[], options = {}) =>
    cudaBackend({ files: filesWith([fakeLibcuda(machine), ...others]), ...options });
  const nvrtc = fakeNvrtc("libnvrtc.so.12");

  test("says what it found, and what replaces what it did not", () => {
    const all = [nvrtc, fakeCublasLt("libcublasLt.so.12"), fakeCudnn("libcudnn.so.9", 90_100)];
    expect(started({ gpus: [gpu] }, all, { precision: "tf32" }).description).toBe(
      "cuda (NVIDIA A100-SXM4-40GB, compute capability 8.0, driver for CUDA 12.4, NVRTC 12.4, cuBLASLt 12.4.5, cuDNN 9.1.0, tf32, fastest routes)",
    );
    expect(started({ gpus: [gpu] }, [nvrtc]).description).toBe(
      "cuda (NVIDIA A100-SXM4-40GB, compute capability 8.0, driver for CUDA 12.4, NVRTC 12.4, own products, own convolutions)",
    );
  });

  test("takes the fastest routes, unless it is to take libraries or our own kernels", () => {
    const all = [nvrtc, fakeCublasLt("libcublasLt.so.12"), fakeCudnn("libcudnn.so.9", 90_100)];
    const of = (routes: "fastest" | "libraries" | "own"): string =>
      started({ gpus: [gpu] }, all, { routes }).description.split("NVRTC 12.4, ")[1];
    expect(of("fastest")).toBe("cuBLASLt 12.4.5, cuDNN 9.1.0, fastest routes)");
    expect(of("libraries")).toBe("cuBLASLt 12.4.5, cuDNN 9.1.0)");
    expect(of("own")).toBe("own products, own convolutions)");
  });

  test("is refused without a driver, a compiler or a device", () => {
    expect(() => cudaBackend({ files: filesWith([nvrtc]) })).toThrow("cuda: NVIDIA driver was not found");
    expect(() => started({ gpus: [gpu] }, [])).toThrow("cuda: NVRTC was not found");
    expect(() => started({ gpus: [], refusal: 100 }, [nvrtc])).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: cuInit failed with CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected. No GPU is visible. Is CUDA_VISIBLE_DEVICES empty, or does the job or container have no GPU (--gres=gpu:1, --gpus all)?]`,
    );
    expect(() => started({ gpus: [] }, [nvrtc])).toThrow("cuda: received device 0, and no GPU is visible.");
    expect(() => started({ gpus: [gpu, gpu] }, [nvrtc], { devices: [2] })).toThrow(
      "cuda: received device 2, and 2 are visible; expected 0 to 1.",
    );
  });

  test("says what its ranks are: devices, of several processes, or parts of one for tests", () => {
    const nccl = fakeNccl("libnccl.so.2");
    const other = { ...gpu, name: "NVIDIA H100", capability: [9, 0] } as const;
    const one = "compute capability 8.0, driver for CUDA 12.4, NVRTC 12.4, own products, own convolutions";
    const two = started({ gpus: [gpu, gpu, other] }, [nvrtc, nccl], { devices: [1, 0] });
    expect(two).toMatchObject({ ranks: 2, processes: 2 });
    expect(two.description).toBe(`cuda (2 x NVIDIA A100-SXM4-40GB, ${one}, NCCL 2.21.5, 2 ranks)`);
    const unlike = started({ gpus: [gpu, gpu, other] }, [nvrtc, nccl], { devices: [1, 2] });
    expect(unlike.description).toContain(
      "cuda (NVIDIA A100-SXM4-40GB and NVIDIA H100, compute capability 8.0 and 9.0,",
    );
    const communicator = { rank: 1, size: 3 };
    const world = started({ gpus: [gpu] }, [nvrtc, nccl], { communicator });
    expect(world).toMatchObject({ ranks: 3, processes: 3 });
    expect(world.description).toBe(`cuda (NVIDIA A100-SXM4-40GB, ${one}, NCCL 2.21.5, 3 ranks, 3 processes)`);
    const logical = started({ gpus: [gpu] }, [nvrtc], { logicalRanks: 2 });
    expect(logical).toMatchObject({ ranks: 2, processes: 2 });
    expect(logical.description).toBe(
      `cuda (NVIDIA A100-SXM4-40GB, ${one}, 2 logical ranks on one GPU, for tests)`,
    );
    expect(started({ gpus: [gpu] }, [nvrtc], { communicator: { rank: 0, size: 1 } })).toMatchObject({
      ranks: 1,
    });
  });

  test("is refused with fewer devices than asked for, without NCCL, and with logical ranks on several", () => {
    const gpus = [gpu, gpu];
    expect(() => started({ gpus }, [nvrtc], { devices: [0, 1, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: cuda: received devices 0, 1, 2, and 2 are visible; expected 0 to 1. CUDA_VISIBLE_DEVICES says which are; \`slalom doctor\` lists them.]`,
    );
    expect(() => started({ gpus }, [nvrtc], { devices: [0, 1] })).toThrowErrorMatchingInlineSnapshot(`
      [SlalomError: cuda: NCCL was not found; expected one of these files to load:
        libnccl.so.2: cannot open shared object file: No such file or directory
        libnccl.so: cannot open shared object file: No such file or directory
      There is no CUDA toolkit and no Python package with it beside.
      Install it: pip install nvidia-nccl-cu13 (nvidia-nccl-cu12 for a driver of CUDA 12). If it is elsewhere, set LD_LIBRARY_PATH or CUDA_HOME. Or take one GPU.]
    `);
    expect(() => started({ gpus }, [nvrtc], { devices: [0, 0] })).toThrow(
      "cuda: received devices 0, 0; expected at least one, each once.",
    );
    expect(() => started({ gpus }, [nvrtc], { devices: [] })).toThrow("cuda: received devices none;");
    expect(() => started({ gpus }, [nvrtc], { devices: [0, 1], logicalRanks: 2 })).toThrow(
      "cudaBackend: received 2 logical ranks and 2 devices; expected one device",
    );
    expect(() => started({ gpus }, [nvrtc], { logicalRanks: 9 })).toThrow(
      "cudaBackend: received 9 logical ranks; expected an integer from 1 to 8.",
    );
  });

  test("is refused by a device that the compiler is too new for", () => {
    const old = { ...gpu, name: "Tesla P100", capability: [6, 0] } as const;
    expect(() => started({ gpus: [old] }, [nvrtc])).toThrow(
      "NVRTC 12.4 compiles for compute capability 7.5 and newer, and Tesla P100 has 6.0.",
    );
  });

  test("is refused with a driver that lacks a function", () => {
    const files = filesWith([new FakeLibrary("libcuda.so.1", () => ({ cuInit: () => 0 }))]);
    expect(() => cudaBackend({ files })).toThrow(
      "The NVIDIA driver at libcuda.so.1 has no cuDriverGetVersion; expected a newer one: CUDA 11.4 or later",
    );
  });

  test("is refused with options that it does not have", () => {
    expect(() => cudaBackend({ divice: 1 } as object)).toThrow('unknown option of cudaBackend "divice"');
    expect(() => cudaBackend({ files: filesWith([]), routes: "fast" as "fastest" })).toThrow(
      'unknown routes "fast". Valid: fastest, own, libraries.',
    );
    expect(() => cudaBackend({ precision: "tf23" as "tf32" })).toThrow(
      'unknown precision "tf23". Did you mean "tf32"?',
    );
  });
});
