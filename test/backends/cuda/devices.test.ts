/** A program on two devices whose sums NCCL carries: the calls of both, and what is left when one fails. */
import { describe, expect, test } from "vitest";
import { type CudaBackend, cudaBackendOn } from "../../../src/backends/cuda/backend.js";
import { openLogicalSums } from "../../../src/backends/cuda/logicalSums.js";
import { openNccl } from "../../../src/backends/cuda/nccl.js";
import type { Communicator } from "../../../src/collectives/index.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import * as g from "../../../src/graph/index.js";
import { FakeDriver, type FakeDriverOptions, type FakeKernel, fakeFacts } from "./fakeDriver.js";
import { type FakeNccl, fakeNcclOn } from "./fakeNccl.js";
import { after, emit, kernelsOf, summing } from "./summing.js";

interface Started {
  readonly driver: FakeDriver;
  readonly nccl: FakeNccl;
  readonly backend: CudaBackend;
}

interface StartOptions extends Pick<FakeDriverOptions, "failing" | "devices" | "order"> {
  /** What a call of NCCL returns, by its line. */
  readonly refusing?: (line: string) => number;
  readonly communicator?: Pick<Communicator, "rank" | "size" | "broadcast" | "allReduce">;
}

function started({ refusing, communicator, devices = 2, failing, order }: StartOptions = {}): Started {
  const driver = new FakeDriver({
    devices,
    kernels: kernelsOf,
    ...(failing && { failing }),
    ...(order && { order }),
  });
  const nccl = fakeNcclOn(driver, refusing && { failing: refusing });
  const library = { name: "nccl", title: "NCCL", path: nccl.path, native: nccl } as const;
  const backend = cudaBackendOn({
    description: `cuda (${devices} x Test GPU)`,
    driver,
    devices: Array.from({ length: devices }, (_, ordinal) => ({
      facts: { ...fakeFacts, ordinal },
      compile: (source: string) => new TextEncoder().encode(source),
    })),
    emit,
    ranks: {
      ofDevice: 1,
      process: communicator?.rank ?? 0,
      processes: communicator?.size ?? 1,
      ...(communicator && { communicator }),
      openSums: (ofRanks) => openNccl({ library, devices: ofRanks, ...(communicator && { communicator }) }),
    },
  });
  return { driver, nccl, backend };
}

