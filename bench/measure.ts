/** Interleaved measurement: one sample of each contestant in turn, round after round, and ratios within rounds. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Sample } from "./specification.js";

/** What gives samples of as many chunks as it is asked for. */
export interface Measured {
  readonly spec: { readonly chunks?: number };
  sample(chunks: number): Promise<Sample>;
}

export interface Timing {
  /** Seconds of a step, one for each round. */
  readonly stepS: readonly number[];
  readonly medianS: number;
  readonly minS: number;
  /** Steps of one sample. */
  readonly steps: number;
}

export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface RoundsOptions {
  readonly rounds: number;
  /** How long a sample should take. */
  readonly sampleS: number;
  /** Chunks of every sample, in place of `sampleS` and of what contestants say. */
  readonly chunks?: number;
  readonly onRound?: (round: number) => void;
}

/** One timing for each contestant, in their order. */
export async function measureRounds(
  contestants: readonly Measured[],
  { rounds, sampleS, chunks, onRound }: RoundsOptions,
): Promise<Timing[]> {
  const counts: number[] = [];
  for (const contestant of contestants)
    counts.push(chunks ?? contestant.spec.chunks ?? (await chunksFor(contestant, sampleS)));
  const samples: { stepS: number[]; steps: number }[] = contestants.map(() => ({ stepS: [], steps: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const { seconds, steps } = await contestant.sample(counts[i]);
      samples[i].stepS.push(seconds / steps);
      samples[i].steps = steps;
      // Threads of the last contestant spin for a while when they have nothing to do.
      await sleep(30);
    }
    onRound?.(round + 1);
  }
  return samples.map(({ stepS, steps }) => ({
    stepS,
    steps,
    medianS: median(stepS),
    minS: Math.min(...stepS),
  }));
}

/** The timing of something that takes `factor` times as long as a step. */
export const scaled = ({ stepS, medianS, minS, steps }: Timing, factor: number): Timing => ({
  stepS: stepS.map((seconds) => seconds * factor),
  medianS: medianS * factor,
  minS: minS * factor,
  steps,
});

/** How many times longer a step of `peer` takes than one of `ours`: from pairs of the same round. */
export function ratioOf(peer: Timing, ours: Timing): Ratio {
  const ratios = peer.stepS.map((seconds, round) => seconds / ours.stepS[round]);
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** As many chunks as fill the time, from a sample that also warms up. */
async function chunksFor(contestant: Measured, sampleS: number): Promise<number> {
  const { seconds } = await contestant.sample(1);
  return Math.max(1, Math.min(10_000, Math.round(sampleS / seconds)));
}
