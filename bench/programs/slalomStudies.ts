/** Exercises 2 and 3 as `slalom run` trains them: study, tasks of lanes, worker threads, run store. */
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
import type { Runner } from "./slalomRunner.js";

/** The study of exercise 2; its first is the shuffled grid. */
export const exercise2File = fileURLToPath(new URL("../../exercises/ex2-mnist/study.ts", import.meta.url));

/** The study of exercise 3. */
const exercise3File = fileURLToPath(new URL("../../exercises/ex3-cnn/study.ts", import.meta.url));

export async function gridRunner(spec: Workload & ContestantSpec): Promise<Runner> {
  const runner = await studyRunner(spec, { file: exercise2File, seeds: spec.seeds! });
  if (spec.device) return runner;
  const [study] = await loadStudies(exercise2File, { epochs: 1, seeds: spec.seeds! });
  return { ...runner, work: await gridWork(study, spec.threads) };
}

/** One seed, with all that `slalom run` does but starting a process. */
export const exercise3Runner = (spec: Workload & ContestantSpec): Promise<Runner> =>
  studyRunner(spec, { file: exercise3File, seeds: 1 });

/** Trains the first study of a file anew for each call, over as many epochs as that has chunks. */
async function studyRunner(
  { gemm = "auto", device, precision, threads }: ContestantSpec,
  { file, seeds }: { readonly file: string; readonly seeds: number },
): Promise<Runner> {
  const workers = await openWorkers({
    backend: { backend: device ?? "cpu", gemm, ...(precision === "tf32" && { tf32: true }) },
    count: threads,
  });
  return {
    description: workers.backend.description,
    async run(epochs) {
      const root = mkdtempSync(join(tmpdir(), "slalom-bench-"));
      try {
        const overrides = { epochs, seeds, ...(precision === "bfloat16" && { precision }) };
        const studies = await loadStudies(file, overrides);
        const executor = workers.executorFor(sourcesOf(file, studies, overrides)[0]);
        const { folder } = await runStudy(studies[0], { store: openStore(root), executor });
        const { runs } = loadStudy(folder);
        const steps = runs.reduce((sum, { summary }) => sum + summary!.stepsDone, 0);
        const last = runs.at(-1)!;
        const accuracy = last.summary!.final?.testAccuracy;
        return {
          steps,
          loss: last.rows().curve("trainLoss").value.at(-1)!,
          ...(accuracy !== undefined && { accuracies: [accuracy] }),
        };
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
