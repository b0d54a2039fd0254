/**
 * A recipe from its first step to the accuracy of the trained network: one seed after another. The program is compiled,
 * data and initial values are on the device before the clock runs, as records of such trainings have it.
 */
import { recipes } from "../cuda/recipes.js";
import {
  evaluateEntry,
  type LaneTraining,
  laneProgram,
  stepEntry,
  stepsPerEpoch,
  variableNames,
  writeInitialValues,
} from "../slalom.js";
import type { ContestantSpec, Workload } from "../specification.js";
import { backendOf, type Runner } from "./slalomRunner.js";

/** Chunks are trainings. */
export async function recipeRunner(spec: Workload & ContestantSpec): Promise<Runner> {
  const recipe = recipes.find(({ name }) => name === spec.recipe);
  if (!recipe) throw new Error(`there is no recipe ${spec.recipe}`);
  const { problem, choice, batchSize, epochs } = recipe;
  const dataset = (await problem.dataset!.load())!;
  const training: LaneTraining = {
    problem,
    dataset,
    choice,
    lanes: [Object.fromEntries(Object.entries(choice.settings).map(([name, [value]]) => [name, value]))],
    seed: 0,
    batchSize,
    steps: spec.chunkSteps ?? Math.round(epochs * stepsPerEpoch(dataset.train.count, batchSize)),
    shuffle: true,
    dtype: "float32",
    ...(spec.precision === "bfloat16" && { precision: spec.precision }),
    evaluate: ["test"],
    evaluateEvery: 1,
    recordEvery: 0,
    recordParameters: false,
  };
  const backend = backendOf(spec);
  const program = laneProgram(training, 1, backend.ranks);
  const executable = backend.compile(program.program);
  const { traceCapacity } = program.program;
  const { count } = dataset.test!;
  const total = variableNames.total("accuracy");
  const lookings = Math.ceil(count / program.evaluationBatch.test!);
  const runAll = (entry: string, steps: number): void => {
    for (let left = steps; left > 0; left -= traceCapacity)
      executable.run(entry, Math.min(left, traceCapacity));
  };
  const evaluated = (): number => {
    for (const metric of ["loss", "accuracy"]) executable.write(variableNames.total(metric), [0]);
    executable.write(variableNames.position, [0]);
    runAll(evaluateEntry("test"), lookings);
    return executable.read(total)[0] / count;
  };
  let seed = 0;
  const trainOnce = (): { seconds: number; loss: number; accuracy: number } => {
    writeInitialValues(executable, { ...training, seed: seed++ }, program);
    const start = performance.now();
    runAll(stepEntry, training.steps);
    const accuracy = evaluated();
    const seconds = (performance.now() - start) / 1000;
    return { seconds, loss: executable.trace(stepEntry, "loss").at(-1)!, accuracy };
  };
  return {
    description: backend.description,
    async run(chunks) {
      const ran = Array.from({ length: chunks }, trainOnce);
      return {
        steps: chunks * training.steps,
        seconds: ran.reduce((sum, { seconds }) => sum + seconds, 0),
        loss: ran.at(-1)!.loss,
        accuracies: ran.map(({ accuracy }) => accuracy),
      };
    },
    close: async () => backend.close?.(),
  };
}
