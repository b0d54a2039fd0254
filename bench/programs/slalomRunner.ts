/** What Slalom's workloads have in common: what runs one, and where. */
import {
  type Backend,
  type Communicator,
  type CudaBackendOptions,
  cpuBackend,
  cudaBackend,
} from "../slalom.js";
import type { ContestantSpec, Sample, StepWork } from "../specification.js";

/** What runs a workload. */
export interface Runner {
  /** What the backend says of itself. */
  readonly description: string;
  readonly work?: StepWork;
  /** Runs chunks: epochs, or runs of exercise 1. */
  run(chunks: number): Promise<Ran>;
  close?(): Promise<void>;
}

export interface Ran extends Pick<Sample, "steps" | "accuracies"> {
  /** As in `Ready.check`. */
  readonly loss: number;
  /** Where only a part of the call counts. */
  readonly seconds?: number;
}

export interface Surroundings {
  /** Of the processes that share the run; where there are several this is the first. */
  readonly communicator?: Communicator;
  /** How a GPU computes. */
  readonly cuda?: Pick<CudaBackendOptions, "files" | "routes" | "compileCache">;
}

/** Where a contestant computes; a training of several threads or processes is shared by as many ranks. */
export function backendOf(spec: ContestantSpec, { communicator, cuda }: Surroundings = {}): Backend {
  return spec.device === "cuda"
    ? cudaBackend({
        environment: process.env,
        precision: spec.precision === "tf32" ? "tf32" : "float32",
        ...cuda,
      })
    : cpuBackend({
        gemm: spec.gemm ?? "auto",
        ranks: spec.threads,
        ...(communicator && { communicator }),
        ...(spec.divideUpdates !== undefined && { divideUpdates: spec.divideUpdates }),
      });
}
