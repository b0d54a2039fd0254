/** Programs on the CUDA backend, by a driver that runs on the host and records every call. */
import { describe, expect, test } from "vitest";
import { cudaBackendOn, type FoundDevices } from "../../../src/backends/cuda/backend.js";
import type { CudaCommand, CudaProgram, EmitCuda } from "../../../src/backends/cuda/commands.js";
import type { LibraryCall } from "../../../src/backends/cuda/libraryCalls.js";
import { SlalomError } from "../../../src/base/errors.js";
import type { Plan } from "../../../src/compile/plan.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import type { Program } from "../../../src/compile/program.js";
import * as f from "../../../src/graph/functions.js";
import { constant, variable } from "../../../src/graph/operations/leaves.js";
import { FakeDriver, type FakeDriverOptions, type FakeKernel, fakeFacts } from "./fakeDriver.js";

const x = variable("x", [3]);
const increment = constant([1, 2, 3]);
/** x becomes x + [1, 2, 3]; each step records it. */
const counting: Program = {
  name: "counting",
  variables: { x },
  entries: {
    step: { updates: { x: f.add(x, increment) }, traces: { x: f.add(x, increment) } },
    look: { updates: {}, traces: { x: f.mul(x, 2) } },
  },
  traceCapacity: 64,
};

const offsetOf = (plan: Plan, name: string): number =>
  plan.buffers.find((buffer) => buffer.name === name)!.offset;

/** Kernels by hand; what they do is in `kernelsFor`. */
const emit: EmitCuda = (plan): CudaProgram => {
  const launch = (kernel: string, sharedBytes = 0): CudaCommand => ({
    kind: "launch",
    kernel,
    grid: 1,
    block: 32,
    sharedBytes,
  });
  return {
    source: `// ${plan.name}`,
    arenaBytes: plan.arenaBytes + 100,
    entries: {
      step: { commands: [launch("increment"), launch("keep_step", 65_536)] },
      look: { commands: [launch("keep_look")] },
    },
  };
};

function kernelsFor(plan: Plan): Record<string, FakeKernel> {
  const floats = (view: DataView, offset: number): Float32Array =>
    new Float32Array(view.buffer, view.byteOffset + offset, 3);
  const keep =
    (entry: string, factor: number): FakeKernel =>
    ([arena, step], at) => {
      const done = at(step).getUint32(0, true);
      const kept = floats(at(arena), offsetOf(plan, `${entry}/x`) + 12 * done);
      kept.set(floats(at(arena), offsetOf(plan, "x")).map((value) => factor * value));
      at(step).setUint32(0, done + 1, true);
    };
  return {
    increment: ([arena], at) => {
      const values = floats(at(arena), offsetOf(plan, "x"));
      const steps = floats(at(arena), offsetOf(plan, "constant"));
      values.set(values.map((value, i) => value + steps[i]));
    },
    keep_step: keep("step", 1),
    keep_look: keep("look", 2),
  };
}

/** A backend on a driver whose kernels are made once there is a plan. */
function started(
  options: Omit<FakeDriverOptions, "kernels"> = {},
  found: Pick<Partial<FoundDevices>, "emit" | "openProducts"> = {},
): { driver: FakeDriver; backend: ReturnType<typeof cudaBackendOn> } {
  const kernels: Record<string, FakeKernel> = {};
  const driver = new FakeDriver({ ...options, kernels: (name) => kernels[name] });
  const backend = cudaBackendOn({
    description: "cuda (Test GPU)",
    driver,
    devices: [{ facts: fakeFacts, compile: (source) => new TextEncoder().encode(source) }],
    emit: (plan, libraries) => {
      Object.assign(kernels, kernelsFor(plan));
      return (found.emit ?? emit)(plan, libraries);
    },
    ...(found.openProducts && { openProducts: found.openProducts }),
  });
  return { driver, backend };
}

