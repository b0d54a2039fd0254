/** Convolutions of plans as calls of cuDNN, recorded by a library that computes nothing. */
import { describe, expect, test } from "vitest";
import { cudnnConvolutions } from "../../../src/backends/cuda/convolutions.js";
import { Cudnn } from "../../../src/backends/cuda/cudnn.js";
import type { Surroundings } from "../../../src/backends/cuda/libraryCalls.js";
import type { ProductPrecision } from "../../../src/backends/cuda/products.js";
import type { ConvolutionKernel, Plan } from "../../../src/compile/plan.js";
import { type CFunction, FakeLibrary } from "./fakeLibrary.js";

interface Algorithm {
  readonly algorithm: number;
  readonly status?: number;
  readonly bytes?: number;
  readonly determinism?: number;
  readonly math?: number;
}

/** The library, which offers these algorithms, and a line for each call. */
function started(algorithms: readonly Algorithm[], precision: ProductPrecision = "float32", failure = 0) {
  const calls: string[] = [];
  const live = new Set<bigint>();
  let handle = 0n;
  const library = new FakeLibrary("libcudnn.so.9", (lib) => {
    const noted =
      (name: string, run: CFunction = () => 0): CFunction =>
      (...args) => {
        calls.push(`${name} ${args.join(" ")}`);
        return run(...args);
      };
    const create: CFunction = (at) => {
      live.add(++handle);
      lib.setWord(at, handle);
      return 0;
    };
    const destroy: CFunction = (which) => (live.delete(BigInt(which)) ? 0 : 2000);
    const kinds = ["Tensor", "Filter", "Convolution"];
    const offer: CFunction = (...args) => {
      const [count, list] = args.slice(-2);
      calls.push(`offers for ${args.slice(1, 5).join(" ")}`);
      lib.setInt(count, algorithms.length);
      for (const [
        i,
        { algorithm, status = 0, bytes = 0, determinism = 1, math = 3 },
      ] of algorithms.entries()) {
        const at = BigInt(list) + BigInt(48 * i);
        lib.setInt(at, algorithm);
        lib.setInt(at + 4n, status);
        lib.setWord(at + 16n, bytes);
        lib.setInt(at + 24n, determinism);
        lib.setInt(at + 28n, math);
      }
      return 0;
    };
    const convolve = (name: string): CFunction => {
      return (
        _handle,
        alpha,
        first,
        firstAt,
        second,
        secondAt,
        window,
        algorithm,
        workspace,
        bytes,
        beta,
        ...rest
      ) => {
        const factors = [alpha, beta].map((at) => lib.view(at).getFloat32(0, true)).join(" ");
        const tensors = `${first}@${firstAt} ${second}@${secondAt} -> ${rest.join("@")}`;
        calls.push(
          `${name} ${tensors}, window ${window}, algorithm ${algorithm}, ${bytes} bytes at ${workspace}, factors ${factors}`,
        );
        return failure;
      };
    };
    return {
      cudnnGetErrorString: () => "CUDNN_STATUS_EXECUTION_FAILED",
      cudnnCreate: create,
      cudnnDestroy: destroy,
      cudnnSetStream: noted("stream"),
      ...Object.fromEntries(kinds.map((kind) => [`cudnnCreate${kind}Descriptor`, create])),
      ...Object.fromEntries(kinds.map((kind) => [`cudnnDestroy${kind}Descriptor`, destroy])),
      cudnnSetTensor4dDescriptor: noted("tensor"),
      cudnnSetFilter4dDescriptor: noted("filter"),
      cudnnSetConvolution2dDescriptor: noted("window"),
      cudnnSetConvolutionMathType: noted("math"),
      cudnnSetConvolutionGroupCount: noted("groups"),
      ...Object.fromEntries(
        ["Forward", "BackwardData", "BackwardFilter"].flatMap((name) => [
          [`cudnnGetConvolution${name}Algorithm_v7`, offer],
          [`cudnnConvolution${name}`, convolve(name)],
        ]),
      ),
    };
  });
  const cudnn = new Cudnn({ name: "cudnn", title: "cuDNN", path: library.path, native: library });
  return { convolutions: cudnnConvolutions(cudnn, precision), calls, live };
}

const plan = { buffers: [0, 10_000, 20_000, 30_000].map((offset) => ({ offset })) } as unknown as Plan;

const kernel: ConvolutionKernel = {
  kind: "convolution",
  name: "conv2d",
  dtype: "float32",
  computes: "y",
  sizes: {
    ...{ images: 2, height: 8, width: 6, channels: 4, filters: 10 },
    ...{ kernelHeight: 3, kernelWidth: 5, outputHeight: 4, outputWidth: 6 },
  },
  attributes: {
    stride: [2, 1],
    padding: [
      [1, 1],
      [2, 2],
    ],
    dilation: [1, 1],
    groups: 2,
  },
  lanes: 1,
  x: { buffer: 0, laneStride: 0 },
  w: { buffer: 1, laneStride: 0 },
  y: { buffer: 2, laneStride: 0 },
  relu: false,
};

