/** What convolutions need of cuDNN's C interface, in versions 8 and 9: tensors channels last, float32. */
import { SlalomError } from "../../base/errors.js";
import type { ConvolutionRole, ConvolutionSizes } from "../../graph/operations/convolution.js";
import { NativeMemory } from "../../native/memory.js";
import { type Bound, bind } from "./bind.js";
import type { Handle } from "./driver.js";
import { Handles } from "./handles.js";
import type { FoundLibrary } from "./libraries.js";

const algorithmOf = (name: string): string =>
  `int cudnnGetConvolution${name}Algorithm_v7(uint64 handle, uint64 first, uint64 second, uint64 convolution, uint64 result, int asked, uint64 count, uint64 algorithms)`;
const convolutionOf = (name: string): string =>
  `int cudnnConvolution${name}(uint64 handle, uint64 alpha, uint64 first, uint64 firstAt, uint64 second, uint64 secondAt, uint64 convolution, int algorithm, uint64 workspace, size_t workspaceBytes, uint64 beta, uint64 result, uint64 resultAt)`;

export const cudnnPrototypes = {
  cudnnGetErrorString: "str cudnnGetErrorString(int status)",
  cudnnCreate: "int cudnnCreate(uint64 handle)",
  cudnnDestroy: "int cudnnDestroy(uint64 handle)",
  cudnnSetStream: "int cudnnSetStream(uint64 handle, uint64 stream)",
  cudnnCreateTensorDescriptor: "int cudnnCreateTensorDescriptor(uint64 tensor)",
  cudnnDestroyTensorDescriptor: "int cudnnDestroyTensorDescriptor(uint64 tensor)",
  cudnnSetTensor4dDescriptor:
    "int cudnnSetTensor4dDescriptor(uint64 tensor, int format, int type, int images, int channels, int height, int width)",
  cudnnCreateFilterDescriptor: "int cudnnCreateFilterDescriptor(uint64 filter)",
  cudnnDestroyFilterDescriptor: "int cudnnDestroyFilterDescriptor(uint64 filter)",
  cudnnSetFilter4dDescriptor:
    "int cudnnSetFilter4dDescriptor(uint64 filter, int type, int format, int filters, int channels, int height, int width)",
  cudnnCreateConvolutionDescriptor: "int cudnnCreateConvolutionDescriptor(uint64 convolution)",
  cudnnDestroyConvolutionDescriptor: "int cudnnDestroyConvolutionDescriptor(uint64 convolution)",
  cudnnSetConvolution2dDescriptor:
    "int cudnnSetConvolution2dDescriptor(uint64 convolution, int top, int left, int strideY, int strideX, int dilationY, int dilationX, int mode, int type)",
  cudnnSetConvolutionMathType: "int cudnnSetConvolutionMathType(uint64 convolution, int math)",
  cudnnSetConvolutionGroupCount: "int cudnnSetConvolutionGroupCount(uint64 convolution, int groups)",
  cudnnGetConvolutionForwardAlgorithm_v7: algorithmOf("Forward"),
  cudnnGetConvolutionBackwardDataAlgorithm_v7: algorithmOf("BackwardData"),
  cudnnGetConvolutionBackwardFilterAlgorithm_v7: algorithmOf("BackwardFilter"),
  cudnnConvolutionForward: convolutionOf("Forward"),
  cudnnConvolutionBackwardData: convolutionOf("BackwardData"),
  cudnnConvolutionBackwardFilter: convolutionOf("BackwardFilter"),
} as const;

type Call = keyof typeof cudnnPrototypes;

/** Enumerators of the C interface. */
const channelsLast = 1;
const float32 = 0;
/** Filters are not flipped. */
const crossCorrelation = 1;
/** Products of float32, or of tensor cores that keep 10 bits of significand. */
const maths = { float32: 3, tf32: 0 } as const;
const tensorOperations = [1, 2];
const deterministic = 1;

