/** What the loop remembers of one lane: its rows not yet handed on, its losses, whether and how it diverged. */
import type { Divergence, MetricRow } from "../runs/records.js";
import type { Waiting } from "./earlyStopping.js";
import { addNoise, type GradientNoise, type NoiseSum } from "./gradientNoise.js";

/** A loss this many times the first one counts as diverged if the run ends there. */
export const divergenceFactor = 1000;

/** A lane as a checkpoint keeps it; its rows are handed on before. */
export interface LaneSnapshot {
  readonly number: number;
  readonly timeS: number;
  readonly lastLoss: number;
  readonly firstLoss: number;
  readonly lastRowStep: number;
  readonly beyondBound?: Omit<Divergence, "lastFiniteLoss">;
  readonly sum: number;
  readonly count: number;
  readonly metricSums: Readonly<Record<string, number>>;
  readonly noise?: NoiseSum;
  readonly waiting?: Waiting;
}

export class Lane {
  /** Training seconds so far: its share, among the lanes that trained beside it, of the time of training steps. */
  timeS = 0;
  lastLoss = Number.NaN;
  /** Set once the loss is no number. */
  blownUp: Divergence | undefined;
  /** What it waits for, if it may stop early; undefined before its first evaluation. */
  waiting: Waiting | undefined;
  private readonly rows: MetricRow[] = [];
  private lastRowStep = -1;
  private firstLoss = Number.NaN;
  /** The first loss past the bound; the lane may come back from there. */
  private beyondBound: Omit<Divergence, "lastFiniteLoss"> | undefined;
  private sum = 0;
  private count = 0;
  private readonly metricSums = new Map<string, number>();
  private noise: NoiseSum | undefined;

  /** `number`: its place in `LaneTraining.lanes`. */
  constructor(readonly number: number) {}

  /** Takes the loss of one step; returns whether the lane goes on. */
  see(step: number, loss: number): boolean {
    if (step === 0) this.firstLoss = loss;
    if (!Number.isFinite(loss)) {
      this.blownUp = { step, quantity: "loss", value: loss, lastFiniteLoss: this.lastLoss };
      return false;
    }
    this.lastLoss = loss;
    this.sum += loss;
    this.count++;
    if (!this.beyondBound && loss > divergenceFactor * this.firstLoss && this.firstLoss > 0) {
      this.beyondBound = { step, quantity: "loss", value: loss };
    }
    return true;
  }

  /** Adds a row unless one of this step or a later one is there. */
  add(row: MetricRow): void {
    if (row.step <= this.lastRowStep) return;
    this.rows.push(row);
    this.lastRowStep = row.step;
  }

  /** The rows since the last call. */
  takeRows(): MetricRow[] {
    return this.rows.splice(0);
  }

  /** Takes a metric of the batch of the step that `see` took last. */
  seeMetric(metric: string, value: number): void {
    this.metricSums.set(metric, (this.metricSums.get(metric) ?? 0) + value);
  }

  /** The means of the losses and metrics since the last call. */
  takeMeans(): { loss: number; metrics: readonly (readonly [string, number])[] } {
    const { count } = this;
    const means = {
      loss: this.sum / count,
      metrics: [...this.metricSums].map(([metric, sum]) => [metric, sum / count] as const),
    };
    this.sum = 0;
    this.count = 0;
    this.metricSums.clear();
    return means;
  }

  /** Takes what the batch of the step that `see` took last tells of its gradient's noise. */
  seeNoise(noise: GradientNoise): void {
    this.noise = addNoise(this.noise, noise);
  }

  /** What the batches since the last call tell of the gradient's noise; undefined where none did. */
  takeNoise(): NoiseSum | undefined {
    const { noise } = this;
    this.noise = undefined;
    return noise;
  }

  snapshot(): LaneSnapshot {
    const { number, timeS, lastLoss, firstLoss, lastRowStep, beyondBound, sum, count, noise, waiting } = this;
    return {
      number,
      timeS,
      lastLoss,
      firstLoss,
      lastRowStep,
      ...(beyondBound && { beyondBound }),
      sum,
      count,
      metricSums: Object.fromEntries(this.metricSums),
      ...(noise && { noise }),
      ...(waiting && { waiting }),
    };
  }

  /** The lane that went on when the snapshot was taken. */
  static restored(snapshot: LaneSnapshot): Lane {
    const { metricSums, ...rest } = snapshot;
    const lane = Object.assign(new Lane(snapshot.number), rest);
    for (const [metric, sum] of Object.entries(metricSums)) lane.metricSums.set(metric, sum);
    return lane;
  }

  /** What diverged in a run that ends now: its loss grew past all bounds though it is a number yet. */
  divergenceAtEnd(): Divergence | undefined {
    const { lastLoss, beyondBound } = this;
    return beyondBound && lastLoss > divergenceFactor * this.firstLoss
      ? { ...beyondBound, lastFiniteLoss: lastLoss }
      : undefined;
  }
}
