/** What a contestant is told: the same words for Slalom and its peers, sent as JSON on the command line. */
import type { ConvolutionSpec } from "./slalom.js";

export interface Workload {
  /** "exercise3" is that training from start to end; "recipe", one of Slalom's own with an accuracy to reach. */
  readonly workload: "quadratic" | "softmax" | "perceptron" | "cnn" | "grid" | "exercise3" | "recipe";
  readonly optimizer?: "sgd" | "adam";
  readonly batch?: number;
  /** A step is an evaluation of the whole test split, in place of an update. */
  readonly evaluates?: "test";
  readonly settings?: Readonly<Record<string, number>>;
  /** Of "recipe": its name. */
  readonly recipe?: string;
  /** Of the grid. */
  readonly seeds?: number;
  readonly grid?: readonly GridGroup[];
}

/** The settings of one optimizer. */
export interface GridGroup {
  readonly optimizer: string;
  readonly lanes: readonly Readonly<Record<string, number>>[];
}

export interface ContestantSpec {
  readonly library: Library;
  /** "eager", "compiled", "vmap", "scan", ...: see the peer's file. */
  readonly form: string;
  /** Threads of one process. */
  readonly threads: number;
  /** Of Slalom: processes that share one run, each with so many threads, started by mpirun; absent: one, without it. */
  readonly processes?: number;
  /** Of Slalom: whether these divide the updates of large parameters; absent: they do. */
  readonly divideUpdates?: boolean;
  /** Processes that each do the whole workload at the same time; their steps are added. 1 by default. */
  readonly copies?: number;
  /** Chunks of every sample, in place of a length of time. */
  readonly chunks?: number;
  /** Of Slalom: who computes matrix products. */
  readonly gemm?: "auto" | "wasm";
  /** What products multiply; default float32. */
  readonly precision?: "tf32" | "bfloat16";
  /** Where it computes; default: the processor. */
  readonly device?: "cuda";
  /** Runs side by side that differ in the learning rate; default 1. */
  readonly lanes?: number;
  /** Examples of a batch, in place of the workload's. */
  readonly batch?: number;
  /** Steps of a chunk, for workloads and peers that are too slow for a whole epoch. */
  readonly chunkSteps?: number;
}

export type Library = "slalom" | "torch" | "jax" | "tfjs" | "jaxjs";

/** First line of a contestant. */
export interface Ready {
  readonly version: string;
  readonly form: string;
  readonly threads: number;
  /** The loss after the same work for all: tells whether they compute the same. */
  readonly check: number;
  /** Of Slalom: what one step needs. */
  readonly work?: StepWork;
}

export interface StepWork {
  /** Matrix products of a step, with how often each occurs in one (a fraction where it is shared). */
  readonly products: readonly Product[];
  /** Bytes of batch, parameters and slots that a step reads or writes at least. */
  readonly bytes: number;
}

export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA: boolean;
  readonly transB: boolean;
  readonly count: number;
  /** The convolution whose arithmetic this is. */
  readonly convolution?: ConvolutionSpec;
}

export interface Sample {
  readonly seconds: number;
  readonly steps: number;
  /** On the test images, where the sample is a whole training; of several, of each. */
  readonly accuracies?: readonly number[];
}

/** What the matrix library and the memory reach here, on `ranks` cores at once. */
export interface Roofs {
  readonly ranks: number;
  /** Best rate over all products, convolutions and libraries, sum over ranks. */
  readonly gflops: number;
  /** For each asked product its best rate over libraries, as a product or as the convolution that it is. */
  readonly productGflops: readonly number[];
  /** Copying in main memory, read and written bytes. */
  readonly gigabytesPerS: number;
}
