/**
 * Work in streams and graphs of a device that does none before somebody waits for it; then it does what that waits for and
 * nothing else, so what is not held until other work comes before it.
 */

export interface Task {
  run(): void;
  /** Of work that several devices do together: called when it is put into a stream, or launched with a graph. */
  meet?(work: Work): Meeting;
}

/** Work of several streams, done when all of it has come. */
export interface Meeting {
  /** Throws where one does not come. */
  members(): readonly Work[];
  run(): void;
}

/** Which of several things that work waits for is done first: that which it was told of first, or last. */
export type Order = "forwards" | "backwards";

export class Work {
  isDone = false;
  private isAwaited = false;
  private meeting: Meeting | undefined;

  constructor(
    readonly task: Task,
    readonly after: readonly Work[],
  ) {}

  /** From here on it is to be done: it is no longer a part of a graph. */
  enter(): this {
    this.meeting = this.task.meet?.(this);
    return this;
  }

  /** Does it, and before it all that it waits for. */
  finish(order: Order): void {
    const stack: Work[] = [this];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const open = top.awaited().filter(({ isDone }) => !isDone);
      if (top.isDone || open.length === 0) {
        if (!top.isDone) top.do();
        stack.pop();
        continue;
      }
      const next = order === "forwards" ? open[0] : open.at(-1)!;
      if (next.isAwaited) throw new Error("work waits for itself, for ever");
      next.isAwaited = true;
      stack.push(next);
    }
  }

  private awaited(): readonly Work[] {
    return this.meeting ? this.meeting.members().flatMap(({ after }) => after) : this.after;
  }

  private do(): void {
    if (this.meeting) this.meeting.run();
    else this.task.run();
    for (const one of this.meeting?.members() ?? [this]) one.isDone = true;
  }
}

export class FakeStream {
  /** What was put into it last. */
  tail: readonly Work[] = [];
  private capture: Capture | undefined;
  /** The same, in a capture. */
  private captured: readonly Work[] = [];

  get isCapturing(): boolean {
    return this.capture !== undefined;
  }

  put(task: Task): void {
    if (this.capture) {
      const work = new Work(task, this.captured);
      this.capture.works.push(work);
      this.captured = [work];
    } else this.tail = [new Work(task, this.tail).enter()];
  }

  /** What is in it now. */
  moment(): Moment {
    return this.capture ? { after: this.captured, capture: this.capture } : { after: this.tail };
  }

  holdUntil({ after, capture }: Moment): void {
    if (!capture) {
      if (this.capture) throw new Error("a capture that waits for what is not in it");
      this.tail = [...this.tail, ...after];
      return;
    }
    if (this.capture && this.capture !== capture) throw new Error("two captures that would become one");
    this.capture = capture;
    capture.streams.add(this);
    this.captured = [...this.captured, ...after];
  }

  begin(): void {
    if (this.capture) throw new Error("a capture within a capture");
    this.capture = { origin: this, works: [], streams: new Set([this]) };
  }

  end(): Graph {
    const { capture, captured } = this;
    if (capture?.origin !== this) throw new Error("no capture to end");
    for (const stream of capture.streams) {
      stream.capture = undefined;
      stream.captured = [];
    }
    const joined = new Set<Work>();
    const waiting = [...captured];
    for (let work = waiting.pop(); work; work = waiting.pop()) {
      if (joined.has(work)) continue;
      joined.add(work);
      waiting.push(...work.after);
    }
    if (joined.size < capture.works.length) throw new Error("a stream that did not come back to its capture");
    return { works: capture.works, tail: captured };
  }

  launch({ works, tail }: Graph): void {
    const before = this.tail;
    const own = new Map<Work, Work>();
    for (const work of works) {
      const after = work.after.length === 0 ? before : work.after.map((one) => own.get(one)!);
      own.set(work, new Work(work.task, after).enter());
    }
    if (tail.length > 0) this.tail = tail.map((work) => own.get(work)!);
  }

  /** Does all that is in it. */
  finish(order: Order): void {
    for (const work of this.tail) work.finish(order);
  }
}

export interface Moment {
  readonly after: readonly Work[];
  readonly capture?: Capture;
}

export interface Graph {
  readonly works: readonly Work[];
  readonly tail: readonly Work[];
}

interface Capture {
  readonly origin: FakeStream;
  readonly works: Work[];
  readonly streams: Set<FakeStream>;
}
