/**
 * Waiting for the other ranks without burning a core: asking again and again for as long as the transfer itself may
 * take, then sleeping between the questions.
 */

/** Time that a transfer may take before it pays to sleep, ms: what ranks differ by anyway, and 1 GB/s. */
const spinMs = (bytes: number): number => 0.2 + bytes / 1e6;

/** A sleep is a twentieth of the wait so far, within these: it adds little to any wait. */
const shortestSleepMs = 0.05;
const longestSleepMs = 1;

/** No longer time between two questions counts: this process was stopped, not the others late. */
const longestGapMs = 1_000;

export interface Waiting {
  /** Asks once more; true when there is nothing more to wait for. */
  readonly isDone: () => boolean;
  /** Asked now and then: whether to stop waiting. */
  readonly isOver: () => boolean;
  /** On their way. */
  readonly bytes: number;
}

/** The waits of one call. */
export class Patience {
  /** In all. */
  waitedMs = 0;
  private readonly nobody = new Int32Array(new SharedArrayBuffer(4));

  /** Returns whether it is done; else the wait was over. */
  wait({ isDone, isOver, bytes }: Waiting): boolean {
    if (isDone()) return true;
    const begunMs = this.waitedMs;
    for (let before = performance.now(); !isDone(); ) {
      const now = performance.now();
      this.waitedMs += Math.min(now - before, longestGapMs);
      before = now;
      const thisMs = this.waitedMs - begunMs;
      if (thisMs < spinMs(bytes)) continue;
      if (isOver()) return false;
      this.sleep(Math.min(Math.max(thisMs / 20, shortestSleepMs), longestSleepMs));
    }
    return true;
  }

  /** Blocks this thread and takes no core. */
  sleep(ms: number): void {
    Atomics.wait(this.nobody, 0, 0, ms);
  }
}
