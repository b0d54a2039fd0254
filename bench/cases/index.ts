/** Every case, in the order of the report. */
import type { BenchCase } from "../case.js";
import { allReduceMpi, allReduceThreads } from "./allReduce.js";
import { cnn, cnnBfloat16, cnnEvaluation, cnnProcesses, cnnRanks, cnnRanksSmall, cnnWasm } from "./cnn.js";
import { exercise2 } from "./grid.js";
import { perceptron512 } from "./perceptron.js";
import { quadratic } from "./quadratic.js";
import { softmaxAdam, softmaxSgd } from "./softmax.js";
import { startup } from "./startup.js";
import { wasmPerceptron, wasmSoftmaxAdam, wasmSoftmaxSgd } from "./withoutLibraries.js";

export const cases: readonly BenchCase[] = [
  quadratic,
  softmaxSgd,
  softmaxAdam,
  exercise2,
  perceptron512,
  cnn,
  cnnBfloat16,
  cnnRanks,
  cnnRanksSmall,
  cnnProcesses,
  allReduceThreads,
  allReduceMpi,
  cnnEvaluation,
  wasmSoftmaxSgd,
  wasmSoftmaxAdam,
  wasmPerceptron,
  cnnWasm,
  startup,
];