/** What a call puts into streams from 7 on, addresses from 0 in the arena and from a million in the workspace. */
function enqueued({ convolutions, calls }: ReturnType<typeof started>, one: ConvolutionKernel, which = 0) {
  const call = convolutions.callsFor(one, plan).at(which)!;
  calls.splice(0);
  const launch: Surroundings["launch"] = (name, { grid, block }, args) =>
    calls.push(`${name} ${grid} x ${block}: ${args.join(" ")}`);
  call.enqueue({
    arena: 0n,
    workspace: 1_000_000n,
    ...{ stream: 7n, launch },
    inBranches(count, put) {
      expect(count).toBe(call.branches);
      for (let branch = 0; branch < count; branch++) put(branch, { stream: 7n + BigInt(branch), launch });
    },
  });
  return {
    lines: calls.splice(0).join("\n"),
    workspaceBytes: call.workspaceBytes,
    usesKernels: call.usesKernels,
  };
}

describe("a convolution", () => {
  test("is described channels last, once for its shape", () => {
    const library = started([{ algorithm: 1 }]);
    library.convolutions.callsFor(kernel, plan);
    library.convolutions.callsFor({ ...kernel, name: "another" }, plan);
    expect(library.calls.join("\n")).toMatchInlineSnapshot(`
      "filter 2 0 1 10 2 3 5
      tensor 3 1 0 2 4 8 6
      tensor 4 1 0 2 10 4 6
      window 5 1 2 2 1 1 1 1 0
      math 5 3
      groups 5 2
      offers for 3 2 5 4"
    `);
  });

  test("computes outputs, images or filters from the two others", () => {
    const library = started([{ algorithm: 1, bytes: 1000 }]);
    const all: string[] = [];
    for (const computes of ["y", "x", "w"] as const) {
      const { lines, workspaceBytes, usesKernels } = enqueued(library, { ...kernel, computes });
      expect({ workspaceBytes, usesKernels }).toEqual({ workspaceBytes: 1024, usesKernels: false });
      all.push(lines);
    }
    expect(all.join("\n")).toMatchInlineSnapshot(`
      "stream 1 7
      Forward 3@0 2@10000 -> 4@20000, window 5, algorithm 1, 1000 bytes at 1000000, factors 1 0
      stream 1 7
      BackwardData 6@10000 8@20000 -> 7@0, window 9, algorithm 1, 1000 bytes at 1000000, factors 1 0
      stream 1 7
      BackwardFilter 11@0 12@20000 -> 10@10000, window 13, algorithm 1, 1000 bytes at 1000000, factors 1 0"
    `);
  });

  test("of lanes is one after another; bias and ReLU come behind each", () => {
    const lanes: ConvolutionKernel = {
      ...kernel,
      lanes: 2,
      w: { buffer: 1, laneStride: 300 },
      y: { buffer: 2, laneStride: 480 },
      bias: { buffer: 3, laneStride: 10 },
      relu: true,
    };
    const { lines, usesKernels } = enqueued(started([{ algorithm: 1 }]), lanes);
    expect(usesKernels).toBe(true);
    expect(lines).toMatchInlineSnapshot(`
      "stream 1 7
      Forward 3@0 2@10000 -> 4@20000, window 5, algorithm 1, 0 bytes at 1000000, factors 1 0
      library_finishOutputs 2 x 256: 20000 30000 480 10 1
      stream 1 7
      Forward 3@0 2@11200 -> 4@21920, window 5, algorithm 1, 0 bytes at 1000000, factors 1 0
      library_finishOutputs 2 x 256: 21920 30040 480 10 1"
    `);
    const { lines: withoutBias } = enqueued(started([{ algorithm: 1 }]), { ...kernel, relu: true });
    expect(withoutBias).toContain("library_finishOutputs 2 x 256: 20000 0 480 10 1");
  });

  test("of many lanes may have some side by side, each branch with a workspace of its own", () => {
    const lanes: ConvolutionKernel = {
      ...kernel,
      lanes: 10,
      w: { buffer: 1, laneStride: 300 },
      y: { buffer: 2, laneStride: 480 },
    };
    const library = started([
      { algorithm: 1, bytes: 1000 },
      { algorithm: 2, bytes: 2 ** 26 },
    ]);
    const offered = library.convolutions.callsFor(lanes, plan);
    // Eight workspaces of the second would be too large.
    expect(offered.map(({ name, branches, workspaceBytes }) => [name, branches, workspaceBytes])).toEqual([
      ["cuDNN algorithm 1", 1, 1024],
      ["cuDNN algorithm 2", 1, 2 ** 26],
      ["cuDNN algorithm 1, 8 lanes at a time", 8, 8192],
    ]);
    const places = enqueued(library, lanes, 2)
      .lines.split("\n")
      .map((line) => /^stream \d+ (\d+)$|-> \d+@(\d+),.* at (\d+),/.exec(line)!.slice(1).join(" ").trim());
    // Streams 7 to 14; lanes 0 and 8 in the first, 1 and 9 in the second.
    const ofLane = (lane: number): string[] => [
      `${7 + (lane % 8)}`,
      `${20_000 + 1920 * lane} ${1_000_000 + 1024 * (lane % 8)}`,
    ];
    expect(places).toEqual([0, 8, 1, 9, 2, 3, 4, 5, 6, 7].flatMap(ofLane));
  });

  test("of rounded operands multiplies rounded copies; what lanes share is rounded once", () => {
    const rounded: ConvolutionKernel = {
      ...kernel,
      attributes: { ...kernel.attributes, precision: "bfloat16" },
      lanes: 2,
      w: { buffer: 1, laneStride: 300 },
      y: { buffer: 2, laneStride: 480 },
    };
    const { lines, workspaceBytes } = enqueued(started([{ algorithm: 1, bytes: 100, math: 1 }]), rounded);
    // x has 384 elements, w 300.
    expect(workspaceBytes).toBe(1536 + 1280 + 256);
    expect(lines).toMatchInlineSnapshot(`
      "library_roundNumbers 2 x 256: 0 1000000 384
      library_roundNumbers 2 x 256: 10000 1001536 300
      stream 1 7
      Forward 3@1000000 2@1001536 -> 4@20000, window 5, algorithm 1, 100 bytes at 1002816, factors 1 0
      library_roundNumbers 2 x 256: 11200 1001536 300
      stream 1 7
      Forward 3@1000000 2@1001536 -> 4@21920, window 5, algorithm 1, 100 bytes at 1002816, factors 1 0"
    `);
  });
});