describe("calls of the driver", () => {
  const { driver, backend } = started();

  test("compile, write, run once, run many, trace, release", async () => {
    const program = backend.compile(counting);
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuDevicePrimaryCtxRetain 0
      cuMemGetInfo
      cuMemGetInfo
      cuMemAlloc 2304 bytes
      cuStreamCreate
      cuEventCreate
      cuModuleLoadData 11 bytes
      cuModuleGetFunction module1, increment
      cuModuleGetFunction module1, keep_step, 65536 bytes shared
      cuModuleGetFunction module1, keep_look
      cuMemsetD8Async memory1+0, 2304 bytes, stream1
      cuMemcpyHtoDAsync memory1+64, 12 bytes, stream1"
    `);
    program.write("x", [0, 10, 20]);
    expect(driver.lines()).toMatchInlineSnapshot(`"cuMemcpyHtoDAsync memory1+0, 12 bytes, stream1"`);
    program.run("step");
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuMemsetD8Async memory1+2048, 4 bytes, stream1
      cuStreamBeginCapture stream1
      cuLaunchKernel increment 1 x 32, stream1: memory1+0, memory1+2048
      cuLaunchKernel keep_step 1 x 32, 65536 bytes shared, stream1: memory1+0, memory1+2048
      cuStreamEndCapture stream1
      cuGraphInstantiate graph1
      cuGraphDestroy graph1
      cuGraphLaunch executable1, stream1
      cuEventRecord event1, stream1
      cuEventSynchronize event1"
    `);
    expect([...program.trace("step", "x")]).toEqual([1, 12, 23]);
    expect(driver.lines()).toMatchInlineSnapshot(`"cuMemcpyDtoHAsync memory1+128, 12 bytes, stream1"`);

    // A graph of 16 steps is made once; the one of a single step is there already.
    program.run("step", 34);
    expect(
      driver.lines().replace(/((?:cuLaunchKernel .*\n){2})\1{15}/, "$1(16 times)\n"),
    ).toMatchInlineSnapshot(`
      "cuMemsetD8Async memory1+2048, 4 bytes, stream1
      cuStreamBeginCapture stream1
      cuLaunchKernel increment 1 x 32, stream1: memory1+0, memory1+2048
      cuLaunchKernel keep_step 1 x 32, 65536 bytes shared, stream1: memory1+0, memory1+2048
      (16 times)
      cuStreamEndCapture stream1
      cuGraphInstantiate graph2
      cuGraphDestroy graph2
      cuGraphLaunch executable2, stream1
      cuGraphLaunch executable2, stream1
      cuGraphLaunch executable1, stream1
      cuGraphLaunch executable1, stream1
      cuEventRecord event1, stream1
      cuEventSynchronize event1"
    `);
    const traced = program.trace("step", "x");
    expect(traced.length).toBe(34 * 3);
    expect([...traced.slice(0, 3)]).toEqual([2, 14, 26]);
    expect([...traced.slice(-3)]).toEqual([35, 80, 125]);
    expect(driver.lines()).toMatchInlineSnapshot(`"cuMemcpyDtoHAsync memory1+128, 408 bytes, stream1"`);
    program.run("step", 17);
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuMemsetD8Async memory1+2048, 4 bytes, stream1
      cuGraphLaunch executable2, stream1
      cuGraphLaunch executable1, stream1
      cuEventRecord event1, stream1
      cuEventSynchronize event1"
    `);
    expect([...program.read("x")]).toEqual([52, 114, 176]);
    driver.lines();

    program.run("look", 0);
    expect(program.trace("look", "x").length).toBe(0);
    expect(driver.lines()).toBe("");
    program.run("look");
    expect([...program.trace("look", "x")]).toEqual([104, 228, 352]);
    driver.lines();

    program.release();
    program.release();
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuGraphExecDestroy executable3
      cuGraphExecDestroy executable2
      cuGraphExecDestroy executable1
      cuModuleUnload module1
      cuEventDestroy event1
      cuStreamDestroy stream1
      cuMemFree memory1"
    `);
    expect(driver.held()).toEqual(["context x 1"]);
    await backend.close!();
    expect(driver.lines()).toMatchInlineSnapshot(`"cuDevicePrimaryCtxRelease 0"`);
    expect(driver.held()).toEqual([]);
  });
});

