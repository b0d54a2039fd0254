/**
 * Where a step of exercise 3's network goes on a GPU, launch by launch, beside the step as a graph:
 *
 *     node bench/run.js cudaProfile tf32 50
 */
import { median } from "../measure.js";
import type { Runner } from "../programs/slalomRunner.js";
import { stepRunner } from "../programs/slalomSteps.js";
import type { ContestantSpec, Workload } from "../specification.js";
import type { KernelTime, ProfileRecord } from "./results.js";
import { type TimedLaunch, TimedLibraries } from "./timedLibraries.js";

/** Of a graph of several steps, which one capture puts into the stream one after another. */
const steps = 16;

export async function main([precision, batch]: readonly string[]): Promise<void> {
  const spec: Workload & ContestantSpec = {
    ...{ workload: "cnn", optimizer: "adam", batch: Number(batch), settings: { lr: 1e-4 } },
    ...{ library: "slalom", form: "profile", threads: 1, device: "cuda" },
    ...((precision === "tf32" || precision === "bfloat16") && { precision }),
  };
  const whole = await stepRunner({ ...spec, chunkSteps: 320 });
  await whole.run(1);
  const stepUs = median(await secondsOf(whole, 7)) * 1e6;
  await whole.close?.();

  const timed = new TimedLibraries();
  const apart = await stepRunner({ ...spec, chunkSteps: steps }, { cuda: { files: timed.files } });
  await apart.run(1);
  const record: Omit<ProfileRecord, "kind" | "title"> = {
    stepUs,
    kernels: byKernel(timed.measured(), steps),
  };
  await apart.close?.();
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

async function secondsOf(runner: Runner, samples: number): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < samples; i++) {
    const start = performance.now();
    const { steps: done } = await runner.run(1);
    seconds.push((performance.now() - start) / 1000 / done);
  }
  return seconds;
}

/** Launches of `count` equal steps in a row: each launch of a step by its median. */
export function byKernel(launches: readonly TimedLaunch[], count: number): KernelTime[] {
  const places = launches.length / count;
  if (!Number.isInteger(places))
    throw new Error(`${launches.length} launches are not those of ${count} steps`);
  return Array.from({ length: places }, (_, place) => {
    const ofPlace = Array.from({ length: count }, (_, step) => launches[step * places + place]);
    return { kernel: ofPlace[0].name, us: median(ofPlace.map(({ us }) => us)) };
  });
}
