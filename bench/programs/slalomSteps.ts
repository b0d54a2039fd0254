/**
 * Steps of one lane, on one core or shared by several: exercise 1, softmax regression, the perceptron, the CNN; or
 * evaluations of their test split.
 */
import {
  adam,
  type Communicator,
  convNet,
  cpuBackend,
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
import type { Runner } from "./slalom.js";

/** Steps of exercise 1: a chunk is a run from its start. */
const exercise1Steps = 1000;
const unlimitedSteps = 1_000_000_000;

/** @param communicator of the processes that share the run; where there are several this is the first */
export async function stepRunner(
  spec: Workload & ContestantSpec,
  communicator?: Communicator,
): Promise<Runner> {
  const training = await trainingOf(spec);
  // A contestant of several threads or processes is one training shared by as many ranks.
  const backend = cpuBackend({
    gemm: spec.gemm ?? "auto",
    ranks: spec.threads,
    ...(communicator && { communicator }),
  });
  const program = laneProgram(training, 1, backend.ranks);
  const executable = backend.compile(program.program);
  writeInitialValues(executable, training, program);
  const { dataset, batchSize } = training;
  if (dataset && spec.evaluates) {
    return {
      description: backend.description,
      ...evaluationsOf(spec.evaluates, { executable, training, program, dataset }),
      close: () => backend.close(),
    };
  }
  const batchBytes = dataset && batchSize !== "full" ? batchSize * bytesOfExample(dataset) : 0;
  return {
    description: backend.description,
    // The floor is that of float32.
    ...(spec.precision === undefined && {
      work: workOf(planProgram(laneProgram(training, 1).program), stepEntry, batchBytes),
    }),
    run: async (chunks) =>
      dataset
        ? runEpochs(
            executable,
            program,
            chunks,
            spec.chunkSteps ?? stepsPerEpoch(dataset.train.count, batchSize),
          )
        : runFromStart(executable, training, program, chunks),
    close: () => backend.close(),
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
  return {
    problem,
    ...(dataset && { dataset }),
    choice,
    lanes: [Object.fromEntries(Object.entries(choice.settings).map(([name, [value]]) => [name, value]))],
    seed: 0,
    batchSize: spec.batch ?? "full",
    steps: dataset ? unlimitedSteps : exercise1Steps,
    shuffle: true,
    dtype: "float32",
    ...(spec.precision && { precision: spec.precision }),
    evaluate: spec.evaluates ? [spec.evaluates] : [],
    evaluateEvery: 1,
    recordEvery: 0,
    recordParameters: false,
  };
}

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

function runEpochs(
  executable: Executable,
  { program }: LaneProgram,
  epochs: number,
  perEpoch: number,
): { steps: number; loss: number } {
  let loss = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    loss = 0;
    for (let done = 0; done < perEpoch; ) {
      const steps = Math.min(perEpoch - done, program.traceCapacity);
      executable.run(stepEntry, steps);
      for (const value of executable.trace(stepEntry, "loss")) loss += value / perEpoch;
      done += steps;
    }
  }
  return { steps: epochs * perEpoch, loss };
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
