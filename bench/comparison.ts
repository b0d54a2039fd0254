/** A case that compares steps of one workload: Slalom first, then its peers, sample by sample in turn. */
import { availableParallelism } from "node:os";
import type { BenchCase, CaseOptions, CaseResult, CaseRow, GoalResult } from "./case.js";
import { Contestant } from "./contestant.js";
import { measureRounds, ratioOf, type Timing } from "./measure.js";
import { measureRoofs } from "./roofs.js";
import type { ContestantSpec, Library, Workload } from "./specification.js";
import { floorOf } from "./work.js";

export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly workload: Workload;
  /** The first is what ratios refer to. */
  readonly ours: readonly ContestantSpec[];
  readonly peers: readonly ContestantSpec[];
  readonly goals: readonly Goal[];
  /** At least this share of the floor, of the first. */
  readonly floorGoal?: number;
  /** Every sample has this many chunks, in place of a length of time. */
  readonly chunks?: (options: CaseOptions) => number | undefined;
  /** Relative difference of the losses after the first chunk that is no reason to doubt. */
  readonly tolerance: number;
  readonly notes?: readonly string[];
}

/** Ours is at least this many times faster than the fastest form of the library, as given. */
export interface Goal {
  readonly library: Library;
  /** Only this form; by default the fastest. */
  readonly form?: string;
  readonly atLeast: number;
}

export const allCores = availableParallelism();

export function comparison(definition: Comparison): BenchCase {
  const { id, title } = definition;
  return { id, title, run: (options) => compare(definition, options) };
}

async function compare(definition: Comparison, options: CaseOptions): Promise<CaseResult> {
  const { id, title, workload, ours, peers, tolerance } = definition;
  const contestants: Contestant[] = [];
  const absent: { contestant: string; reason: string }[] = [];
  try {
    const invited = peers.filter(({ library }) => options.peers?.includes(library) ?? true);
    for (const spec of [...ours, ...invited]) {
      options.say(`${id}: starting ${nameOf(spec)}`);
      const started = await Contestant.start(spec, workload, options);
      if ("contestant" in started) contestants.push(started.contestant);
      else if (spec.library === "slalom")
        throw new Error(`${id}: Slalom itself does not run: ${started.absent}`);
      else absent.push({ contestant: nameOf(spec), reason: started.absent });
    }
    const chunks = definition.chunks?.(options);
    const timings = await measureRounds(contestants, {
      rounds: options.rounds,
      sampleS: options.sampleS,
      ...(chunks !== undefined && { chunks }),
      onRound: (round) => options.say(`${id}: round ${round} of ${options.rounds}`),
    });
    const table = await rowsOf(contestants, timings, options);
    const doubts = contestants.flatMap(({ ready: { check, version, form } }) => {
      const expected = contestants[0].ready.check;
      return Math.abs(check - expected) > tolerance * Math.abs(expected)
        ? [
            `${version}, ${form}: loss ${check} after the first chunk, Slalom ${expected}: is it the same work?`,
          ]
        : [];
    });
    return {
      id,
      title,
      ...table,
      goals: [...goalsOf(definition, contestants, timings), ...floorGoalOf(definition, table.rows[0])],
      absent,
      notes: [...(definition.notes ?? []), ...doubts],
    };
  } finally {
    for (const contestant of contestants) contestant.end();
  }
}

async function rowsOf(
  contestants: readonly Contestant[],
  timings: readonly Timing[],
  { rounds, say }: CaseOptions,
): Promise<Pick<CaseResult, "rows" | "roofs">> {
  const work = contestants[0].ready.work;
  const rows: CaseRow[] = [];
  let roofs: CaseResult["roofs"];
  for (const [i, { spec, ready }] of contestants.entries()) {
    const cores = ready.threads * (spec.copies ?? 1);
    let shares: Pick<CaseRow, "floorShare" | "productsShare"> = {};
    if (spec.library === "slalom" && work && work.products.length > 0) {
      say(`measuring the floor on ${cores} core${cores === 1 ? "" : "s"}`);
      const measured = await measureRoofs(work.products, { ranks: cores, rounds: Math.max(3, rounds) });
      roofs ??= measured;
      const { floorS, productsS } = floorOf(work, measured);
      shares = { floorShare: floorS / timings[i].minS, productsShare: productsS / timings[i].minS };
    }
    rows.push({
      contestant: `${ready.version}, ${ready.form}`,
      cores,
      unit: "step",
      timing: timings[i],
      ...(i > 0 && { ratio: ratioOf(timings[i], timings[0]) }),
      check: ready.check,
      ...shares,
    });
  }
  return { rows, ...(roofs && { roofs }) };
}

function goalsOf(
  { goals }: Comparison,
  contestants: readonly Contestant[],
  timings: readonly Timing[],
): GoalResult[] {
  return goals.map(({ library, form, atLeast }) => {
    const candidates = contestants.flatMap(({ spec }, i) =>
      spec.library === library && (form === undefined || spec.form === form) ? [i] : [],
    );
    const title = `${libraryTitles[library]}${form === undefined ? " in its fastest form" : `, ${form}`}`;
    const text = `at least ${atLeast} times ${title}`;
    if (candidates.length === 0) return { text };
    // The peer's fastest form is that with the least ratio.
    const value = Math.min(...candidates.map((i) => ratioOf(timings[i], timings[0]).median));
    return { text, reached: value >= atLeast, value };
  });
}

function floorGoalOf({ floorGoal }: Comparison, { floorShare }: CaseRow): GoalResult[] {
  if (floorGoal === undefined) return [];
  const text = `at least ${floorGoal * 100} % of the floor`;
  return floorShare === undefined
    ? [{ text }]
    : [{ text, reached: floorShare >= floorGoal, value: floorShare * 100 }];
}

const libraryTitles: Readonly<Record<Library, string>> = {
  slalom: "Slalom",
  torch: "PyTorch",
  jax: "JAX",
  tfjs: "TensorFlow.js",
  jaxjs: "jax-js",
};

const nameOf = ({ library, form, threads }: ContestantSpec): string =>
  `${libraryTitles[library]}, ${form}, ${threads} thread${threads === 1 ? "" : "s"}`;