test("two devices: compile, write, run, trace, release", async () => {
  const { driver, nccl, backend } = started();
  expect(backend).toMatchObject({ ranks: 2, processes: 2 });
  const program = backend.compile(summing);
  expect(driver.lines()).toMatchInlineSnapshot(`
    "device0: cuDevicePrimaryCtxRetain 0
    device1: cuDevicePrimaryCtxRetain 1
    device0: cuMemGetInfo
    device0: cuMemAlloc 1280 bytes
    device0: cuStreamCreate
    device0: cuEventCreate
    device0: cuModuleLoadData 1 bytes
    device0: cuModuleGetFunction module1, scale
    device0: cuModuleGetFunction module1, beside
    device0: cuModuleGetFunction module1, end
    device0: cuMemsetD8Async memory1+0, 1280 bytes, stream1
    device1: cuMemGetInfo
    device1: cuMemAlloc 1280 bytes
    device1: cuStreamCreate
    device1: cuEventCreate
    device1: cuModuleLoadData 1 bytes
    device1: cuModuleGetFunction module2, scale
    device1: cuModuleGetFunction module2, beside
    device1: cuModuleGetFunction module2, end
    device1: cuMemsetD8Async memory2+0, 1280 bytes, stream2
    device0: cuStreamCreate
    device0: cuEventCreate
    device0: cuEventCreate
    device1: cuStreamCreate
    device1: cuEventCreate
    device1: cuEventCreate"
  `);
  program.write("x", [1, 10, 100]);
  expect(driver.lines()).toMatchInlineSnapshot(`
    "device0: cuMemcpyHtoDAsync memory1+0, 12 bytes, stream1
    device1: cuMemcpyHtoDAsync memory2+0, 12 bytes, stream2"
  `);
  program.run("step");
  expect(driver.lines()).toMatchInlineSnapshot(`
    "ncclGetUniqueId
    ncclGroupStart
    ncclCommInitRank 0 of 2, id 1, device 0
    ncclCommInitRank 1 of 2, id 1, device 1
    ncclGroupEnd
    device0: cuEventRecord event3, stream1
    device0: cuStreamWaitEvent stream3, event3
    device1: cuEventRecord event5, stream2
    device1: cuStreamWaitEvent stream4, event5
    ncclGroupStart
    ncclAllReduce rank 0, memory1+832 x 3, stream3
    ncclAllReduce rank 1, memory2+832 x 3, stream4
    ncclGroupEnd
    device0: cuEventRecord event4, stream3
    device1: cuEventRecord event6, stream4
    device0: cuStreamWaitEvent stream1, event4
    device1: cuStreamWaitEvent stream2, event6
    device0: cuEventRecord event1, stream1
    device1: cuEventRecord event2, stream2
    device0: cuEventQuery event1
    device1: cuEventQuery event2
    device0: cuMemsetD8Async memory1+1024, 4 bytes, stream1
    device1: cuMemsetD8Async memory2+1024, 4 bytes, stream2
    device0: cuStreamBeginCapture stream1
    device1: cuStreamBeginCapture stream2
    device0: cuLaunchKernel scale 1 x 32, stream1: memory1+0, memory1+1024
    device1: cuLaunchKernel scale 1 x 32, stream2: memory2+0, memory2+1024
    device0: cuEventRecord event3, stream1
    device0: cuStreamWaitEvent stream3, event3
    device1: cuEventRecord event5, stream2
    device1: cuStreamWaitEvent stream4, event5
    ncclGroupStart
    ncclAllReduce rank 0, memory1+832 x 3, stream3
    ncclAllReduce rank 1, memory2+832 x 3, stream4
    ncclGroupEnd
    device0: cuEventRecord event4, stream3
    device1: cuEventRecord event6, stream4
    device0: cuLaunchKernel beside 1 x 32, stream1: memory1+0, memory1+1024
    device1: cuLaunchKernel beside 1 x 32, stream2: memory2+0, memory2+1024
    device0: cuStreamWaitEvent stream1, event4
    device1: cuStreamWaitEvent stream2, event6
    device0: cuLaunchKernel end 1 x 32, stream1: memory1+0, memory1+1024
    device1: cuLaunchKernel end 1 x 32, stream2: memory2+0, memory2+1024
    device0: cuStreamEndCapture stream1
    device1: cuStreamEndCapture stream2
    device0: cuGraphInstantiate graph1
    device1: cuGraphInstantiate graph2
    device0: cuGraphDestroy graph1
    device1: cuGraphDestroy graph2
    device0: cuGraphLaunch executable1, stream1
    device1: cuGraphLaunch executable2, stream2
    device0: cuEventRecord event1, stream1
    device1: cuEventRecord event2, stream2
    device0: cuEventQuery event1
    device1: cuEventQuery event2"
  `);
  expect([...program.trace("step", "x")]).toEqual([6, 60, 600]);
  driver.lines();
  program.run("step", 2);
  expect(driver.lines()).toMatchInlineSnapshot(`
    "device0: cuMemsetD8Async memory1+1024, 4 bytes, stream1
    device1: cuMemsetD8Async memory2+1024, 4 bytes, stream2
    device0: cuGraphLaunch executable1, stream1
    device1: cuGraphLaunch executable2, stream2
    device0: cuGraphLaunch executable1, stream1
    device1: cuGraphLaunch executable2, stream2
    device0: cuEventRecord event1, stream1
    device1: cuEventRecord event2, stream2
    device0: cuEventQuery event1
    device1: cuEventQuery event2"
  `);
  expect([...program.read("x")]).toEqual([27, 270, 2700]);
  driver.lines();
  program.run("step", 18);
  const lines = driver.lines().split("\n");
  expect(lines.filter((line) => line.includes("cuGraphLaunch"))).toEqual([
    "device0: cuGraphLaunch executable3, stream1",
    "device1: cuGraphLaunch executable4, stream2",
    ...Array.from({ length: 2 }, () => [
      "device0: cuGraphLaunch executable1, stream1",
      "device1: cuGraphLaunch executable2, stream2",
    ]).flat(),
  ]);
  expect(program.trace("step", "x").at(-3)).toBe(2 * after(21));
  program.release();
  expect(driver.held()).toEqual(["device0: context x 1", "device1: context x 1"]);
  driver.lines();
  await backend.close();
  expect(driver.lines()).toMatchInlineSnapshot(`
    "ncclCommDestroy rank 1
    ncclCommDestroy rank 0
    device1: cuDevicePrimaryCtxRelease 1
    device0: cuDevicePrimaryCtxRelease 0"
  `);
  expect(driver.held()).toEqual([]);
  expect(nccl.live()).toBe(0);
});

