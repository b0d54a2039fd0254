/** Compiles the programs of exercise 2 in this fresh process, once, and prints what each part took. */
import {
  configurationsOf,
  cpuBackend,
  laneProgram,
  laneTraining,
  loadStudies,
  planProgram,
  tasksFor,
} from "../slalom.js";
import { exercise2File } from "./slalomStudies.js";

export interface CompileTimes {
  /** Opening the backend: loading and trying the matrix library. */
  readonly openMs: number;
  /** The first program: tracing the graph; passes and plan; then the whole of `compile`, planning once more. */
  readonly traceMs: number;
  readonly planMs: number;
  readonly compileMs: number;
  /** Tracing and compiling the first program of each of the other optimizers. */
  readonly otherMs: readonly number[];
}

export async function main(): Promise<void> {
  const [study] = await loadStudies(exercise2File);
  const dataset = await study.problem.dataset!.load();
  const tasks = tasksFor(configurationsOf(study, dataset, study.seeds, "cpu"), { workers: 2, maxLanes: 64 });
  const first = study.optimizers.map((_, choice) => tasks.find((task) => task.choice === choice)!);
  const start = performance.now();
  const backend = cpuBackend();
  const opened = performance.now();
  const trainings = first.map((task) => laneTraining(study, dataset, task));
  const compiled = trainings.map((training) => {
    const from = performance.now();
    const { program } = laneProgram(training, training.lanes.length);
    const traced = performance.now();
    backend.compile(program);
    return { program, traceMs: traced - from, compileMs: performance.now() - traced };
  });
  const from = performance.now();
  planProgram(compiled[0].program);
  const times: CompileTimes = {
    openMs: opened - start,
    traceMs: compiled[0].traceMs,
    planMs: performance.now() - from,
    compileMs: compiled[0].compileMs,
    otherMs: compiled.slice(1).map(({ traceMs, compileMs }) => traceMs + compileMs),
  };
  process.stdout.write(`${JSON.stringify(times)}\n`);
}
