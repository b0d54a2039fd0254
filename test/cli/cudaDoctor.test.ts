import { afterAll, describe, expect, it } from "vitest";
import { type CudaProbe, probeCuda } from "../../src/backends/cuda/probe.js";
import { cudaText } from "../../src/cli/cudaDoctor.js";
import { styleFor } from "../../src/cli/style.js";
import {
  type FakeGpu,
  fakeCublasLt,
  fakeCudnn,
  fakeLibcuda,
  fakeNccl,
  fakeNvrtc,
  filesWith,
} from "../backends/cuda/fakeCuda.js";
import type { FakeLibrary } from "../backends/cuda/fakeLibrary.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { slalom } from "./cli.js";

const text = (probe: CudaProbe): string => cudaText(probe, { style: styleFor(false) });
const probe = (libraries: readonly FakeLibrary[]): CudaProbe =>
  probeCuda({ environment: { CUDA_HOME: "/opt/cuda" }, files: filesWith(libraries) });

const gpu: FakeGpu = {
  name: "NVIDIA A100-SXM4-40GB",
  capability: [8, 0],
  totalBytes: 42.3e9,
  freeBytes: 41.8e9,
};

describe("slalom doctor on CUDA", () => {
  it("says that there is no driver, and how to get one", () => {
    const nothing = probe([]);
    expect(text(nothing)).toMatchInlineSnapshot(`
      "CUDA, for training on NVIDIA GPUs: no driver found
      sudo apt-get install nvidia-driver (Debian, from non-free; on a cluster ask for a GPU, in a container run it with --gpus all)"
    `);
    expect(nothing).toMatchObject({ libraries: [], devices: [], links: [] });
    expect(nothing.missing.map(({ name }) => name)).toEqual(["driver", "nvrtc", "cublasLt", "cudnn", "nccl"]);
  });

  it("lists libraries with versions, devices with memory, and who reaches whom", () => {
    const machine = fakeLibcuda({ gpus: [gpu, { ...gpu, mode: 3 }, { ...gpu, mode: 3, refusal: 46 }] });
    const all = probe([
      machine,
      fakeNvrtc("libnvrtc.so.12"),
      fakeCublasLt("/opt/cuda/lib64/libcublasLt.so.12"),
      fakeCudnn("libcudnn.so.9", 90_100),
      fakeNccl("libnccl.so.2"),
    ]);
    expect(text(all)).toMatchInlineSnapshot(`
      "CUDA, for training on NVIDIA GPUs
      library        version          from
      NVIDIA driver  up to CUDA 12.4  libcuda.so.1
      NVRTC          12.4             libnvrtc.so.12
      cuBLASLt       12.4.5           /opt/cuda/lib64/libcublasLt.so.12
      cuDNN          9.1.0            libcudnn.so.9
      NCCL           2.21.5           libnccl.so.2
      products and convolutions: by cuBLASLt, cuDNN or our own kernels, whichever are faster on the GPU; timed once for a shape, kept in .cache/slalom/cuda/routes
      device  name                   compute capability  memory                 state
      0       NVIDIA A100-SXM4-40GB  8.0                 42.3 GB, 41.8 GB free  works
      1       NVIDIA A100-SXM4-40GB  8.0                 42.3 GB, 41.8 GB free  works, for one process at a time
      2       NVIDIA A100-SXM4-40GB  8.0                 42.3 GB                not usable: cuDevicePrimaryCtxRetain failed with CUDA_ERROR_DEVICE_UNAVAILABLE (46): CUDA-capable device(s) is/are busy or unavailable. The device is busy: another process has it for itself (exclusive mode), or it is about to be reset. Wait for that process to end (nvidia-smi lists it), take another device (--devices), or set nvidia-smi -c DEFAULT.
      devices that reach each other's memory: 0-1, 1-2; through the host: 0-2"
    `);
    expect(all.devices[0]).toEqual({
      ordinal: 0,
      name: gpu.name,
      uuid: "GPU-a1ff0000-0000-0000-0000-000000000000",
      capability: [8, 0],
      totalBytes: gpu.totalBytes,
      freeBytes: gpu.freeBytes,
      multiprocessors: 132,
      mode: "default",
    });
  });

  it("says what is done without the libraries that are missing", () => {
    expect(
      text(probe([fakeLibcuda({ gpus: [gpu] }), fakeNvrtc("libnvrtc.so.13", [13, 0])])),
    ).toMatchInlineSnapshot(`
      "CUDA, for training on NVIDIA GPUs
      library        version          from
      NVIDIA driver  up to CUDA 12.4  libcuda.so.1
      NVRTC was not found: libnvrtc.so.13 is for CUDA 13.0, and the NVIDIA driver runs CUDA 12.4; the cuda backend can't be used. pip install nvidia-cuda-nvrtc (CUDA 13; nvidia-cuda-nvrtc-cu12 for a driver of CUDA 12)
      cuBLASLt was not found; matrix products are computed by our own kernels. pip install nvidia-cublas (CUDA 13; nvidia-cublas-cu12 for a driver of CUDA 12)
      cuDNN was not found; convolutions are computed by our own kernels. pip install nvidia-cudnn-cu13 (nvidia-cudnn-cu12 for a driver of CUDA 12)
      NCCL was not found; a training runs on one GPU. pip install nvidia-nccl-cu13 (nvidia-nccl-cu12 for a driver of CUDA 12)
      device  name                   compute capability  memory                 state
      0       NVIDIA A100-SXM4-40GB  8.0                 42.3 GB, 41.8 GB free  works"
    `);
  });

  it("says why the driver serves no device", () => {
    const refused = text(probe([fakeLibcuda({ gpus: [], refusal: 100 })]));
    expect(refused).toContain(
      "cuInit failed with CUDA_ERROR_NO_DEVICE (100): no CUDA-capable device is detected.",
    );
    expect(text(probe([fakeLibcuda({ gpus: [] })]))).toContain("no GPU is visible");
  });
});