/** cudnnConvolutionFwdAlgoPerf_t and the like. */
const resultBytes = 48;
const mostResults = 10;

/** What a convolution may take of scratch memory. */
export const mostWorkspaceBytes = 256 << 20;

/**
 * What each direction is called, from which two tensors it computes the third, and its algorithms that sum products as
 * they are, always in one order. Those by Winograd and by Fourier transforms lose digits; 0 and 3 of the backward ones
 * add in the order in which threads happen to come.
 */
const directions = {
  y: {
    algorithms: "cudnnGetConvolutionForwardAlgorithm_v7",
    run: "cudnnConvolutionForward",
    from: ["x", "w"],
    taken: [0, 1, 2],
  },
  x: {
    algorithms: "cudnnGetConvolutionBackwardDataAlgorithm_v7",
    run: "cudnnConvolutionBackwardData",
    from: ["w", "y"],
    taken: [1],
  },
  w: {
    algorithms: "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
    run: "cudnnConvolutionBackwardFilter",
    from: ["x", "y"],
    taken: [1],
  },
} as const;

export interface CudnnConvolution {
  readonly computes: ConvolutionRole;
  readonly sizes: ConvolutionSizes;
  /** Above and below, left and right alike. */
  readonly padding: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly math: keyof typeof maths;
}

/** A convolution by one of the library's algorithms. */
export interface PreparedConvolution {
  /** Its number in the C interface. */
  readonly algorithm: number;
  readonly workspaceBytes: number;
  /** `at`: the addresses of the three tensors. */
  enqueue(at: Readonly<Record<ConvolutionRole, Handle>>, workspace: Handle, stream: Handle): void;
}

export class Cudnn {
  private readonly functions: Bound<typeof cudnnPrototypes>;
  private readonly memory: NativeMemory;
  private readonly handles = new Handles();
  private readonly handle: Handle;
  private readonly scratch: { readonly buffer: ArrayBuffer; readonly address: bigint };
  private readonly one: bigint;
  private readonly zero: bigint;
  /** By shape. */
  private readonly found = new Map<string, readonly PreparedConvolution[]>();

  /** In the present context. @throws SlalomError "library" for a library that is too old or refuses */
  constructor(private readonly library: FoundLibrary) {
    this.functions = bind(library.native, library.title, cudnnPrototypes);
    this.memory = new NativeMemory(library.native);
    this.scratch = this.memory.bytes(64);
    const one = this.memory.bytes(4);
    new Float32Array(one.buffer)[0] = 1;
    this.one = one.address;
    this.zero = this.memory.bytes(4).address;
    this.handle = this.made(this.handles, "cudnnDestroy", "cudnnCreate");
  }

  /** By each algorithm that it has for the shape, that which it thinks fastest first; looked for once a shape. */
  convolutions(convolution: CudnnConvolution): readonly PreparedConvolution[] {
    const key = JSON.stringify(convolution);
    const found = this.found.get(key) ?? this.find(convolution);
    this.found.set(key, found);
    return found;
  }

  release(): void {
    this.handles.release();
  }

