/**
 * The plan: what any device is handed to run. A list of kernel calls over one arena of memory; plain data, so
 * it can be printed, serialised and sent to another thread. Offsets and strides of accesses count elements.
 */
import type { DType, TypedArray } from "../base/dtype.js";
import type { Shape } from "../base/shape.js";
import type { ConvolutionRole, ConvolutionSizes } from "../graph/operations/convolution.js";
import type {
  ConvolutionAttributes,
  ElementwiseAttributes,
  ElementwiseName,
  PoolAttributes,
} from "../graph/tensor.js";

export interface Plan {
  readonly name: string;
  /** Threads that run the plan side by side over one memory, each on its share. */
  readonly ranks: number;
  /** Processes that do so, each with a memory and threads of its own; there are `ranks * processes` ranks in all. */
  readonly processes: number;
  /** Size of the arena: every buffer lies in it, aligned to 64 bytes and padded to a multiple of 64. */
  readonly arenaBytes: number;
  /** Bytes from a private buffer of one rank to the same buffer of the next. */
  readonly privateBytes: number;
  readonly buffers: readonly PlanBuffer[];
  readonly constants: readonly { readonly buffer: number; readonly data: TypedArray }[];
  readonly entries: Readonly<Record<string, PlanEntry>>;
}

/** state and input keep their bytes between runs; temporaries share memory by liveness. */
export type BufferRole = "state" | "input" | "constant" | "trace" | "temporary";

export interface PlanBuffer {
  /** The variable's or trace's name; for a temporary, what computed it. */
  readonly name: string;
  readonly role: BufferRole;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Byte offset in the arena; of a private buffer, that of rank 0's. */
  readonly offset: number;
  /**
   * A shared buffer exists once. Of a private one every rank has its own: temporaries, and variables so small that
   * each rank updates its own copy, which is the same on all of them. Of a stacked one too, and these lie one behind
   * another: together they are one matrix with the rows of all ranks.
   */
  readonly scope: "shared" | "private" | "stacked";
}

/** One step: kernels in order, then `traces` copied to place `step` of this call in their ring. */
export interface PlanEntry {
  readonly kernels: readonly Kernel[];
  /**
   * Variables of which each process reads and changes its own part alone: afterwards the other parts are old. Whoever
   * needs them whole, another entry or the host, has them gathered first. Absent: none.
   */
  readonly inParts?: readonly number[];
  readonly traces: readonly {
    readonly name: string;
    readonly source: number;
    readonly target: number;
    readonly bytes: number;
  }[];
}

/**
 * One that stores to shared buffers is split over the ranks or run by rank 0 alone; so is a product with a dimension that
 * they divide; every rank runs all others.
 */
export type Kernel =
  | LoopKernel
  | GemmKernel
  | ScatterAddKernel
  | ConvolutionKernel
  | PoolKernel
  | ExchangeKernel
  | BarrierKernel;

/** What travels between processes; one thread of a process sends and receives it. */
export type ExchangeKernel = AllReduceKernel | ReduceScatterKernel | AllGatherKernel;

/**
 * Puts the sums over all processes into the buffers of each; one thread of a process does it. One kernel begins, one with
 * the same buffers finishes, in the same step; between them the buffers travel, and no kernel touches them.
 */
export interface AllReduceKernel {
  readonly kind: "beginAllReduce" | "finishAllReduce";
  readonly name: string;
  /** Whole float buffers of one type that travel together, in an order that is the same everywhere. */
  readonly buffers: readonly number[];
}

/** Puts the sums over all processes into the part of the buffer that is this process' own; the other parts hold nothing then. */
export interface ReduceScatterKernel {
  readonly kind: "beginReduceScatter" | "finishReduceScatter";
  readonly name: string;
  /** One, a whole float buffer. */
  readonly buffers: readonly number[];
}

/** Puts the part of each process into the buffers of the others. */
export interface AllGatherKernel {
  readonly kind: "beginAllGather" | "finishAllGather";
  readonly name: string;
  /** One, a whole float buffer. */
  readonly buffers: readonly number[];
  /**
   * Finishes what began in the step before, so in the first one of a call nothing; a call ends by finishing what its last
   * step began.
   */
  readonly ofStepBefore?: true;
}

/** No rank of the process goes on before all are here. */
export interface BarrierKernel {
  readonly kind: "barrier";
  readonly name: string;
}

/** Element `offset + sum over loop dimensions of index * stride` of a buffer. */
export interface Access {
  /** Index into the plan's buffers. */
  readonly buffer: number;
  readonly offset: number;
  /** One for each loop dimension; 0 where it does not move. */
  readonly strides: readonly number[];
  /** Whose copy of a private buffer is read; absent: the own one. */
  readonly peer?: number;
}

/**
 * A loop nest with a straight-line body: elementwise operations fused with each other, with the reading of
 * views and gathered rows, and with reductions. Everything a body reads from a buffer that the same kernel
 * stores to is read at the very index that is stored, so iterations may run in any order.
 */
