/**
 * Symbolic tensors: nodes of an immutable, acyclic graph. A tensor has a shape and a dtype but no values; a
 * backend gives it values when a program runs.
 */
import type { DType, TypedArray } from "../base/dtype.js";
import type { HostTensor, Shape, TensorType } from "../base/shape.js";

/**
 * Every operation and its attributes: the list that all tables over operations are checked against. A new
 * operation is a line here, a record in `operations/`, and what the type checker then asks for.
 */
export interface OperationAttributes extends ElementwiseAttributes {
  // Leaves.
  variable: { readonly name: string };
  constant: { readonly data: TypedArray };
  full: { readonly value: number };
  /** 0, 1, 2, ... along `axis`. */
  iota: { readonly axis: number };
  // Ranks.
  /** The number of the rank that computes. */
  rank: None;
  /** The sum over all ranks. */
  allReduceSum: None;
  // Reductions and broadcasting.
  sum: { readonly axes: readonly number[] };
  reduceMax: { readonly axes: readonly number[] };
  reduceMin: { readonly axes: readonly number[] };
  argmax: { readonly axis: number };
  /** Input axis i becomes output axis `axes[i]`, ascending; the other output axes repeat. */
  broadcast: { readonly shape: Shape; readonly axes: readonly number[] };
  // Movement.
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  slice: {
    readonly start: readonly number[];
    readonly stop: readonly number[];
    readonly step: readonly number[];
  };
  pad: { readonly low: readonly number[]; readonly high: readonly number[]; readonly value: number };
  concat: { readonly axis: number };
  // Contraction, indexing.
  dot: DotAttributes;
  take: { readonly axis: number };
  scatterAdd: { readonly axis: number; readonly extent: number };
  // Windows that slide over images.
  conv2d: ConvolutionAttributes;
  /** The adjoint of `conv2d` in its images, whose extents `input` gives: the transposed convolution. */
  conv2dInput: ConvolutionAttributes & { readonly input: Pair };
  /** The adjoint of `conv2d` in its filters, whose extents `kernel` gives. */
  conv2dKernel: ConvolutionAttributes & { readonly kernel: Pair };
  maxPool2d: PoolAttributes;
  /** Where in its window the greatest element lies: row-major, the first of equals. */
  argmaxPool2d: PoolAttributes;
  /** Puts each element of the first operand where the second, an `argmaxPool2d`, says; zeros elsewhere. */
  unpool2d: PoolAttributes & { readonly input: Pair };
  /** The element of each window of the first operand that the second, an `argmaxPool2d`, names. */
  pickPool2d: PoolAttributes;
  sumPool2d: PoolAttributes;
  /** The adjoint of `sumPool2d`. */
  spreadPool2d: PoolAttributes & { readonly input: Pair };
}

/** Of operations that sum products of two operands. */
export interface ProductAttributes {
  /** Operands in float32 are rounded to this before they are multiplied; sums stay float32. Absent: they are not. */
  readonly precision?: "bfloat16";
}

/** A number for the rows and one for the columns of an image. */
export type Pair = readonly [number, number];

/** A window that moves over images in steps of `stride`; `padding` widens them: [[top, bottom], [left, right]]. */
export interface WindowAttributes {
  readonly stride: Pair;
  readonly padding: readonly [Pair, Pair];
}

export interface ConvolutionAttributes extends WindowAttributes, ProductAttributes {
  /** Distance between neighbouring taps of the window; 1: no gaps. */
  readonly dilation: Pair;
  /** Channels and filters fall into that many groups that see nothing of one another. */
  readonly groups: number;
}

export interface PoolAttributes extends WindowAttributes {
  readonly size: Pair;
}

/** Operations that compute each element from the elements at the same place: all inputs have one shape. */
export interface ElementwiseAttributes {
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  exp: None;
  log: None;
  log1p: None;
  sqrt: None;
  rsqrt: None;
  sin: None;
  cos: None;
  tanh: None;
  sigmoid: None;
  relu: None;
  stopGradient: None;
  cast: { readonly dtype: DType };
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  maximum: None;
  minimum: None;
  /** Quotient rounded toward minus infinity; on int32 the divisor must be positive. */
  floorDivide: None;
  /** Remainder with the sign of the divisor. */
  remainder: None;
  equal: None;
  notEqual: None;
  less: None;
  lessEqual: None;
  where: None;
  randomBits: None;
  randomUniform: None;
  randomNormal: { readonly reach: number };
  permute: { readonly count: number };
}

export type None = Readonly<Record<never, never>>;

/**
 * General contraction. Axis lists pair up: `batch[0][i]` of the left with `batch[1][i]` of the right, likewise
 * `contract`. Output axes: batch, then the left's remaining axes, then the right's.
 */
export interface DotAttributes extends ProductAttributes {
  readonly batch: readonly [readonly number[], readonly number[]];
  readonly contract: readonly [readonly number[], readonly number[]];
}

export type OperationName = keyof OperationAttributes;
export type ElementwiseName = keyof ElementwiseAttributes;

export interface Node<N extends OperationName> extends TensorType {
  readonly op: N;
  readonly inputs: readonly Tensor[];
  readonly attributes: OperationAttributes[N];
}

/** Any node; `op` tells which, and narrows `attributes`. */
export type Tensor = { [N in OperationName]: Node<N> }[OperationName];

/** A tensor and the axis that a batching transform added to it; no axis: it is the same for every lane. */
export interface Batched {
  readonly tensor: Tensor;
  readonly axis: number | undefined;
}

/**
 * All that the system must know of an operation; a device may add a faster kernel, never another meaning.
 * `G` is the gradient of the node's output, a tensor of the output's type.
 */
export interface Operation<N extends OperationName> {
  /** Shape and dtype of the output; throws a SlalomError of code "shape" where the inputs do not fit. */
  infer(inputs: readonly TensorType[], attributes: OperationAttributes[N]): TensorType;
  /** For each input the gradient as a graph, or undefined where none flows. */
  gradient(node: Node<N>, g: Tensor): readonly (Tensor | undefined)[];
  /** The node with its inputs replaced by batched ones, of which at least one has an axis. */
  batch(node: Node<N>, inputs: readonly Batched[]): Batched;
  /** Values of the output, by plain loops: the oracle for every backend. */
  evaluate(inputs: readonly HostTensor[], attributes: OperationAttributes[N], output: TensorType): TypedArray;
}
