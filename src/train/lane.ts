/** What the loop remembers of one lane: its rows not yet handed on, its losses, whether and how it diverged. */
import type { Divergence, MetricRow } from "../runs/records.js";

/** A loss this many times the first one counts as diverged if the run ends there. */
export const divergenceFactor = 1000;

export class Lane {
  /** Training seconds so far: the lane's share of the program's time. */
  timeS = 0;
  lastLoss = Number.NaN;
  /** Set once the loss is no number. */
  blownUp: Divergence | undefined;
  private readonly rows: MetricRow[] = [];
  private lastRowStep = -1;
  private firstLoss = Number.NaN;
  private beyondBound: Divergence | undefined;
  private sum = 0;
  private count = 0;

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
      this.beyondBound = { step, quantity: "loss", value: loss, lastFiniteLoss: loss };
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

  /** The mean of the losses since the last call. */
  takeMeanLoss(): number {
    const mean = this.sum / this.count;
    this.sum = 0;
    this.count = 0;
    return mean;
  }

  /** What diverged in a run that ends with this loss: it grew past all bounds though it is a number yet. */
  divergenceAt(finalLoss: number): Divergence | undefined {
    return finalLoss > divergenceFactor * this.firstLoss ? this.beyondBound : undefined;
  }
}
