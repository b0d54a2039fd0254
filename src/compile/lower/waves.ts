/**
 * The order of kernels for a device that runs many at once: wave by wave. What makes more than it uses up is put off to the
 * last wave before one that waits for it, so that memory is held no longer than it must be.
 */
import { kernelEffects } from "../kernelEffects.js";
import type { Kernel } from "../plan.js";
import { type Company, predecessors, type WaveRules, waitsByEffects, wavesOf } from "../waves.js";
import type { Arranged } from "./barriers.js";

/** @param bytesOf a slot, if it is a temporary; 0 of others */
export function arrangeInWaves(kernels: readonly Kernel[], bytesOf: (slot: number) => number): Arranged {
  const tasks = kernels.map(taskOf);
  const waves = putOff(
    tasks,
    wavesOf(tasks, rules).map((wave) => wave.flat(2)),
    bytesOf,
  );
  let first = 0;
  const phases = waves.flatMap((wave) => {
    const phase = { first, last: first + wave.length - 1 };
    first += wave.length;
    return wave.map(() => phase);
  });
  return { kernels: waves.flat().map((n) => kernels[n]), phases, unordered: true };
}

/** Slots, each once, and in what company the kernel is launched. */
interface Task {
  readonly company: Company;
  readonly reads: ReadonlySet<number>;
  readonly writes: ReadonlySet<number>;
}

function taskOf(kernel: Kernel): Task {
  const { reads, writes } = kernelEffects(kernel);
  // Libraries compute products one after another; kernels of ours do so together.
  const company = kernel.kind === "gemm" || kernel.kind === "convolution" ? "product" : "loop";
  return { company, reads: new Set(reads), writes: new Set(writes) };
}

const meet = (some: ReadonlySet<number>, others: ReadonlySet<number>): boolean =>
  [...some].some((slot) => others.has(slot));

const rules: WaveRules<Task> = {
  waits: waitsByEffects(meet),
  company: ({ company }) => company,
};

/** The waves once loops that make more than they use up moved to later ones, the last loops first. */
function putOff(
  tasks: readonly Task[],
  waves: readonly (readonly number[])[],
  bytesOf: (slot: number) => number,
): number[][] {
  const bytesIn = (slots: Iterable<number>): number =>
    [...slots].reduce((sum, slot) => sum + bytesOf(slot), 0);
  const before = predecessors(tasks, rules.waits);
  const waveOf = new Map(waves.flatMap((wave, w) => wave.map((task) => [task, w] as const)));
  for (const task of waves.flat().reverse()) {
    const { company, reads, writes } = tasks[task];
    if (company !== "loop" || bytesIn(writes) <= bytesIn(reads)) continue;
    const waiting = [...tasks.keys()].filter((other) => before[other].includes(task));
    const end = Math.min(waves.length, ...waiting.map((other) => waveOf.get(other)!));
    const last = waves.findLastIndex(([first], w) => w < end && tasks[first].company === "loop");
    waveOf.set(task, last);
  }
  return waves
    .map((_, w) => [...tasks.keys()].filter((task) => waveOf.get(task) === w))
    .filter((wave) => wave.length > 0);
}
