/** The grid of exercise 2 as `slalom run` trains it: study, tasks of lanes, worker threads, run store. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  configurationsOf,
  evaluateEntry,
  laneProgram,
  laneTraining,
  loadStudies,
  loadStudy,
  openStore,
  openWorkers,
  planProgram,
  runStudy,
  type Study,
  sourcesOf,
  stepEntry,
  stepsPerEpoch,
  type Task,
  tasksFor,
} from "../slalom.js";
import type { ContestantSpec, StepWork, Workload } from "../specification.js";
import { perStep, sumOfWork, workOf } from "../work.js";
import type { Runner } from "./slalom.js";

/** The study of exercise 2; its first is the shuffled grid. */
export const exercise2File = fileURLToPath(new URL("../../exercises/ex2-mnist/study.ts", import.meta.url));

export async function gridRunner(spec: Workload & ContestantSpec): Promise<Runner> {
  const gemm = spec.gemm ?? "auto";
  const workers = await openWorkers({ backend: { backend: "cpu", gemm }, count: spec.threads });
  const [study] = await loadStudies(exercise2File, { epochs: 1, seeds: spec.seeds! });
  return {
    description: workers.backend.description,
    work: await gridWork(study, spec.threads),
    async run(epochs) {
      const root = mkdtempSync(join(tmpdir(), "slalom-bench-"));
      try {
        const overrides = { epochs, seeds: spec.seeds! };
        const studies = await loadStudies(exercise2File, overrides);
        const executor = workers.executorFor(sourcesOf(exercise2File, studies, overrides)[0]);
        const { folder } = await runStudy(studies[0], { store: openStore(root), executor });
        const { runs } = loadStudy(folder);
        const steps = runs.reduce((sum, { summary }) => sum + summary!.stepsDone, 0);
        return { steps, loss: runs.at(-1)!.rows().curve("trainLoss").value.at(-1)! };
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    },
    close: () => workers.close(),
  };
}

/** What one counted step (an update of one lane) needs at least, evaluations of every epoch included. */
async function gridWork(study: Study, workers: number): Promise<StepWork> {
  const dataset = (await study.problem.dataset!.load())!;
  const { count, inputs } = dataset.train;
  const perEpoch = stepsPerEpoch(count, study.batchSize);
  const batchBytes = (inputs.data.byteLength / count) * (study.batchSize as number);
  const configurations = configurationsOf(study, dataset, study.seeds, "cpu");
  const tasks = tasksFor(configurations, { workers, maxLanes: 64 });
  const parts = tasks.flatMap((task: Task) => {
    const program = laneProgram(laneTraining(study, dataset, task), task.configurations.length);
    const plan = planProgram(program.program);
    const evaluations = (["validation", "test"] as const).map((split) => {
      const size = program.evaluationBatch[split]!;
      return {
        work: workOf(plan, evaluateEntry(split), size * (inputs.data.byteLength / count)),
        times: dataset[split]!.count / size,
      };
    });
    return [{ work: workOf(plan, stepEntry, batchBytes), times: perEpoch }, ...evaluations];
  });
  return merged(perStep(sumOfWork(parts), configurations.length * perEpoch));
}

/** Equal products as one, so that each is measured once. */
function merged({ products, bytes }: StepWork): StepWork {
  const shapes = new Map<string, StepWork["products"][number]>();
  for (const product of products) {
    const { m, n, k, transA, transB } = product;
    const key = [m, n, k, transA, transB].join();
    shapes.set(key, { ...product, count: (shapes.get(key)?.count ?? 0) + product.count });
  }
  return { products: [...shapes.values()], bytes };
}
