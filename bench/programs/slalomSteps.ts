/**
 * Steps of one lane, on one core or shared by several: exercise 1, softmax regression, the perceptron, the CNN; or
 * evaluations of their test split.
 */
import {
  adam,
  convNet,
  type Dataset,
  type Executable,
  evaluateEntry,
  type LaneProgram,
  type LaneTraining,
  laneProgram,
  linearRegression,
  mnist,
  type OptimizerChoice,
  perceptron,
  planProgram,
  sgd,
  softmaxRegression,
  stepEntry,
  stepsPerEpoch,
  variableNames,
  writeInitialValues,
} from "../slalom.js";
import type { ContestantSpec, Workload } from "../specification.js";
import { sumOfWork, workOf } from "../work.js";
import { backendOf, type Runner, type Surroundings } from "./slalomRunner.js";

/** Steps of exercise 1: a chunk is a run from its start. */
const exercise1Steps = 1000;
const unlimitedSteps = 1_000_000_000;

export async function stepRunner(
  spec: Workload & ContestantSpec,
  surroundings?: Surroundings,
): Promise<Runner> {
  const training = await trainingOf(spec);
  const backend = backendOf(spec, surroundings);
  const program = laneProgram(training, training.lanes.length, backend.ranks);
  const executable = backend.compile(program.program);
  writeInitialValues(executable, training, program);
  const { dataset, batchSize } = training;
  if (dataset && spec.evaluates) {
    return {
      description: backend.description,
      ...evaluationsOf(spec.evaluates, { executable, training, program, dataset }),
      close: async () => backend.close?.(),
    };
  }
  const batchBytes = dataset && batchSize !== "full" ? batchSize * bytesOfExample(dataset) : 0;
  return {
    description: backend.description,
    // The floor is that of float32 on the processor.
    ...(spec.precision === undefined &&
      spec.device === undefined && {
        work: workOf(planProgram(laneProgram(training, 1).program), stepEntry, batchBytes),
      }),
    run: async (chunks) =>
      dataset
        ? runEpochs(executable, program, {
            epochs: chunks,
            perEpoch: spec.chunkSteps ?? stepsPerEpoch(dataset.train.count, batchSize),
            lanes: training.lanes.length,
          })
        : runFromStart(executable, training, program, chunks),
    close: async () => backend.close?.(),
  };
}

const models = {
  softmax: () => softmaxRegression(),
  perceptron: () => perceptron({ hidden: [512] }),
  cnn: () => convNet(),
};

async function trainingOf(spec: Workload & ContestantSpec): Promise<LaneTraining> {
  const problem =
    spec.workload === "quadratic"
      ? linearRegression()
      : mnist({ model: models[spec.workload as keyof typeof models]() });
  const dataset = await problem.dataset?.load();
  const choice: OptimizerChoice = spec.optimizer === "adam" ? adam(spec.settings) : sgd(spec.settings);
  const lane = Object.fromEntries(Object.entries(choice.settings).map(([name, [value]]) => [name, value]));
  return {
    problem,
    ...(dataset && { dataset }),
    choice,
    lanes: laneRates(lane.lr, spec.lanes ?? 1).map((lr) => ({ ...lane, lr })),
    seed: 0,
    batchSize: spec.batch ?? "full",
    steps: dataset ? unlimitedSteps : exercise1Steps,
    shuffle: true,
    dtype: "float32",
    ...(spec.precision === "bfloat16" && { precision: spec.precision }),
    evaluate: spec.evaluates ? [spec.evaluates] : [],
    evaluateEvery: 1,
    recordEvery: 0,
    recordParameters: false,
  };
}

/** From a rate to twice it, as the peers spread them. */
const laneRates = (lr: number, lanes: number): number[] =>
  Array.from({ length: lanes }, (_, lane) => lr * (1 + lane / lanes));

/** A step is the evaluation of a whole split, whose mean loss it gives. */
function evaluationsOf(
  split: "test",
  given: { executable: Executable; training: LaneTraining; program: LaneProgram; dataset: Dataset },
): Pick<Runner, "work" | "run"> {
  const { executable, training, program, dataset } = given;
  const { count } = dataset[split]!;
  const entry = evaluateEntry(split);
  const onOne = laneProgram(training, 1);
  const size = onOne.evaluationBatch[split]!;
  const work = workOf(planProgram(onOne.program), entry, size * bytesOfExample(dataset));
  const total = variableNames.total("loss");
  return {
    work: sumOfWork([{ work, times: count / size }]),
    async run(chunks) {
      let loss = 0;
      for (let n = 0; n < chunks; n++) {
        for (const metric of ["loss", ...program.built.metrics])
          executable.write(variableNames.total(metric), [0]);
        executable.write(variableNames.position, [0]);
        executable.run(entry, Math.ceil(count / program.evaluationBatch[split]!));
        loss = executable.read(total)[0] / count;
      }
      return { steps: chunks, loss };
    },
  };
}

/** A step of each lane counts; the loss is the mean over the last epoch and all lanes. */
function runEpochs(
  executable: Executable,
  { program }: LaneProgram,
  { epochs, perEpoch, lanes }: { epochs: number; perEpoch: number; lanes: number },
): { steps: number; loss: number } {
  let loss = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    loss = 0;
    for (let done = 0; done < perEpoch; ) {
      const steps = Math.min(perEpoch - done, program.traceCapacity);
      executable.run(stepEntry, steps);
      for (const value of executable.trace(stepEntry, "loss")) loss += value / (perEpoch * lanes);
      done += steps;
    }
  }
  return { steps: epochs * perEpoch * lanes, loss };
}

/** Runs of exercise 1, each from the start; the loss is that of step 100. */
function runFromStart(
  executable: Executable,
  { problem }: LaneTraining,
  { built }: LaneProgram,
  runs: number,
): { steps: number; loss: number } {
  const starts = { W: 0.3, b: -0.3 };
  let loss = Number.NaN;
  for (let run = 0; run < runs; run++) {
    for (const name of Object.keys(built.parameters))
      executable.write(variableNames.parameter(name), [starts[name as keyof typeof starts]]);
    executable.run(stepEntry, exercise1Steps);
    loss = executable.trace(stepEntry, "loss")[100];
  }
  if (!Number.isFinite(loss)) throw new Error(`${problem.name}: the loss is ${loss}`);
  return { steps: runs * exercise1Steps, loss };
}

const bytesOfExample = ({ train: { inputs, targets, count } }: Dataset): number =>
  (inputs.data.byteLength + targets.data.byteLength) / count;
