/** The one door to what is measured: the built package, with the inner parts that a user does not need. */

export { type ConvolutionSpec, selectConvolution } from "../dist/backends/cpu/convolution/index.js";
export { CpuExecutable } from "../dist/backends/cpu/executable.js";
export { allGemm, selectGemm } from "../dist/backends/cpu/gemm/index.js";
export type { GemmChoice } from "../dist/backends/cpu/gemm/select.js";
export type { GemmSpec } from "../dist/backends/cpu/gemm/types.js";
export { cpuBackend, followCpuBackend } from "../dist/backends/cpu/index.js";
export { convolutionSpec } from "../dist/backends/cpu/libraryCalls.js";
export { MemoryPool } from "../dist/backends/cpu/memoryPool.js";
export { Followers } from "../dist/backends/cpu/ranks/followers.js";
export { createSharedMemory, detectFeatures } from "../dist/backends/cpu/wasm/index.js";
export { type CudaEntryExplanation, explainCuda } from "../dist/backends/cuda/explain.js";
export { gpus } from "../dist/backends/cuda/gpus.js";
export { type CudaBackendOptions, cudaBackend } from "../dist/backends/cuda/index.js";
export type { KernelResources } from "../dist/backends/cuda/kernelResources.js";
export {
  findLibrary,
  type LibraryFiles,
  libraryPlaces,
  systemFiles,
} from "../dist/backends/cuda/libraries.js";
export { openCompiler } from "../dist/backends/cuda/nvrtc.js";
export { choicesIn, type RouteChoice, routesFolder } from "../dist/backends/cuda/routeChoices.js";
export { type Communicator, openCommunicator } from "../dist/collectives/index.js";
export { findMpi } from "../dist/collectives/mpi/library.js";
export { mpirunOf } from "../dist/collectives/mpi/probe.js";
export type { Backend, Executable } from "../dist/compile/backend.js";
export { explainPlan, formatBytes, type KernelExplanation } from "../dist/compile/explain.js";
export { type Kernel, type Plan, type PlanEntry, planProgram } from "../dist/compile/index.js";
export { kernelEffects } from "../dist/compile/kernelEffects.js";
export * from "../dist/index.js";
export { inThread } from "../dist/lab/index.js";
export { configurationsOf, laneTraining, type Task, tasksFor } from "../dist/lab/tasks.js";
export { loadStudies, sourcesOf } from "../dist/launch/studySource.js";
export { openWorkers } from "../dist/launch/threads.js";
export type { Dataset } from "../dist/learn/datasets/dataset.js";
export type { OptimizerChoice } from "../dist/learn/optimizers/optimizer.js";
export { type NativeFunction, type NativeLibrary, openLibrary } from "../dist/native/library.js";
export { NativeMemory } from "../dist/native/memory.js";
export { loadStudy } from "../dist/runs/index.js";
export {
  evaluateEntry,
  type LaneProgram,
  type LaneTraining,
  laneProgram,
  stepEntry,
  stepsPerEpoch,
  variableNames,
} from "../dist/train/index.js";
export { writeInitialValues } from "../dist/train/initialValues.js";