describe("--backend cuda", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  // Where there is a GPU, other tests train on it.
  it.runIf(probeCuda({ environment: {} }).devices.length === 0)(
    "says what is missing where there is no GPU",
    async () => {
      folder.file("small.ts", smallStudy);
      for (const words of [
        "run",
        "run --ranks 2",
        "run --devices all",
        "certify --ranks 2",
        "scale --ranks 1,2",
      ]) {
        const { code, err } = await slalom(folder.path, `${words} small.ts --backend cuda`);
        expect(code, words).not.toBe(0);
        expect(err).toMatch(
          /^slalom: (cuda: NVIDIA driver was not found; expected one of these files to load:\n {2}libcuda\.so\.1: |cuInit failed)/m,
        );
        expect(err).toContain("--backend cpu");
      }
    },
  );

  it("alone has devices and TF32", async () => {
    for (const [option, received] of [
      ["--devices 1", "devices 1"],
      ["--tf32", "TF32"],
    ]) {
      const { code, err } = await slalom(folder.path, `train rosenbrock -O sgd --steps 2 ${option}`);
      expect(code).not.toBe(0);
      expect(err).toContain(`backend cpu: received ${received}; expected neither devices nor TF32.`);
    }
    for (const devices of ["x", "0,0", "1,", "-1"])
      expect(
        (await slalom(folder.path, `train rosenbrock -O sgd --backend cuda --devices ${devices}`)).err,
      ).toContain(
        `'--devices <n,...>' argument '${devices}' is invalid. Expected numbers of GPUs, such as 0,1, each once, or all.`,
      );
    expect((await slalom(folder.path, "train rosenbrock -O sgd --backend cuda --device 1")).err).toContain(
      "unknown option '--device'\n(Did you mean --devices?)",
    );
  });
});