describe("wrong use", () => {
  const { driver, backend } = started();
  const program = backend.compile(counting);

  test("is refused before the driver is called", () => {
    driver.lines();
    expect(() => program.run("stp")).toThrow('unknown entry "stp". Did you mean "step"?');
    expect(() => program.run("step", 65)).toThrow("run: 65 steps; expected 0 to 64");
    expect(() => program.read("y")).toThrow('unknown variable "y"');
    expect(() => program.write("x", [1])).toThrow('write: 1 values for "x" of type f32[3]; expected 3.');
    expect(() => program.trace("step", "y")).toThrow('unknown variable "step/y"');
    expect(driver.lines()).toBe("");
    expect(() => backend.compile({ ...counting, ranks: 2 })).toThrow(
      "program counting: is for 2 ranks, and the cuda backend has 1; expected 1 rank. Take more GPUs.",
    );
  });

  test("after the release is a bug", () => {
    program.release();
    expect(() => program.run("step")).toThrow("a released program runs no more");
    expect(() => program.read("x")).toThrow("a released program has no values");
  });
});

describe("memory", () => {
  test("is refused before it is taken, with the figures", () => {
    const { driver, backend } = started({ freeBytes: 1000 });
    expect(() => backend.compile(counting)).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program counting: needs 2.30 kB on device 0 (Test GPU), and 1.00 kB of its 8.00 GB are free; its largest tensor is step/x with 768 B. Use fewer lanes, a smaller batch or parts of it in turn (microBatch), or a smaller model; or end other programs on the GPU (nvidia-smi lists them).]`,
    );
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("that another program takes meanwhile is told in the driver's words", () => {
    const { driver, backend } = started({
      failing: (line) => (line.startsWith("cuMemAlloc") ? "outOfMemory" : undefined),
    });
    expect(() => backend.compile(counting)).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program counting, 2.30 kB of memory: cuMemAlloc failed with CUDA_ERROR_OUT_OF_MEMORY (2): out of memory. The device has too little free memory. Use fewer lanes, a smaller batch or a smaller model, or end other programs on the GPU (nvidia-smi lists them).]`,
    );
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("of a plan is that of its program", () => {
    const { backend } = started();
    let plan: Plan | undefined;
    const seen = started(
      {},
      {
        emit: (given, libraries) => {
          plan = given;
          return emit(given, libraries);
        },
      },
    );
    const { bytes } = seen.backend.compile(counting);
    const { workspaceBytes, mostBytes } = backend.memoryOf(plan!);
    expect(plan!.arenaBytes + workspaceBytes).toBe(bytes);
    expect(mostBytes).toBe(4e9);
  });

  test("asked for before, a plan is prepared once", () => {
    let emitted = 0;
    const { backend } = started(
      {},
      {
        emit: (plan, libraries) => {
          emitted++;
          return emit(plan, libraries);
        },
      },
    );
    const plan = backend.planOf(counting);
    backend.memoryOf(plan);
    backend.load(plan, counting.traceCapacity).release();
    expect(emitted).toBe(1);
    backend.compile(counting).release();
    expect(emitted).toBe(2);
  });

  test("decides whether kernels stand side by side", () => {
    // Norms of which each is needed until its matrix is divided by it.
    const variables = Object.fromEntries(["a", "b", "c"].map((name) => [name, variable(name, [64, 64])]));
    const updates = Object.fromEntries(
      Object.entries(variables).map(([name, x]) => [name, f.div(x, f.sum(f.square(x)))]),
    );
    const program = {
      name: "norms",
      variables,
      entries: { step: { updates, traces: {} } },
      traceCapacity: 1,
    };
    const [waves, smallest] = [true, false].map((waves) => planProgram(program, { waves }));
    expect(waves.arenaBytes).toBeGreaterThan(smallest.arenaBytes);
    expect(started().backend.planOf(program)).toEqual(waves);
    expect(started({ freeBytes: waves.arenaBytes }).backend.planOf(program)).toEqual(smallest);
  });
});

