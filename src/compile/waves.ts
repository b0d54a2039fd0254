/**
 * What a device may begin at once: tasks that wait for nothing of one another stand side by side in a wave, and one launch
 * does for all of them. Waves hold one kind of task each.
 */

/**
 * "alone": a wave of its own. "late": that too, and when nothing else is left to do, as it only waits. The others come
 * together with their like: tasks that need as many registers, as one that needs many would slow down the others of its
 * launch.
 */
export type Company = "alone" | "product" | "loop" | "late";

/** A kind is in turn when nothing of those before it is ready: then the waves of the last one are as few as can be. */
const turns: readonly Company[] = ["alone", "product", "loop", "late"];

export interface WaveRules<T> {
  /** Whether `task` must not begin before `earlier`, which stands before it, is done. */
  waits(task: T, earlier: T): boolean;
  company(task: T): Company;
  /** Whether the same threads may do `task` behind `earlier`, which it waits for, in one wave. By default never. */
  follows?(task: T, earlier: T): boolean;
}

/** Sequences, which run at once. */
export type Wave = readonly Sequence[];

/** Tasks by their numbers, in levels: those of one wait for others of levels before it, and run at once. */
export type Sequence = readonly (readonly number[])[];

/** What a task reads and writes. */
interface Effects<Places> {
  readonly reads: Places;
  readonly writes: Places;
}

/**
 * `waits` of tasks that wait for one another where one writes what the other reads or writes.
 * @param meet whether some places are others too
 */
export const waitsByEffects =
  <Places>(meet: (some: Places, others: Places) => boolean) =>
  ({ reads, writes }: Effects<Places>, earlier: Effects<Places>): boolean =>
    meet(reads, earlier.writes) || meet(writes, earlier.writes) || meet(writes, earlier.reads);

/** The tasks in waves, each task in the first one of its kind that it can be in. */
export function wavesOf<T>(tasks: readonly T[], rules: WaveRules<T>): Wave[] {
  const before = predecessors(tasks, rules.waits);
  const waiting = new Set(tasks.keys());
  const waves: Wave[] = [];
  while (waiting.size > 0) {
    const isReady = (task: number): boolean => !before[task].some((earlier) => waiting.has(earlier));
    const ready = [...waiting].filter(isReady);
    const turn = turns.find((company) => ready.some((task) => rules.company(tasks[task]) === company))!;
    const wave = new Set<number>();
    const joins = (task: number): boolean =>
      before[task].every(
        (earlier) =>
          !waiting.has(earlier) || (wave.has(earlier) && rules.follows?.(tasks[task], tasks[earlier])),
      );
    for (const task of waiting) {
      if (wave.size === (turn === "alone" || turn === "late" ? 1 : mostTasks)) break;
      if (rules.company(tasks[task]) === turn && joins(task)) wave.add(task);
    }
    waves.push(sequencesOf([...wave], before));
    for (const task of wave) waiting.delete(task);
  }
  return waves;
}

/** Each block of a launch looks through so many tasks for its own. */
const mostTasks = 64;

/** Those that wait for one another, directly or not, in one sequence. */
function sequencesOf(wave: readonly number[], before: readonly (readonly number[])[]): Sequence[] {
  const levels = new Map<number, number>();
  let sequences: number[][] = [];
  for (const task of wave) {
    const awaits = (other: number): boolean => before[task].includes(other);
    levels.set(task, Math.max(0, ...wave.filter(awaits).map((other) => levels.get(other)! + 1)));
    const awaited = sequences.filter((sequence) => sequence.some(awaits));
    sequences = [...sequences.filter((sequence) => !awaited.includes(sequence)), [...awaited.flat(), task]];
  }
  return sequences.map((sequence) => {
    const count = Math.max(...sequence.map((task) => levels.get(task)!)) + 1;
    return Array.from({ length: count }, (_, level) => sequence.filter((task) => levels.get(task) === level));
  });
}

/** For each task the numbers of those that it waits for. */
export const predecessors = <T>(tasks: readonly T[], waits: WaveRules<T>["waits"]): number[][] =>
  tasks.map((task, n) => tasks.slice(0, n).flatMap((earlier, i) => (waits(task, earlier) ? [i] : [])));
