/** What the parts of a step take, by the clocks of the devices: marks between the commands of a captured step. */
import type { DeviceContext, Handle } from "./driver.js";
import type { RankStream } from "./graphs.js";
import type { Handles } from "./handles.js";

/** What a rank's kernels do, or wait for. */
export type Activity = "computing" | "updating" | "waitingForSums";

/** Milliseconds of one step on one rank. */
export interface StepParts extends Readonly<Record<Activity, number>> {
  /** In sums, while kernels ran. */
  readonly hidden: number;
}

export interface ClockedRank extends RankStream {
  readonly context: DeviceContext;
}

export class StepClock {
  private readonly ranks: readonly RankMarks[];

  /** @param handles gives back the timers */
  constructor(ranks: readonly ClockedRank[], handles: Handles) {
    this.ranks = ranks.map((rank) => new RankMarks(rank, handles));
  }

  /** A step is captured from here on. */
  begin(): void {
    for (const rank of this.ranks) rank.begin();
  }

  /** What comes next is of that kind. */
  turnTo(activity: Activity): void {
    for (const rank of this.ranks) rank.turnTo(activity);
  }

  /** A rank's sum sets out in the stream, or arrives. */
  readonly markSum = (rank: number, stream: Handle): void => this.ranks[rank].markSum(stream);

  end(): void {
    for (const rank of this.ranks) rank.end();
  }

  /** Of the step that ran last, by rank; it is done. */
  read(): StepParts[] {
    return this.ranks.map((rank) => rank.read());
  }
}

interface Span {
  readonly activity: Activity | "travelling";
  readonly from: Handle;
  to?: Handle;
}

class RankMarks {
  private readonly timers: Handle[] = [];
  private used = 0;
  private spans: Span[] = [];
  private present: Span | undefined;
  private travelling: Span | undefined;

  constructor(
    private readonly rank: ClockedRank,
    private readonly handles: Handles,
  ) {}

  begin(): void {
    this.used = 0;
    this.spans = [];
    this.travelling = undefined;
    this.present = this.opened("computing", this.rank.stream);
  }

  turnTo(activity: Activity): void {
    if (this.present?.activity === activity) return;
    this.end();
    this.present = this.opened(activity, this.rank.stream, this.present?.to);
  }

  markSum(stream: Handle): void {
    if (this.travelling) this.travelling.to = this.marked(stream);
    this.travelling = this.travelling ? undefined : this.opened("travelling", stream);
  }

  end(): void {
    if (this.present) this.present.to = this.marked(this.rank.stream);
  }

  read(): StepParts {
    const ms = { computing: 0, updating: 0, waitingForSums: 0, travelling: 0 };
    for (const { activity, from, to } of this.spans) ms[activity] += this.rank.context.elapsedMs(from, to!);
    const { travelling, ...parts } = ms;
    return { ...parts, hidden: Math.max(0, travelling - parts.waitingForSums) };
  }

  private opened(activity: Span["activity"], stream: Handle, from = this.marked(stream)): Span {
    const span: Span = { activity, from };
    this.spans.push(span);
    return span;
  }

  /** Timers are made for the first capture, and serve again if that fails. */
  private marked(stream: Handle): Handle {
    const { context } = this.rank;
    this.timers[this.used] ??= this.handles.own(context.createTimer(), (one) => context.destroyEvent(one));
    const timer = this.timers[this.used++];
    context.mark(timer, stream);
    return timer;
  }
}