describe("errors of the driver", () => {
  test("a busy device: nothing is taken, and the next program tries again", () => {
    let busy = true;
    const { driver, backend } = started({
      failing: (line) => (busy && line.startsWith("cuDevicePrimaryCtxRetain") ? "unavailable" : undefined),
    });
    expect(() => backend.compile(counting)).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: cuda device 0 (Test GPU): cuDevicePrimaryCtxRetain failed with CUDA_ERROR_DEVICE_UNAVAILABLE (46): CUDA-capable device(s) is/are busy or unavailable. The device is busy: another process has it for itself (exclusive mode), or it is about to be reset. Wait for that process to end (nvidia-smi lists it), take another device (--devices), or set nvidia-smi -c DEFAULT.]`,
    );
    expect(driver.held()).toEqual([]);
    busy = false;
    expect(backend.compile(counting).bytes).toBeGreaterThan(0);
  });

  test("in the middle of compiling leave nothing behind", () => {
    const { driver, backend } = started({
      failing: (line) => (line.startsWith("cuModuleLoadData") ? "oldDriver" : undefined),
    });
    expect(() => backend.compile(counting)).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program counting: cuModuleLoadData failed with CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222): the provided PTX was compiled with an unsupported toolchain. The NVIDIA driver is older than the CUDA libraries. Update the driver, or install libraries for the CUDA version that \`slalom doctor\` shows for it.]`,
    );
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("a launch that is refused names kernel, entry and program, and ends the capture", () => {
    let fails = true;
    const { driver, backend } = started({
      failing: (line) => (fails && line.startsWith("cuLaunchKernel keep_step") ? "invalidValue" : undefined),
    });
    const program = backend.compile(counting);
    driver.lines();
    expect(() => program.run("step", 2)).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program counting, entry step: kernel keep_step: cuLaunchKernel failed with CUDA_ERROR_INVALID_VALUE (1): invalid argument. A bug in Slalom: please report it.]`,
    );
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuMemsetD8Async memory1+2048, 4 bytes, stream1
      cuStreamBeginCapture stream1
      cuLaunchKernel increment 1 x 32, stream1: memory1+0, memory1+2048
      cuLaunchKernel keep_step 1 x 32, 65536 bytes shared, stream1: memory1+0, memory1+2048
      cuStreamEndCapture stream1
      cuGraphDestroy graph1"
    `);
    fails = false;
    program.run("step", 2);
    expect([...program.read("x")]).toEqual([2, 4, 6]);
    program.release();
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("a graph that there is no memory for leaves the program as it was", () => {
    let full = true;
    const { driver, backend } = started({
      failing: (line) => (full && line.startsWith("cuGraphInstantiate") ? "outOfMemory" : undefined),
    });
    const program = backend.compile(counting);
    program.write("x", [1, 2, 3]);
    expect(() => program.run("step")).toThrow("cuGraphInstantiate failed with CUDA_ERROR_OUT_OF_MEMORY");
    expect(driver.held()).toEqual(["memory1", "stream1", "event1", "module1", "context x 1"]);
    full = false;
    program.run("step");
    expect([...program.trace("step", "x")]).toEqual([2, 4, 6]);
  });

  test("a kernel that loses the device is told when it is waited for", () => {
    const { backend } = started({
      failing: (line) => (line.startsWith("cuEventSynchronize") ? "illegalAddress" : undefined),
    });
    const program = backend.compile(counting);
    expect(() => program.run("step")).toThrowErrorMatchingInlineSnapshot(
      `[SlalomError: program counting, entry step: cuEventSynchronize failed with CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered. The device's state is lost, and with it what this process had there. Start again, and interrupted studies go on from their checkpoints; if it happens again, the kernel that is named, or the last that ran, is at fault: please report it.]`,
    );
  });

  test("while a program is released: the rest is given back all the same", () => {
    const { driver, backend } = started({
      failing: (line) => (line.startsWith("cuModuleUnload") ? "illegalAddress" : undefined),
    });
    const program = backend.compile(counting);
    expect(() => program.release()).toThrow("program counting, releasing: cuModuleUnload failed");
    expect(driver.held()).toEqual(["context x 1"]);
  });
});

