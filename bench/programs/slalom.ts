/** Slalom as a contestant: compiles the workload, then runs as many chunks of steps as each line asks for. */
import { createInterface } from "node:readline";
import {
  type Backend,
  type Communicator,
  cpuBackend,
  cudaBackend,
  followCpuBackend,
  type LibraryFiles,
  openCommunicator,
} from "../slalom.js";
import type { ContestantSpec, Ready, Sample, StepWork, Workload } from "../specification.js";
import { recipeRunner } from "./slalomRecipe.js";
import { stepRunner } from "./slalomSteps.js";
import { exercise3Runner, gridRunner } from "./slalomStudies.js";

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
  /** How a GPU's libraries are opened. */
  readonly files?: LibraryFiles;
}

/** Where a contestant computes; a training of several threads or processes is shared by as many ranks. */
export function backendOf(spec: ContestantSpec, { communicator, files }: Surroundings = {}): Backend {
  return spec.device === "cuda"
    ? cudaBackend({
        environment: process.env,
        precision: spec.precision === "tf32" ? "tf32" : "float32",
        ...(files && { files }),
      })
    : cpuBackend({
        gemm: spec.gemm ?? "auto",
        ranks: spec.threads,
        ...(communicator && { communicator }),
        ...(spec.divideUpdates !== undefined && { divideUpdates: spec.divideUpdates }),
      });
}

export async function main([argument]: readonly string[]): Promise<void> {
  const spec: Workload & ContestantSpec = JSON.parse(argument);
  const world = spec.processes === undefined ? undefined : openCommunicator({ environment: process.env });
  if (world && world.rank > 0) {
    return followCpuBackend({ gemm: spec.gemm ?? "auto", ranks: spec.threads, communicator: world });
  }
  const runner = await runnerOf(spec, world);
  const { loss: check } = await runner.run(1);
  const ready: Ready & { ready: true } = {
    ready: true,
    version: "Slalom",
    form: spec.form,
    threads: spec.threads,
    check,
    work: runner.work,
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    const start = performance.now();
    const { steps, accuracies, seconds } = await runner.run(Number(line.split(" ")[1]));
    const sample: Sample = {
      seconds: seconds ?? (performance.now() - start) / 1000,
      steps,
      ...(accuracies && { accuracies }),
    };
    process.stdout.write(`${JSON.stringify(sample)}\n`);
  }
  await runner.close?.();
}

async function runnerOf(spec: Workload & ContestantSpec, world?: Communicator): Promise<Runner> {
  switch (spec.workload) {
    case "grid":
      return gridRunner(spec);
    case "exercise3":
      return exercise3Runner(spec);
    case "recipe":
      return recipeRunner(spec);
    default:
      return stepRunner(spec, world && { communicator: world });
  }
}
