/** A case that compares steps of one workload: Slalom first, then its peers, sample by sample in turn. */
import { availableParallelism } from "node:os";
import type { BenchCase, CaseOptions, CaseResult, CaseRow, GoalResult } from "./case.js";
import { Contestant } from "./contestant.js";
import { measureRounds, ratioOf, scaled, type Timing } from "./measure.js";
import { measureRoofs } from "./roofs.js";
import type { ContestantSpec, Library, Workload } from "./specification.js";
import { floorOf, perStep } from "./work.js";

export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly workload: Workload;
  /** The first is what ratios refer to. */
  readonly ours: readonly ContestantSpec[];
  readonly peers: readonly ContestantSpec[];
  readonly goals: readonly (RatioGoal | TimeGoal)[];
  /** What times are given for; by default a step. "example": a step's time over its batch, where batches differ. */
  readonly unit?: "step" | "example" | "evaluation";
  /** At most so many rounds, where a peer takes minutes for a sample. */
  readonly mostRounds?: number;
  /** At least this share of the floor, of the first. */
  readonly floorGoal?: number;
  /** Every sample has this many chunks, in place of a length of time. */
  readonly chunks?: (options: CaseOptions) => number | undefined;
  /** Relative difference of the losses after the first chunk that is no reason to doubt. */
  readonly tolerance: number;
  readonly notes?: readonly string[];
}

/** Ours, the first, is at least this many times faster than the library, or takes at most so many times as long. */
export type RatioGoal = {
  readonly library: Library;
  /** Only this form; by default the fastest. */
  readonly form?: string;
} & ({ readonly atLeast: number } | { readonly within: number });

/** The first takes less than this. */
export interface TimeGoal {
  readonly what: string;
  readonly underS: number;
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
    const rounds = Math.min(options.rounds, definition.mostRounds ?? options.rounds);
    const perStepTimings = await measureRounds(contestants, {
      rounds,
      sampleS: options.sampleS,
      ...(chunks !== undefined && { chunks }),
      onRound: (round) => options.say(`${id}: round ${round} of ${rounds}`),
    });
    const timings = perStepTimings.map((timing, i) =>
      scaled(timing, 1 / unitsOf(definition, contestants[i])),
    );
    const table = await rowsOf(definition, contestants, timings, options);
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

/** How many of what is counted one step has. */
const unitsOf = ({ unit, workload }: Comparison, { spec }: Contestant): number =>
  unit === "example" ? (spec.batch ?? workload.batch ?? 1) : 1;

async function rowsOf(
  definition: Comparison,
  contestants: readonly Contestant[],
  timings: readonly Timing[],
  { rounds, say }: CaseOptions,
): Promise<Pick<CaseResult, "rows" | "roofs">> {
  const rows: CaseRow[] = [];
  let roofs: CaseResult["roofs"];
  for (const [i, { spec, ready }] of contestants.entries()) {
    const cores = ready.threads * (spec.copies ?? 1) * (spec.processes ?? 1);
    let shares: Pick<CaseRow, "floorShare" | "productsShare"> = {};
    const work = ready.work && perStep(ready.work, unitsOf(definition, contestants[i]));
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
      unit: definition.unit ?? "step",
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
  return goals.map((goal) => {
    if ("underS" in goal) {
      const value = timings[0].medianS;
      return { text: goal.what, reached: value < goal.underS, value };
    }
    const { library, form } = goal;
    const candidates = contestants.flatMap(({ spec }, i) =>
      spec.library === library && (form === undefined || spec.form === form) ? [i] : [],
    );
    const title = `${libraryTitles[library]}${form === undefined ? " in its fastest form" : `, ${form}`}`;
    const text =
      "atLeast" in goal ? `at least ${goal.atLeast} times ${title}` : `within ${goal.within} times ${title}`;
    if (candidates.length === 0) return { text };
    // The peer's fastest form is that with the least ratio.
    const ratio = Math.min(...candidates.map((i) => ratioOf(timings[i], timings[0]).median));
    return "atLeast" in goal
      ? { text, reached: ratio >= goal.atLeast, value: ratio }
      : { text, reached: 1 / ratio <= goal.within, value: 1 / ratio };
  });
}

function floorGoalOf({ floorGoal }: Comparison, { floorShare }: CaseRow): GoalResult[] {
  if (floorGoal === undefined) return [];
  const text = `at least ${floorGoal * 100} % of the floor`;
  return floorShare === undefined
    ? [{ text }]
    : [{ text, reached: floorShare >= floorGoal, value: floorShare * 100 }];
}

export const libraryTitles: Readonly<Record<Library, string>> = {
  slalom: "Slalom",
  torch: "PyTorch",
  jax: "JAX",
  tfjs: "TensorFlow.js",
  jaxjs: "jax-js",
};

const nameOf = ({ library, form, threads }: ContestantSpec): string =>
  `${libraryTitles[library]}, ${form}, ${threads} thread${threads === 1 ? "" : "s"}`;