describe("times", () => {
  test("of a call's last step, by the clocks of its devices, stand for all", () => {
    const { driver, backend } = started();
    const program = backend.compile(summing);
    program.write("x", [1, 10, 100]);
    program.run("step", 3, { timed: true });
    // The timed step is one like all others.
    expect([...program.read("x")]).toEqual([27, 270, 2700]);
    expect(program.trace("step", "x").length).toBe(9);
    program.run("step", 5);
    program.run("step", 1, { timed: true });
    const { step } = program.times!();
    expect(step.length).toBe(2);
    for (const { runS, waitingS, allReduceS, timed, hiddenS } of step) {
      expect(runS).toBeGreaterThan(0);
      expect(waitingS).toBe(0);
      expect(timed.steps).toBe(2);
      // The last of three kernels of a millisecond each updates.
      expect(timed.updateS).toBeCloseTo(0.002, 10);
      expect(allReduceS + hiddenS).toBeGreaterThan(0);
      expect(allReduceS).toBeLessThan(runS);
    }
    program.release();
    expect(driver.held()).toEqual(["device0: context x 1", "device1: context x 1"]);
  });

  // The fake does one thing after another: a rank waits for a kernel of the other one, and for 8 ms of the sum; or its
  // second kernel, of the three, begins when the sum is there.
  test.each([
    ["forwards", { allReduce: 9 / 12, hidden: 0 }],
    ["backwards", { allReduce: 0, hidden: 8 / 11 }],
  ] as const)("tell sums that kernels hide from those that are waited for: %s", (order, shares) => {
    const { backend } = started({ order });
    const program = backend.compile(summing);
    program.run("step", 1, { timed: true });
    const [{ runS, allReduceS, hiddenS }] = program.times!().step;
    expect(allReduceS / runS).toBeCloseTo(shares.allReduce, 10);
    expect(hiddenS / runS).toBeCloseTo(shares.hidden, 10);
  });

  test("of other processes' ranks are gathered", () => {
    const communicator = {
      rank: 1,
      size: 2,
      broadcast: () => {},
      // The other process ran for two seconds.
      allReduce: (all: Float32Array | Float64Array) => {
        expect([...all]).toEqual(Array.from({ length: all.length }, () => 0));
        all[0] = 2000;
      },
    };
    const { backend } = started({ communicator, devices: 1 });
    const { step } = backend.load(planProgram(summing, { processes: 2 }), 4).times!();
    expect(step.map(({ runS }) => runS)).toEqual([2, 0]);
  });
});

test("a program of one rank runs on the first device alone", async () => {
  const { x } = summing.variables;
  const { driver, nccl, backend } = started();
  const alone = backend.compile({
    ...summing,
    entries: { step: { updates: { x: g.mul(x, 2) }, traces: { x } } },
    ranks: 1,
  });
  alone.write("x", [1, 2, 3]);
  expect(driver.held().filter((held) => held.startsWith("device1"))).toEqual([]);
  expect(nccl.live()).toBe(0);
  alone.release();
  expect(() => backend.compile({ ...summing, ranks: 3 })).toThrow(
    "program summing: is for 3 ranks, and the cuda backend has 2; expected as many, or 1.",
  );
  await backend.close();
  expect(driver.held()).toEqual([]);
});

