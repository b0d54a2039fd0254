/**
 * Who computes the products and convolutions of a step of exercise 3's network on a GPU, what each candidate took, and what
 * the step takes by the fastest of them, by libraries and by our own kernels alone:
 *
 *     node bench/run.js cudaRoutes float32 50 [lanes]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../measure.js";
import { stepRunner } from "../programs/slalomSteps.js";
import { choicesIn, routesFolder } from "../slalom.js";
import type { ContestantSpec, Workload } from "../specification.js";
import type { RoutesRecord } from "./results.js";

/** Samples of a step's time, each of so many steps. */
const samples = 5;
const stepsOfOne = 160;
const stepsOfMany = 20;

export async function main([precision, batch, lanes = "1"]: readonly string[]): Promise<void> {
  const spec: Workload & ContestantSpec = {
    ...{ workload: "cnn", optimizer: "adam", batch: Number(batch), settings: { lr: 1e-4 } },
    ...{ library: "slalom", form: "routes", threads: 1, device: "cuda" },
    ...(lanes === "1" ? { chunkSteps: stepsOfOne } : { chunkSteps: stepsOfMany, lanes: Number(lanes) }),
    ...((precision === "tf32" || precision === "bfloat16") && { precision }),
  };
  // Of its own, so that all is timed anew.
  const compileCache = mkdtempSync(join(tmpdir(), "slalom-routes-"));
  try {
    const stepUs = async (routes: keyof RoutesRecord["stepUs"]): Promise<number> => {
      const runner = await stepRunner(spec, { cuda: { routes, compileCache } });
      const us: number[] = [];
      for (let i = 0; i <= samples; i++) {
        const start = performance.now();
        const { steps } = await runner.run(1);
        us.push(((performance.now() - start) * 1000) / steps);
      }
      await runner.close?.();
      // The first makes graphs.
      return median(us.slice(1));
    };
    const record: Omit<RoutesRecord, "kind" | "title"> = {
      stepUs: {
        fastest: await stepUs("fastest"),
        libraries: await stepUs("libraries"),
        own: await stepUs("own"),
      },
      choices: choicesIn(routesFolder(compileCache))
        .map(({ on: _on, ...choice }) => choice)
        .sort((a, b) => (a.computes < b.computes ? -1 : 1)),
    };
    process.stdout.write(`${JSON.stringify(record)}\n`);
  } finally {
    rmSync(compileCache, { recursive: true, force: true });
  }
}