export interface LoopKernel {
  readonly kind: "loop";
  /** The operations inside, for people. */
  readonly name: string;
  /** Extents, outermost first; empty: the body runs once. With an extent of 0 reductions store what they begin with. */
  readonly extents: readonly number[];
  /** Which dimensions the reductions fold; all false without reductions. */
  readonly reduced: readonly boolean[];
  /** Static single assignment: instruction i computes value i. */
  readonly body: readonly Instruction[];
  readonly stores: readonly { readonly value: number; readonly access: Access }[];
  /** Folds over the reduced dimensions; the access has stride 0 there. */
  readonly reductions: readonly {
    readonly value: number;
    readonly combine: Combine;
    readonly access: Access;
  }[];
  /**
   * Each process runs its part of the iterations, `partOf` their number in row-major order: the elements that are its own
   * in what the loop stores.
   */
  readonly inParts?: true;
}

export type Combine = "sum" | "max" | "min";

export type Instruction = { readonly dtype: DType } & (
  | { readonly op: "load"; readonly access: Access }
  | { readonly op: "literal"; readonly value: number }
  /** offset + sum of index * stride + rank * perRank. */
  | {
      readonly op: "index";
      readonly offset: number;
      readonly strides: readonly number[];
      readonly perRank?: number;
    }
  /** The element at `access` moved by `clamp(value `index`, 0, extent - 1) * stride`. */
  | {
      readonly op: "gather";
      readonly access: Access;
      readonly index: number;
      readonly extent: number;
      readonly stride: number;
    }
  | ElementwiseInstruction
);

/** `inputs` are numbers of earlier instructions; `dtype` is the result's. */
export type ElementwiseInstruction = {
  [N in ElementwiseName]: {
    readonly op: N;
    readonly inputs: readonly number[];
    readonly attributes: ElementwiseAttributes[N];
  };
}[ElementwiseName];

/** C = A B, or C += A B; row-major; for each index of the batch dimensions. */
export interface GemmKernel {
  readonly kind: "gemm";
  readonly name: string;
  readonly dtype: "float32" | "float64";
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: GemmOperand;
  readonly b: GemmOperand;
  readonly c: GemmOperand;
  readonly accumulate: boolean;
  /** What float32 operands are rounded to before they are multiplied; absent: they are not. */
  readonly precision?: "bfloat16";
  /** Extents of the loops around the product, outermost first. */
  readonly batch: readonly number[];
  /** The dimension of C that ranks divide; absent: every rank has a product of its own. */
  readonly divided?: "rows" | "columns";
}

export interface GemmOperand {
  readonly buffer: number;
  readonly offset: number;
  /** Elements from one row to the next, as stored. */
  readonly leading: number;
  /** The operand is stored transposed: [k,m] for A, [n,k] for B; never C. */
  readonly transposed: boolean;
  /** One for each batch dimension. */
  readonly batchStrides: readonly number[];
  /** Whose copy it begins with; absent: the own one. From rank 0's copy on a stacked buffer is one matrix. */
  readonly peer?: number;
}

/**
 * target (contiguous [outer, extent, inner]) = 0; target[o, clamp(indices[n]), i] += updates (contiguous
 * [outer, count, inner])[o, n, i]; indices contiguous int32 [count].
 */
export interface ScatterAddKernel {
  readonly kind: "scatterAdd";
  readonly name: string;
  readonly dtype: DType;
  readonly outer: number;
  readonly count: number;
  readonly extent: number;
  readonly inner: number;
  readonly updates: number;
  readonly indices: number;
  readonly target: number;
}

/**
 * One of the three tensors of a convolution from the two others, for each lane: images x [N, H, W, C], filters w
 * [O, KH, KW, C / groups], outputs y [N, OH, OW, O], each contiguous in a buffer of its own.
 */
export interface ConvolutionKernel {
  readonly kind: "convolution";
  readonly name: string;
  readonly dtype: "float32" | "float64";
  /** The tensor that is computed. */
  readonly computes: ConvolutionRole;
  readonly sizes: ConvolutionSizes;
  readonly attributes: ConvolutionAttributes;
  readonly lanes: number;
  readonly x: ConvolutionOperand;
  readonly w: ConvolutionOperand;
  readonly y: ConvolutionOperand;
  /** Only where y is computed: y = conv(x, w) + bias [O], the same for all lanes or one a lane. */
  readonly bias?: ConvolutionOperand;
  /** Only where y is computed: y is max(y, 0) in the end. */
  readonly relu: boolean;
}

export interface ConvolutionOperand {
  readonly buffer: number;
  /** Elements from one lane to the next; 0: the same for all. */
  readonly laneStride: number;
}

/**
 * Windows over contiguous images [N, H, W, C] and their values [N, OH, OW, C]. "max" stores the greatest of each window,
 * its place in the window, or both; "pick" reads the place that the index names, "unpool" writes there and zeros
 * elsewhere; "sum" adds a window up, "spread" is its adjoint.
 */
export interface PoolKernel {
  readonly kind: "pool";
  readonly name: string;
  readonly mode: "max" | "pick" | "unpool" | "sum" | "spread";
  readonly dtype: "float32" | "float64";
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly attributes: PoolAttributes;
  /** Buffers: what is read, and what is written; "max" may write an index alone. */
  readonly source: number;
  readonly target?: number;
  /** uint8, one for each window: written by "max", read by "pick" and "unpool". */
  readonly index?: number;
}