  private find(convolution: CudnnConvolution): PreparedConvolution[] {
    const handles = new Handles();
    return handles.orReleased(() => {
      const { algorithms, run, from, taken } = directions[convolution.computes];
      const tensors = this.tensors(handles, convolution);
      const window = this.window(handles, convolution);
      const [first, second, result] = [...from, convolution.computes].map((role) => tensors[role]);
      const list = this.memory.bytes(resultBytes * mostResults);
      const code = Number(
        this.functions[algorithms](
          ...[this.handle, first, second, window, result, mostResults, this.scratch.address, list.address],
        ),
      );
      // It says by an error, too, that it has none.
      const count = code === 0 ? new Int32Array(this.scratch.buffer)[0] : 0;
      const usable = algorithmsIn(list.buffer, count).filter(
        ({ algorithm, status, bytes, determinism, math }) =>
          status === 0 &&
          determinism === deterministic &&
          bytes <= mostWorkspaceBytes &&
          (taken as readonly number[]).includes(algorithm) &&
          (convolution.math === "tf32" || !tensorOperations.includes(math)),
      );
      if (usable.length === 0) {
        handles.release();
        return [];
      }
      this.handles.own(handles, (all) => all.release());
      // Some are listed twice, with one kind of cores and another; which are used the descriptor says.
      const once = usable.filter(
        (one, i) => usable.findIndex((two) => two.algorithm === one.algorithm) === i,
      );
      return once.map(({ algorithm, bytes: workspaceBytes }) => ({
        algorithm,
        workspaceBytes,
        enqueue: (at, workspace, stream) => {
          this.call("cudnnSetStream", this.handle, stream);
          this.call(
            run,
            ...[this.handle, this.one, first, at[from[0]], second, at[from[1]], window, algorithm],
            ...[workspace, workspaceBytes, this.zero, result, at[convolution.computes]],
          );
        },
      }));
    });
  }

  private tensors(handles: Handles, { sizes, groups }: CudnnConvolution): Record<ConvolutionRole, Handle> {
    const { images, channels, filters } = sizes;
    const images4d = (depth: number, height: number, width: number): Handle => {
      const tensor = this.made(handles, "cudnnDestroyTensorDescriptor", "cudnnCreateTensorDescriptor");
      this.call("cudnnSetTensor4dDescriptor", tensor, channelsLast, float32, images, depth, height, width);
      return tensor;
    };
    const w = this.made(handles, "cudnnDestroyFilterDescriptor", "cudnnCreateFilterDescriptor");
    const { kernelHeight, kernelWidth } = sizes;
    this.call(
      "cudnnSetFilter4dDescriptor",
      ...[w, float32, channelsLast, filters, channels / groups, kernelHeight, kernelWidth],
    );
    return {
      x: images4d(channels, sizes.height, sizes.width),
      w,
      y: images4d(filters, sizes.outputHeight, sizes.outputWidth),
    };
  }

  private window(handles: Handles, { padding, stride, dilation, groups, math }: CudnnConvolution): Handle {
    const window = this.made(
      handles,
      "cudnnDestroyConvolutionDescriptor",
      "cudnnCreateConvolutionDescriptor",
    );
    this.call(
      "cudnnSetConvolution2dDescriptor",
      ...[window, ...padding, ...stride, ...dilation, crossCorrelation, float32],
    );
    this.call("cudnnSetConvolutionMathType", window, maths[math]);
    this.call("cudnnSetConvolutionGroupCount", window, groups);
    return window;
  }

  private made(handles: Handles, destroy: Call, name: Call): Handle {
    const { buffer, address } = this.scratch;
    this.call(name, address);
    return handles.own(new BigUint64Array(buffer)[0], (handle) => this.call(destroy, handle));
  }

  private call(name: Call, ...args: (number | bigint)[]): void {
    const status = Number(this.functions[name](...args));
    if (status === 0) return;
    const text = String(this.functions.cudnnGetErrorString(status));
    throw new SlalomError(
      "device",
      `cuDNN at ${this.library.path}: ${name} failed with ${text} (${status}). The device may have too little free memory, or the NVIDIA driver be older than the library; \`slalom doctor\` shows both.`,
    );
  }
}

interface Algorithm {
  readonly algorithm: number;
  readonly status: number;
  readonly bytes: number;
  readonly determinism: number;
  readonly math: number;
}

/** The library's list, the one that it thinks fastest first. */
function algorithmsIn(buffer: ArrayBuffer, count: number): Algorithm[] {
  const view = new DataView(buffer);
  return Array.from({ length: count }, (_, i) => {
    const at = i * resultBytes;
    return {
      algorithm: view.getInt32(at, true),
      status: view.getInt32(at + 4, true),
      bytes: Number(view.getBigUint64(at + 16, true)),
      determinism: view.getInt32(at + 24, true),
      math: view.getInt32(at + 28, true),
    };
  });
}
