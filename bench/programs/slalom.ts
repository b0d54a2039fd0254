/** Slalom as a contestant: compiles the workload, then runs as many chunks of steps as each line asks for. */
import { createInterface } from "node:readline";
import { followCpuBackend, openCommunicator } from "../slalom.js";
import type { ContestantSpec, Ready, Sample, StepWork, Workload } from "../specification.js";
import { gridRunner } from "./slalomGrid.js";
import { stepRunner } from "./slalomSteps.js";

/** What runs a workload. */
export interface Runner {
  /** What the backend says of itself. */
  readonly description: string;
  readonly work?: StepWork;
  /** Runs chunks: epochs, or runs of exercise 1; the loss is as in `Ready.check`. */
  run(chunks: number): Promise<{ steps: number; loss: number }>;
  close?(): Promise<void>;
}

export async function main([argument]: readonly string[]): Promise<void> {
  const spec: Workload & ContestantSpec = JSON.parse(argument);
  const world = spec.processes === undefined ? undefined : openCommunicator({ environment: process.env });
  if (world && world.rank > 0) {
    return followCpuBackend({ gemm: spec.gemm ?? "auto", ranks: spec.threads, communicator: world });
  }
  const runner = spec.workload === "grid" ? await gridRunner(spec) : await stepRunner(spec, world);
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
    const { steps } = await runner.run(Number(line.split(" ")[1]));
    const sample: Sample = { seconds: (performance.now() - start) / 1000, steps };
    process.stdout.write(`${JSON.stringify(sample)}\n`);
  }
  await runner.close?.();
}
