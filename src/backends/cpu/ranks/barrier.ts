/**
 * The barrier between ranks: a counter of those that arrived and a generation that the last one advances. Who waits
 * looks again and again for some microseconds, as a rank is seldom late for long, then sleeps until it is woken.
 */
import { atomic, call, type FunctionReference, i32, i64, type ModuleBuilder } from "../wasm/index.js";
import type { ClockCalls } from "./clock.js";

/** Where ranks meet, and which one is asked. */
export interface Meeting {
  readonly ranks: number;
  readonly rank: number;
  /** Byte offset of `meetingBytes(ranks)` bytes of the shared memory, zero at first. */
  readonly offset: number;
  /** How long a rank waits before it takes another for dead. */
  readonly patienceMs: number;
}

/** Each counter on a line of its own, and apart from its neighbours, which processors fetch along. */
const lineBytes = 128;

/** Byte offsets of the counters in a meeting place. */
export const meetingPlace = {
  arrived: 0,
  generation: lineBytes,
  sleepers: 2 * lineBytes,
  /** Not 0 once a rank failed: none goes on from there. */
  broken: 3 * lineBytes,
  /** How many barriers a rank came to. */
  reached: (rank: number): number => (4 + rank) * lineBytes,
} as const;

export const meetingBytes = (ranks: number): number => (ranks === 1 ? 0 : meetingPlace.reached(ranks));

/** Rounds of looking before sleeping, some 20 microseconds. */
const rounds = 1 << 13;

/** Adds the function; a rank that calls it traps where another one failed or does not come. */
export function defineBarrier(
  module: ModuleBuilder,
  { ranks, rank, offset, patienceMs }: Meeting,
  clock: ClockCalls,
): FunctionReference<Record<never, never>, "none"> {
  const { arrived, generation, sleepers, broken, reached } = meetingPlace;
  return module.function(undefined, { parameters: {} }, (f) => {
    const at = offset;
    const before = f.let(atomic.load(at, generation));
    f.drop(atomic.add(at, 1, reached(rank)));
    f.if(
      i32.eq(atomic.add(at, 1, arrived), ranks - 1),
      () => {
        f.do(atomic.store(at, 0, arrived));
        f.drop(atomic.add(at, 1, generation));
        f.if(atomic.load(at, sleepers), () => f.drop(atomic.notify(at, ranks, generation)));
      },
      () => {
        f.do(call(clock.pause, {}));
        const isClosed = () => i32.eq(atomic.load(at, generation), before);
        const left = f.let(i32.const(rounds));
        f.while(i32.and(isClosed(), i32.ne(left, 0)), () => f.add(left, -1));
        f.while(isClosed(), () => {
          f.drop(atomic.add(at, 1, sleepers));
          const woken = f.let(atomic.wait(at, before, i64.const(patienceMs * 1e6), generation));
          f.drop(atomic.add(at, -1, sleepers));
          f.if(i32.eq(woken, 2), () => {
            f.do(atomic.store(at, 1, broken));
            f.unreachable();
          });
        });
        f.do(call(clock.goOn, {}));
      },
    );
    f.if(atomic.load(at, broken), () => f.unreachable());
  });
}

/** Ends the waiting of all ranks: each traps at the barrier that it is at or comes to. */
export function breakMeeting(buffer: ArrayBufferLike, offset: number): void {
  const counters = new Int32Array(buffer);
  const at = (bytes: number): number => (offset + bytes) / 4;
  Atomics.store(counters, at(meetingPlace.broken), 1);
  Atomics.add(counters, at(meetingPlace.generation), 1);
  Atomics.notify(counters, at(meetingPlace.generation));
}

export const isBroken = (buffer: ArrayBufferLike, offset: number): boolean =>
  Atomics.load(new Int32Array(buffer), (offset + meetingPlace.broken) / 4) !== 0;
