/** Memory beside the arrays of exchanges, kept for the next ones: training makes the same again and again. */
import type { Mpi } from "./calls.js";

export interface Workspace {
  readonly bytes: Uint8Array;
  readonly address: number;
}

/** Smaller memory may lie where it can be moved. */
const leastBytes = 4096;

export class Workspaces {
  private readonly free: Workspace[] = [];

  constructor(private readonly mpi: Mpi) {}

  /** At least that many bytes, with whatever they hold: the least that is free, or new ones. */
  take(bytes: number): Workspace {
    const fitting = this.free.filter((one) => one.bytes.length >= bytes);
    if (fitting.length === 0) {
      const made = new Uint8Array(Math.max(bytes, leastBytes));
      return { bytes: made, address: this.mpi.addressOf(made) };
    }
    const least = fitting.reduce((a, b) => (b.bytes.length < a.bytes.length ? b : a));
    this.free.splice(this.free.indexOf(least), 1);
    return least;
  }

  /** Once nothing is on its way to or from it. */
  giveBack(workspace: Workspace): void {
    this.free.push(workspace);
  }
}
