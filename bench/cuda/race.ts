/** One measurement: its contestants started at once, then one sample of each in turn, as many rounds as its time allows. */

import { libraryTitles } from "../comparison.js";
import { Contestant, type ContestantPlaces, reasonOf } from "../contestant.js";
import type { ContestantSpec } from "../specification.js";
import type { Measurement } from "./measurements.js";
import type { MeasuredRow, MeasurementRecord } from "./results.js";

export interface RaceOptions extends ContestantPlaces {
  /** Seconds of one sample, where the contestant does not say how long it is. */
  readonly sampleS: number;
  readonly mostRounds: number;
  /** Seconds for all of it. */
  readonly budgetS: number;
  readonly say: (text: string) => void;
}

interface Runner {
  readonly contestant: Contestant;
  readonly chunks: number;
  readonly unitS: number[];
  readonly accuracies: number[];
}

/** Of steps, even where the time is over: less says nothing of the spread. */
const fewestRounds = 3;
/** Of whole trainings: at least, at most. */
const roundsOfLong = [1, 3] as const;

export async function race(measurement: Measurement, options: RaceOptions): Promise<MeasurementRecord> {
  const { id, title, contestants, workload, unit, goals, notes = [] } = measurement;
  const { sampleS, mostRounds, budgetS, say } = options;
  const ends = performance.now() + budgetS * 1000;
  const leftS = (): number => (ends - performance.now()) / 1000;
  const absent: { contestant: string; reason: string }[] = [];
  const refuse = (spec: ContestantSpec, reason: string): void => {
    say(`${id}: ${nameOf(spec)}: ${reason}`);
    absent.push({ contestant: nameOf(spec), reason });
  };
  say(`${id}: starting ${contestants.map(nameOf).join(", ")}`);
  // Compiling takes most of it, and each has cores of its own for that.
  const places = { ...options, patienceS: startingShare * budgetS };
  const started = await Promise.all(contestants.map((spec) => Contestant.start(spec, workload, places)));
  const present = started.flatMap((one, i) => {
    if ("contestant" in one) return [one.contestant];
    refuse(contestants[i], one.absent);
    return [];
  });
  let runners: Runner[] = [];
  /** What `act` does for each in turn; whoever fails is out. */
  const inTurn = async <T>(
    all: readonly T[],
    contestantOf: (one: T) => Contestant,
    act: (one: T) => Promise<void>,
  ): Promise<T[]> => {
    const left: T[] = [];
    for (const one of all) {
      try {
        await act(one);
        left.push(one);
      } catch (error) {
        contestantOf(one).end();
        refuse(contestantOf(one).spec, reasonOf(error as Error));
      }
    }
    return left;
  };
  try {
    await inTurn(
      present,
      (contestant) => contestant,
      async (contestant) => {
        const chunks = contestant.spec.chunks ?? (await chunksFor(contestant, sampleS, leftS()));
        runners.push({ contestant, chunks, unitS: [], accuracies: [] });
      },
    );
    const isLong = contestants.some(({ chunks }) => chunks !== undefined);
    const [fewest, most] = isLong ? roundsOfLong : [fewestRounds, mostRounds];
    for (let round = 0; round < Math.min(most, mostRounds) && (leftS() > 0 || round < fewest); round++) {
      runners = await inTurn(
        runners,
        ({ contestant }) => contestant,
        async ({ contestant, chunks, unitS, accuracies }) => {
          const sample = await contestant.sample(chunks, Math.max(leftS(), 0.5 * budgetS));
          unitS.push((sample.seconds / sample.steps) * unit.steps);
          accuracies.push(...(sample.accuracies ?? []));
        },
      );
      say(`${id}: round ${round + 1}, ${Math.max(0, leftS()).toFixed(0)} s left`);
    }
  } finally {
    for (const contestant of present) contestant.end();
  }
  return {
    kind: "measurement",
    ...{ id, title, unit: unit.name, goals, notes, absent },
    date: new Date().toISOString(),
    rows: runners.map(rowOf),
  };
}

/** Of a measurement's time, for getting ready. */
const startingShare = 0.75;

const nameOf = ({ library, form }: ContestantSpec): string => `${libraryTitles[library]}, ${form}`;

/** As many chunks as fill the time, from a sample that also warms up. */
async function chunksFor(contestant: Contestant, sampleS: number, withinS: number): Promise<number> {
  const { seconds } = await contestant.sample(1, Math.max(10, withinS));
  return Math.max(1, Math.min(10_000, Math.round(sampleS / seconds)));
}

const rowOf = ({ contestant: { spec, ready }, unitS, accuracies }: Runner): MeasuredRow => ({
  library: spec.library,
  contestant: `${ready.version}, ${spec.form}`,
  unitS,
  check: ready.check,
  ...(accuracies.length > 0 && { accuracies }),
});