describe("algorithms", () => {
  const chosen = (
    algorithms: readonly Algorithm[],
    precision?: ProductPrecision,
    computes = kernel.computes,
  ) => {
    const library = started(algorithms, precision);
    return Number(/algorithm (\d)/.exec(enqueued(library, { ...kernel, computes }).lines)![1]);
  };

  test("are the first that gives the same bits every time, sums as it should and has the memory", () => {
    const exact = { algorithm: 2 };
    expect(chosen([{ algorithm: 1, status: 3000 }, exact])).toBe(2);
    expect(chosen([{ algorithm: 1, determinism: 0 }, exact])).toBe(2);
    expect(chosen([{ algorithm: 1, bytes: 2 ** 29 }, exact])).toBe(2);
    // Winograd's and those by Fourier transforms.
    expect(chosen([{ algorithm: 6 }, { algorithm: 7 }, { algorithm: 4 }, { algorithm: 5 }, exact])).toBe(2);
    expect(chosen([{ algorithm: 1, math: 1 }, exact])).toBe(2);
    expect(chosen([{ algorithm: 1, math: 1 }, exact], "tf32")).toBe(1);
    expect(chosen([{ algorithm: 0 }, { algorithm: 1 }], "float32", "x")).toBe(1);
    expect(chosen([{ algorithm: 3 }, { algorithm: 1 }], "float32", "w")).toBe(1);
  });

  test("are all offered that are such, each once, the first one first", () => {
    const { convolutions } = started([
      { algorithm: 1, bytes: 1000 },
      { algorithm: 6 },
      { algorithm: 2 },
      { algorithm: 1 },
      { algorithm: 0, determinism: 0 },
    ]);
    const calls = convolutions.callsFor(kernel, plan);
    expect(calls.map(({ name, workspaceBytes }) => [name, workspaceBytes])).toEqual([
      ["cuDNN algorithm 1", 1024],
      ["cuDNN algorithm 2", 0],
    ]);
  });

  test("that are none leave the convolution to others, and nothing behind", () => {
    const library = started([{ algorithm: 6 }]);
    expect(library.convolutions.callsFor(kernel, plan)).toEqual([]);
    expect(library.live.size).toBe(1);
    library.convolutions.release();
    expect(library.live.size).toBe(0);
  });

  test("are not asked for where the library has none: float64, uneven padding, empty tensors", () => {
    const { convolutions, calls } = started([{ algorithm: 1 }]);
    const { attributes, sizes } = kernel;
    const [, columns] = attributes.padding;
    const uneven = { ...attributes, padding: [[0, 1], columns] as const };
    expect(convolutions.callsFor({ ...kernel, dtype: "float64" }, plan)).toEqual([]);
    expect(convolutions.callsFor({ ...kernel, attributes: uneven }, plan)).toEqual([]);
    expect(convolutions.callsFor({ ...kernel, sizes: { ...sizes, images: 0 } }, plan)).toEqual([]);
    expect(calls).toEqual([]);
  });
});

test("a convolution that fails says what the library says", () => {
  expect(() => enqueued(started([{ algorithm: 1 }], "float32", 5000), kernel)).toThrow(
    "cuDNN at libcudnn.so.9: cudnnConvolutionForward failed with CUDNN_STATUS_EXECUTION_FAILED (5000).",
  );
});