describe("libraries", () => {
  const a = variable("a", [2, 3]);
  const b = variable("b", [3, 4]);
  const c = variable("c", [2, 4]);
  const product: Program = {
    name: "product",
    variables: { a, b, c },
    entries: { step: { updates: { c: f.matmul(a, b) }, traces: {} } },
    traceCapacity: 1,
  };
  const emitCalls: EmitCuda = (plan, libraries) => ({
    source: "",
    arenaBytes: plan.arenaBytes,
    entries: {
      step: {
        commands: plan.entries.step.kernels.map((kernel): CudaCommand => {
          if (kernel.kind === "gemm" && libraries.products(kernel))
            return { kind: "product", product: kernel };
          return { kind: "launch", kernel: "own", grid: 1, block: 32, sharedBytes: 0 };
        }),
      },
    },
  });
  const call: LibraryCall = {
    name: "rounding",
    branches: 1,
    workspaceBytes: 512,
    usesKernels: true,
    enqueue: ({ arena, workspace, launch }) =>
      launch("library_roundNumbers", { grid: 2, block: 256, sharedBytes: 0 }, [arena, workspace, 6n]),
  };

  test("are asked about each kernel, and share a workspace behind the arena", async () => {
    let released = 0;
    const { driver, backend } = started(
      {},
      { emit: emitCalls, openProducts: () => ({ callsFor: () => [call], release: () => released++ }) },
    );
    const program = backend.compile(product);
    // Once on zeros, outside of a capture, before variables have values.
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuDevicePrimaryCtxRetain 0
      cuMemGetInfo
      cuMemGetInfo
      cuMemAlloc 1024 bytes
      cuStreamCreate
      cuEventCreate
      cuModuleLoadData 1706 bytes
      cuModuleGetFunction module1, library_roundMatrices
      cuModuleGetFunction module1, library_roundNumbers
      cuModuleGetFunction module1, library_finishOutputs
      cuMemsetD8Async memory1+0, 1024 bytes, stream1
      cuLaunchKernel library_roundNumbers 2 x 256, stream1: memory1+0, memory1+256, 6
      cuEventRecord event1, stream1
      cuEventSynchronize event1
      cuMemsetD8Async memory1+0, 1024 bytes, stream1"
    `);
    program.run("step");
    expect(driver.lines()).toMatchInlineSnapshot(`
      "cuMemsetD8Async memory1+768, 4 bytes, stream1
      cuStreamBeginCapture stream1
      cuLaunchKernel library_roundNumbers 2 x 256, stream1: memory1+0, memory1+256, 6
      cuStreamEndCapture stream1
      cuGraphInstantiate graph1
      cuGraphDestroy graph1
      cuGraphLaunch executable1, stream1
      cuEventRecord event1, stream1
      cuEventSynchronize event1"
    `);
    program.release();
    await backend.close!();
    expect(released).toBe(1);
    expect(driver.held()).toEqual([]);
  });

  test("are not called for what they were not asked about", () => {
    const unasked: EmitCuda = (plan) => emitCalls(plan, { products: () => true, convolutions: () => true });
    const { driver, backend } = started({}, { emit: unasked });
    expect(() => backend.compile(product)).toThrow(
      "product dot is a call of a library that was asked about it",
    );
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("that refuse a call are told when a program is compiled", () => {
    const refusal = new SlalomError("device", "cuBLASLt at x: cublasLtMatmul failed with 15.");
    const refusing: LibraryCall = {
      ...call,
      enqueue: () => {
        throw refusal;
      },
    };
    const { driver, backend } = started(
      {},
      { emit: emitCalls, openProducts: () => ({ callsFor: () => [refusing], release: () => {} }) },
    );
    expect(() => backend.compile(product)).toThrow(
      "program product: product dot: cuBLASLt at x: cublasLtMatmul failed with 15.",
    );
    expect(driver.held()).toEqual(["context x 1"]);
  });

  test("that have nothing for a kernel leave it to the source", () => {
    const { driver, backend } = started(
      {},
      { emit: emitCalls, openProducts: () => ({ callsFor: () => [], release: () => {} }) },
    );
    const program = backend.compile(product);
    driver.lines();
    program.run("step");
    expect(driver.lines()).toContain("cuLaunchKernel own 1 x 32");
  });
});
