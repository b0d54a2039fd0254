/** Slalom as a contestant: compiles the workload, then runs as many chunks of steps as each line asks for. */
import { createInterface } from "node:readline";
import { type Communicator, followCpuBackend, openCommunicator } from "../slalom.js";
import type { ContestantSpec, Ready, Sample, Workload } from "../specification.js";
import { recipeRunner } from "./slalomRecipe.js";
import type { Runner } from "./slalomRunner.js";
import { stepRunner } from "./slalomSteps.js";
import { exercise3Runner, gridRunner } from "./slalomStudies.js";

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
