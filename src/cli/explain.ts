/** `slalom explain`: what a study compiles to and how long a step should take, without training. */
import { existsSync } from "node:fs";
import type { Gpu } from "../backends/cuda/gpus.js";
import { unknownName } from "../base/errors.js";
import { explainPlan, formatExplanation } from "../compile/explain.js";
import { type Plan, type Program, planProgram } from "../compile/index.js";
import { formatGraph } from "../graph/index.js";
import {
  availableMemory,
  configurationsOf,
  fittingTasks,
  memoryTable,
  type Study,
  type StudyMemory,
  type Task,
  tasksFor,
} from "../lab/index.js";
import type { MemoryOptions } from "../lab/memory.js";
import { isDeterministic, laneTraining } from "../lab/tasks.js";
import { makeBackend } from "../launch/backends.js";
import { measuredPeaks } from "../launch/rankChoice.js";
import { loadStudies, loadStudy } from "../launch/studySource.js";
import { coreCount } from "../launch/threads.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import { problems } from "../learn/problems/index.js";
import { laneProgram } from "../train/index.js";
import {
  type CudaExplainOptions,
  checkOptions,
  chosenGpu,
  cudaRemarks,
  cudaText,
  explained,
  memoryOn,
  planForCuda,
} from "./explainCuda.js";
import type { Output } from "./output.js";
import { usefulWorkers } from "./training.js";

export interface ExplainOptions extends CudaExplainOptions {
  /** Which optimizer of the study; its first by default, `sgd` for a problem. */
  readonly optimizer?: string;
  /** Print the graphs of the entries as well. */
  readonly graph: boolean;
}

/** @param what a study file, or the name of a built-in problem */
export async function explain(what: string, options: ExplainOptions, output: Output): Promise<void> {
  checkOptions(options);
  const gpu = options.backend === "cuda" ? chosenGpu(options.gpu, process.env) : undefined;
  const asked = await studyFor(what, options);
  // Of one rank, which tells the noise of gradients by micro-batches alone.
  const study = { ...asked, gradientNoise: asked.gradientNoise && asked.microBatch !== undefined };
  const dataset = await study.problem.dataset?.load();
  const { task, memory } = await largestTask(study, dataset, options.optimizer, {
    workers: gpu ? 1 : Math.min(coreCount(), usefulWorkers([study])),
    backend: gpu ? memoryOn(gpu, options) : await makeBackend({ backend: "cpu", gemm: "auto" }),
    available: availableMemory({ environment: process.env }),
  });
  const { program } = laneProgram(laneTraining(study, dataset, task), task.configurations.length);
  const started = performance.now();
  const plan = gpu ? planForCuda(program) : planProgram(program);
  const planTimeMs = performance.now() - started;
  const explanation = gpu ? forGpu(plan, gpu, options, output) : forCpu(plan);
  const graphs = options.graph ? graphsOf(program) : undefined;
  output.result({
    study: study.name,
    ...explanation.result,
    memory,
    planTimeMs,
    kernels: kernelCounts(plan),
    graphs,
  });
  const { label = study.optimizers[task.choice].optimizer.id } = task.configurations[0];
  const lanes = task.configurations.length;
  output.text(
    `${output.style.bold(`${study.problem.name}, ${label}`)}: ${lanes} lane${lanes === 1 ? "" : "s"}, planned in ${planTimeMs.toFixed(0)} ms`,
  );
  for (const [name, graph] of Object.entries(graphs ?? {})) output.text(`\ngraph of "${name}":\n${graph}`);
  output.text(`\n${explanation.text}\n`);
  output.text(`${memoryTable(memory)}\n`);
  output.text(output.style.dim([explanation.remark, ...remarks(plan, study, options)].join("\n")));
}

/** A plan explained: for programs, for people, and where the figures come from. */
interface Explained {
  readonly result: object;
  readonly text: string;
  readonly remark: string;
}

function forCpu(plan: Plan): Explained {
  const peaks = measuredPeaks();
  const explanation = explainPlan(plan, peaks);
  return {
    result: { ...explanation, peaks },
    text: formatExplanation(explanation),
    remark: `Predicted from what one thread of this machine was just measured at: products ${peaks.gemmGflops.toFixed(0)} GFLOP/s, loops ${peaks.loopGflops.toFixed(0)} GFLOP/s, memory ${peaks.bandwidthGBs.toFixed(1)} GB/s, each kernel bound by the slower of arithmetic and traffic; what stays in a cache is faster.`,
  };
}

function forGpu(plan: Plan, gpu: Gpu, options: ExplainOptions, output: Output): Explained {
  const explanation = explained(plan, gpu, options);
  const { source: _source, ...result } = explanation;
  return {
    result: { name: plan.name, ...result },
    text: cudaText(explanation, plan, output),
    remark: cudaRemarks(gpu, options),
  };
}

async function studyFor(what: string, { optimizer = "sgd" }: ExplainOptions): Promise<Study> {
  if (existsSync(what)) return (await loadStudies(what))[0];
  if (/[/\\]|\.[cm]?[jt]s$/.test(what)) return (await loadStudies(what))[0];
  if (!problems.some(({ name }) => name === what)) {
    throw unknownName(
      "study file or problem",
      what,
      problems.map(({ name }) => name),
    );
  }
  return loadStudy({ kind: "train", arguments: { problem: what, optimizer, settings: {}, seed: 0 } });
}

/** The task with the most lanes of that optimizer, as `run` would make it, and what training such tasks takes. */
async function largestTask(
  study: Study,
  dataset: Dataset | undefined,
  optimizer: string | undefined,
  options: MemoryOptions,
): Promise<{ task: Task; memory: StudyMemory }> {
  const ids = study.optimizers.map((one) => one.optimizer.id);
  const choice = optimizer === undefined ? 0 : ids.indexOf(optimizer);
  if (choice < 0) throw unknownName(`optimizer of "${study.name}"`, optimizer ?? "", ids);
  const { workers } = options;
  const seeds = isDeterministic(study, dataset) ? study.seeds.slice(0, 1) : study.seeds;
  const runs = configurationsOf(study, dataset, seeds, "cpu");
  const { tasks, memory } = fittingTasks(
    study,
    dataset,
    (maxLanes) => tasksFor(runs, { workers, maxLanes }).filter((task) => task.choice === choice),
    options,
  );
  return { task: tasks[0], memory: memory! };
}

const graphsOf = ({ entries }: Program): Record<string, string> =>
  Object.fromEntries(
    Object.entries(entries).map(([name, { updates, traces }]) => [
      name,
      formatGraph({
        ...updates,
        ...Object.fromEntries(Object.entries(traces).map(([trace, value]) => [`trace ${trace}`, value])),
      }),
    ]),
  );

const kernelCounts = ({ entries }: Plan): Record<string, number> =>
  Object.fromEntries(Object.entries(entries).map(([name, { kernels }]) => [name, kernels.length]));

function remarks({ entries }: Plan, study: Study, options: ExplainOptions): string[] {
  const others = study.optimizers.slice(1).map((choice) => choice.optimizer.id);
  return [
    ...(options.optimizer === undefined && others.length > 0
      ? [`Other programs of this study: ${others.map((id) => `--optimizer ${id}`).join(", ")}.`]
      : []),
    ...(options.graph ? [] : [`The graph of each entry (${Object.keys(entries).join(", ")}): --graph.`]),
  ];
}
