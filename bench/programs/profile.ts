/**
 * Where the time of a training step goes: every kernel of a study's programs run by itself, beside the whole step.
 *
 *     node bench/run.js profile exercises/ex2-mnist/study.ts [--study 0] [--lanes N] [--optimizer adam] [--gemm wasm]
 */
import { Command } from "commander";
import {
  CpuExecutable,
  configurationsOf,
  createSharedMemory,
  detectFeatures,
  explainPlan,
  type GemmChoice,
  type Kernel,
  type KernelExplanation,
  laneProgram,
  laneTraining,
  loadStudies,
  MemoryPool,
  type Plan,
  type PlanEntry,
  planProgram,
  selectConvolution,
  selectGemm,
  stepEntry,
  type Task,
  tasksFor,
  writeInitialValues,
} from "../slalom.js";

interface ProfileOptions {
  readonly study: string;
  readonly optimizer?: string;
  readonly lanes?: string;
  readonly gemm: GemmChoice;
  readonly json?: boolean;
}

export interface KernelTime {
  readonly kernel: string;
  readonly us: number;
  /** Billions a second; of a matrix product. */
  readonly gflops?: number;
  /** Bytes that the kernel reads and writes, each buffer once. */
  readonly bytes: number;
}

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("node bench/run.js profile")
    .argument("<file>", "a study")
    .option("--study <n>", "which study of the file, from 0", "0")
    .option("--optimizer <id>", "only this optimizer")
    .option("--lanes <n>", "at most so many lanes; by default as `slalom run` takes them")
    .option("--gemm <library>", "auto, onednn, cblas or wasm", "auto")
    .option("--json", "print JSON");
  program.parse([...args], { from: "user" });
  const options = program.opts<ProfileOptions>();
  const study = (await loadStudies(program.args[0]))[Number(options.study)];
  const dataset = await study.problem.dataset?.load();
  const all = configurationsOf(study, dataset, study.seeds.slice(0, 1), "cpu");
  const tasks = tasksFor(all, { workers: 1, maxLanes: Number(options.lanes ?? 64) });
  for (const [choice, { optimizer }] of study.optimizers.entries()) {
    if (options.optimizer !== undefined && optimizer.id !== options.optimizer) continue;
    const task = tasks.find((one) => one.choice === choice) as Task;
    const training = laneTraining(study, dataset, task);
    const lanes = task.configurations.length;
    const built = laneProgram(training, lanes);
    const whole = planProgram(built.program);
    const explained = explainPlan(whole, anyPeaks).entries.find(({ name }) => name === stepEntry)!.kernels;
    const gemm = selectGemm({ library: options.gemm }).library;
    const executable = new CpuExecutable(byKernel(whole), built.program.traceCapacity, {
      gemm,
      convolution: selectConvolution(gemm),
      features: detectFeatures(),
      memories: new MemoryPool(),
    });
    writeInitialValues(executable, training, built);
    const stepUs = timeUs((steps) => executable.run(stepEntry, steps), built.program.traceCapacity);
    const smallUs = timeUs((steps) => executable.run(smallEntry, steps), built.program.traceCapacity);
    const times = whole.entries[stepEntry].kernels.map((kernel, i): KernelTime => {
      // Slots that decay for long without gradients would end in denormal numbers, which are slow.
      writeInitialValues(executable, training, built);
      executable.run(stepEntry, 20);
      const withSmallUs = timeUs((steps) => executable.run(`${i}`, steps), mostSteps);
      const us = isSmall(kernel) ? smallUs / smallCount(whole) : Math.max(0, withSmallUs - smallUs);
      const { kind, shape, name, bytes } = explained[i];
      return { kernel: `${kind} ${shape} ${name}`, us, bytes, ...rateOf(explained[i], us) };
    });
    if (options.json)
      process.stdout.write(`${JSON.stringify({ optimizer: optimizer.id, lanes, stepUs, times })}\n`);
    else process.stdout.write(format(`${optimizer.title}, ${lanes} lanes`, stepUs, times));
  }
  const bandwidth = copyGigabytesPerS();
  if (!options.json)
    process.stdout.write(`\nMain memory: ${bandwidth.toFixed(1)} GB/s copied, read and written.\n`);
}

/** Kernels of a few numbers: the step counter, the places of a batch. */
const isSmall = (kernel: Kernel): boolean =>
  kernel.kind === "loop" && kernel.extents.reduce((a, b) => a * b, 1) <= 256;

const smallCount = (plan: Plan): number => plan.entries[stepEntry].kernels.filter(isSmall).length;

/** The entry of all small kernels. */
const smallEntry = "small";

/** Few, for the same reason: a kernel by itself updates slots from one gradient for ever. */
const mostSteps = 256;

/**
 * The plan with an entry for the step, and one for each kernel together with the small ones: these move on to the next
 * batch, so that gathers read rows that no cache holds, as in training.
 */
function byKernel(plan: Plan): Plan {
  const step = plan.entries[stepEntry];
  const small = step.kernels.filter(isSmall);
  const alone = step.kernels.map((kernel, i): [string, PlanEntry] => [
    `${i}`,
    { kernels: step.kernels.filter((other) => other === kernel || isSmall(other)), traces: [] },
  ]);
  return {
    ...plan,
    entries: {
      [stepEntry]: step,
      [smallEntry]: { kernels: small, traces: [] },
      ...Object.fromEntries(alone),
    },
  };
}

/** Median microseconds of a step, over runs of about ten milliseconds. */
function timeUs(run: (steps: number) => void, mostSteps: number): number {
  run(1);
  let steps = 1;
  for (; steps < mostSteps; steps = Math.min(mostSteps, steps * 2))
    if (onceUs(run, steps) * steps > 10_000) break;
  const times = Array.from({ length: 15 }, () => onceUs(run, steps)).sort((a, b) => a - b);
  return times[7];
}

function onceUs(run: (steps: number) => void, steps: number): number {
  const start = performance.now();
  run(steps);
  return ((performance.now() - start) * 1000) / steps;
}

/** Peaks play no part in what is counted. */
const anyPeaks = { gemmGflops: 1, loopGflops: 1, bandwidthGBs: 1 };

function rateOf({ kind, flops }: KernelExplanation, us: number): { gflops?: number } {
  return kind === "gemm" || kind === "convolution" ? { gflops: flops / (us * 1e3) } : {};
}

function format(title: string, stepUs: number, times: readonly KernelTime[]): string {
  const sum = times.reduce((total, { us }) => total + us, 0);
  const lines = times.map(({ kernel, us, gflops, bytes }) => {
    const rate =
      gflops === undefined ? `${(bytes / us / 1e3).toFixed(1)} GB/s` : `${gflops.toFixed(0)} GFLOP/s`;
    return `${us.toFixed(2).padStart(9)} us ${((100 * us) / sum).toFixed(0).padStart(3)} %  ${rate.padStart(13)}  ${kernel.slice(0, 150)}`;
  });
  return `\n${title}: ${stepUs.toFixed(1)} us a step, ${sum.toFixed(1)} us its kernels one by one\n${lines.join("\n")}\n`;
}

function copyGigabytesPerS(): number {
  const pages = 512;
  const [from, to] = [0, 0].map(() => new Uint8Array(createSharedMemory(pages).buffer).fill(1));
  const best = Math.min(...Array.from({ length: 5 }, () => onceUs(() => to.set(from), 1)));
  return (2 * from.byteLength) / (best * 1e3);
}