describe("errors", () => {
  test("of one device name its rank, and end the sums of all", () => {
    const { driver, nccl, backend } = started({
      failing: (line) => (line.startsWith("device1: cuEventQuery event2") ? "illegalAddress" : undefined),
    });
    const program = backend.compile(summing);
    expect(() => program.run("step")).toThrow(
      "program summing, entry step: rank 1 on device 1 (Test GPU): cuEventQuery failed with CUDA_ERROR_ILLEGAL_ADDRESS (700)",
    );
    expect(driver.calls.filter((line) => line.startsWith("ncclCommAbort"))).toEqual([
      "ncclCommAbort rank 0",
      "ncclCommAbort rank 1",
    ]);
    expect(nccl.live()).toBe(0);
    // It does not hang later either.
    expect(() => program.run("step")).toThrow("rank 1 on device 1 (Test GPU): cuEventQuery failed");
  });

  test("of another process are seen while this one waits", () => {
    const { nccl, backend } = started();
    const program = backend.compile(summing);
    program.run("step");
    nccl.asyncError = 6;
    expect(() => program.run("step")).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program summing, entry step: NCCL at libnccl.so.2: rank 0 on device 0 (Test GPU) failed with remote process exited or there was a network error (6). A GPU of another process is lost, or its process ended: what that said is the cause. Interrupted studies go on from their checkpoints.]`,
    );
    expect(nccl.live()).toBe(0);
  });

  test("of NCCL while it connects leave nothing of it behind, and the next run tries again", () => {
    let refuses = true;
    const { nccl, backend } = started({
      refusing: (line) => (refuses && line.startsWith("ncclCommInitRank 1") ? 1 : 0),
    });
    const program = backend.compile(summing);
    expect(() => program.run("step")).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program summing, entry step: NCCL at libnccl.so.2: ncclCommInitRank failed with unhandled cuda error (run with NCCL_DEBUG=INFO for details) (1). Set NCCL_DEBUG=WARN to be told why; it may be the driver, the links between the GPUs (\`slalom doctor\` shows them), or too little shared memory (--shm-size of a container).]`,
    );
    refuses = false;
    program.write("x", [1, 2, 3]);
    program.run("step");
    expect([...program.read("x")]).toEqual([3, 6, 9]);
    expect(nccl.live()).toBe(2);
  });

  test("of any call leave nothing behind once all is released", async () => {
    const whole = started();
    const runAll = async ({ backend }: Started): Promise<void> => {
      try {
        const program = backend.compile(summing);
        try {
          program.write("x", [1, 2, 3]);
          program.run("step", 17);
          program.read("x");
        } finally {
          program.release();
        }
      } finally {
        await backend.close();
      }
    };
    await runAll(whole);
    const calls = whole.driver.calls.filter((line) => line.includes(": cu"));
    // Those that give something back fail once all is lost: what they held stays with the device.
    const taking = calls
      .map((line, i) => [line, i] as const)
      .filter(([line]) => !/Destroy|Free|Unload|Release/.test(line));
    expect(taking.length).toBeGreaterThan(100);
    for (const [line, number] of taking) {
      let count = 0;
      const one = started({
        failing: () => (count++ === number ? "outOfMemory" : undefined),
      });
      await expect(runAll(one), line).rejects.toThrow("CUDA_ERROR_OUT_OF_MEMORY");
      expect(one.driver.held(), line).toEqual([]);
      expect(one.nccl.live(), line).toBe(0);
    }
  });

  test("of contexts that are taken for each other are seen", () => {
    const driver = new FakeDriver({ devices: 2 });
    const [first, second] = [driver.open(0), driver.open(1)];
    const stream = first.createStream();
    expect(() => second.destroyStream(stream)).toThrow("stream1 is of device 0, and device 1 was told of it");
  });
});

