/** What workers that divide the GPUs of a machine make, and what is said of them: the libraries are fakes. */
import { expect, test } from "vitest";
import { add, variable } from "../../src/graph/index.js";
import { describeCudaWorkers } from "../../src/launch/cuda.js";
import { fakeLibcuda, fakeNccl, fakeNvrtc, filesWith } from "../backends/cuda/fakeCuda.js";

const x = variable("x", [3]);
const program = {
  name: "adding",
  variables: { x },
  entries: { step: { updates: { x: add(x, 1) }, traces: {} } },
  traceCapacity: 1,
};

const gpu = (name: string, freeBytes: number) =>
  ({ name, capability: [9, 0], totalBytes: 9e9, freeBytes }) as const;
const files = filesWith([
  fakeLibcuda({ gpus: [gpu("A", 4e9), gpu("A", 3e9), gpu("B", 2e9), gpu("B", 1e9)] }),
  fakeNvrtc("libnvrtc.so.12"),
  fakeNccl("libnccl.so.2"),
]);

const workers = (devices: readonly number[] | "all", ranks: number, count?: number) =>
  describeCudaWorkers(
    { backend: "cuda", gemm: "auto", devices, ranks, tf32: true },
    { useful: 100, ...(count !== undefined && { count }) },
    { files },
  );

const around =
  "compute capability 9.0, driver for CUDA 12.4, NVRTC 12.4, own products, own convolutions, tf32";

test("each has GPUs of its own, described once where they are of a kind", async () => {
  const { backend, choices, gpus } = await workers([1, 0], 1);
  expect(choices).toEqual(
    [[1], [0]].map((devices) => ({ backend: "cuda", gemm: "auto", devices, ranks: 1, tf32: true })),
  );
  expect(gpus).toEqual(["1", "0"]);
  expect(backend).toMatchObject({ name: "cuda", ranks: 1, processes: 1, description: `cuda (A, ${around})` });
  expect((await workers([0, 1], 1, 4)).gpus).toEqual(["0", "1", "0", "1"]);
});

test("GPUs that train together are one worker's; each kind is told", async () => {
  const { backend, choices, gpus } = await workers("all", 2);
  expect(choices.map(({ devices, ranks }) => ({ devices, ranks }))).toEqual([
    { devices: [0, 1], ranks: 2 },
    { devices: [2, 3], ranks: 2 },
  ]);
  expect(gpus).toEqual(["0+1", "2+3"]);
  expect(backend.ranks).toBe(2);
  expect(backend.description).toBe(
    [`A`, `B`].map((kind) => `cuda (2 x ${kind}, ${around}, NCCL 2.21.5, 2 ranks)`).join(" and "),
  );
});

test("a program fits where the fullest of their GPUs has room for it", async () => {
  for (const [devices, least] of [
    [[0, 1], 3e9],
    [[0, 3, 1], 1e9],
  ] as const) {
    const { backend } = await workers(devices, 1);
    expect(backend.memoryOf!(backend.planOf!(program))).toMatchObject({ mostBytes: least, onDevice: true });
    await backend.close!();
  }
});