test("processes: the first one's id is everybody's, and ranks are numbered through", () => {
  let broadcast: Uint8Array | undefined;
  const world = (rank: number): Pick<Communicator, "rank" | "size" | "broadcast" | "allReduce"> => ({
    rank,
    size: 2,
    allReduce: () => {},
    broadcast: (array) => {
      if (rank === 0) broadcast = (array as Uint8Array).slice();
      else array.set(broadcast!);
    },
  });
  const plan = planProgram({ ...summing, ranks: 4 }, { processes: 4 });
  const lines = [0, 1].map((rank) => {
    const { driver, backend } = started({ communicator: world(rank) });
    expect(backend).toMatchObject({ ranks: 4, processes: 4 });
    const program = backend.load(plan, 64);
    // The other process is not there to be summed with.
    expect(() => program.run("step")).toThrow("never comes to sum 0");
    return driver.calls.filter((line) => /ncclGetUniqueId|ncclCommInitRank/.test(line));
  });
  expect(broadcast).toHaveLength(128);
  expect(lines).toEqual([
    ["ncclGetUniqueId", "ncclCommInitRank 0 of 4, id 1, device 0", "ncclCommInitRank 1 of 4, id 1, device 1"],
    ["ncclCommInitRank 2 of 4, id 1, device 0", "ncclCommInitRank 3 of 4, id 1, device 1"],
  ]);
});

test("ranks of one device: one graph for all, whose streams leave the first one and come back", async () => {
  const driver = new FakeDriver({ kernels: logicalKernels });
  const backend = cudaBackendOn({
    description: "cuda (2 logical ranks on one GPU, for tests)",
    driver,
    devices: [{ facts: fakeFacts, compile: (source) => new TextEncoder().encode(source.slice(0, 100)) }],
    emit,
    ranks: { ofDevice: 2, process: 0, processes: 1, openSums: ([device]) => openLogicalSums(device, 2) },
  });
  const program = backend.compile(summing);
  program.write("x", [1, 10, 100]);
  program.run("step");
  driver.lines();
  program.run("step", 16);
  expect(
    driver
      .lines()
      .replace(/^[\s\S]*BeginCapture/, "cuStreamBeginCapture")
      .split("\n")
      .slice(0, 24)
      .join("\n"),
  ).toMatchInlineSnapshot(`
    "cuStreamBeginCapture stream1
    cuEventRecord event1, stream1
    cuStreamWaitEvent stream2, event1
    cuLaunchKernel scale 1 x 32, stream1: memory1+0, memory1+1024
    cuLaunchKernel scale 1 x 32, stream2: memory2+0, memory2+1024
    cuEventRecord event3, stream1
    cuStreamWaitEvent stream3, event3
    cuEventRecord event5, stream2
    cuStreamWaitEvent stream4, event5
    cuEventRecord event8, stream4
    cuStreamWaitEvent stream3, event8
    cuLaunchKernel sumRanksFloat 1 x 256, stream3: 3, memory1+832, memory2+832
    cuEventRecord event7, stream3
    cuStreamWaitEvent stream4, event7
    cuEventRecord event4, stream3
    cuEventRecord event6, stream4
    cuLaunchKernel beside 1 x 32, stream1: memory1+0, memory1+1024
    cuLaunchKernel beside 1 x 32, stream2: memory2+0, memory2+1024
    cuStreamWaitEvent stream1, event4
    cuStreamWaitEvent stream2, event6
    cuLaunchKernel end 1 x 32, stream1: memory1+0, memory1+1024
    cuLaunchKernel end 1 x 32, stream2: memory2+0, memory2+1024
    cuLaunchKernel scale 1 x 32, stream1: memory1+0, memory1+1024
    cuLaunchKernel scale 1 x 32, stream2: memory2+0, memory2+1024"
  `);
  expect([...program.read("x")]).toEqual([1, 10, 100].map((value) => after(17, value)));
  program.release();
  await backend.close();
  expect(driver.held()).toEqual([]);
});

function logicalKernels(name: string, image: Uint8Array): FakeKernel | undefined {
  if (name !== "sumRanksFloat") return kernelsOf(name, image);
  return ([count, ...ranks], at) => {
    const arrays = ranks.map((address) => at(address));
    for (let i = 0; i < Number(count); i++) {
      const sum = arrays.map((one) => one.getFloat32(4 * i, true)).reduce((a, b) => Math.fround(a + b));
      for (const one of arrays) one.setFloat32(4 * i, sum, true);
    }
  };
}
