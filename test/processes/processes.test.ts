/** One process leads and another follows, with a backend of neither kind: what was told there is done here. */
import { describe, expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import { aloneCommunicator, type Communicator, type MovableArray } from "../../src/collectives/index.js";
import type { EntryTimes, Executable } from "../../src/compile/backend.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { add, constant, variable } from "../../src/graph/index.js";
import { followLeader } from "../../src/processes/follow.js";
import { Processes } from "../../src/processes/leader.js";

const x = variable("x", [2]);
const plan = planProgram({
  name: "counting",
  variables: { x },
  entries: { step: { updates: { x: add(x, constant([1, 2])) }, traces: {} } },
  traceCapacity: 8,
});

const members = [0, 1].map((rank) => ({ rank, node: "n1", processId: 100 + rank }));

/** What a rank wrote of itself, or null where it made its program, as the ranks tell each other. */
type Record = { readonly code: string; readonly message: string } | null;

/**
 * Ranks 0 and 1 one after the other: first what rank 0 broadcasts is kept, then rank 1 hears it.
 * @param records what the other rank tells of each program
 */
function rankOf(
  rank: number,
  broadcasts: MovableArray[],
  records: Record[],
): Communicator & { closed: number } {
  const communicator = {
    ...aloneCommunicator(),
    rank,
    size: 2,
    members,
    closed: 0,
    broadcast(array: MovableArray) {
      if (rank === 0) broadcasts.push(array.slice());
      else array.set(broadcasts.shift()!);
    },
    allGather(array: MovableArray) {
      const half = array.length / 2;
      const other = new TextEncoder().encode(JSON.stringify(records.shift()));
      array.set(other, (1 - rank) * half);
    },
    close() {
      communicator.closed++;
    },
  };
  return communicator;
}

const times: EntryTimes = { step: [] };

/** Writes down what it is asked for. */
function recording(done: unknown[], measures = true): Executable {
  const did = (...words: unknown[]): void => {
    done.push(words);
  };
  return {
    bytes: 64,
    run: (...words) => did("run", ...words),
    read: () => Float32Array.of(3, 4),
    write: (name, values) => did("write", name, [...values]),
    trace: () => Float32Array.of(5),
    ...(measures && {
      times: () => {
        did("times");
        return times;
      },
    }),
    release: () => did("release"),
  };
}

const fails = (code: "device" | "library", message: string) => (): Executable => {
  throw new SlalomError(code, message);
};

/** What rank 0 broadcast while it did this, and what it did itself. */
function led(act: (processes: Processes, done: unknown[]) => void, records: Record[] = [null, null]) {
  const [broadcasts, done]: [MovableArray[], unknown[]] = [[], []];
  const communicator = rankOf(0, broadcasts, records);
  const processes = new Processes(communicator, 60_000);
  try {
    act(processes, done);
  } finally {
    processes.close();
  }
  expect(communicator.closed).toBe(1);
  return { broadcasts, done };
}

describe("processes", () => {
  test("the others do what the leading one is told, in its order, and end with it", () => {
    const { broadcasts, done } = led((processes, own) => {
      const first = processes.compile(plan, 8, () => recording(own));
      const second = processes.compile(plan, 8, () => recording(own, false));
      expect(first.bytes).toBe(64);
      first.write("x", Float32Array.of(1, 2));
      first.run("step", 3, { timed: true });
      expect(first.times!()).toBe(times);
      expect(second.times).toBeUndefined();
      second.run("step");
      expect([...first.read("x")]).toEqual([3, 4]);
      expect([...first.trace("step", "x")]).toEqual([5]);
      first.release();
      first.release();
      second.release();
    });
    expect(done).toEqual([
      ["write", "x", [1, 2]],
      ["run", "step", 3, { timed: true }],
      ["times"],
      ["run", "step", 1, {}],
      ["release"],
      ["release"],
    ]);
    const made: unknown[] = [];
    const followed: unknown[] = [];
    const communicator = rankOf(1, broadcasts, [null, null]);
    followLeader(communicator, (told, capacity) => {
      made.push([told.name, told.entries.step.kernels.length, capacity]);
      return recording(followed, made.length === 1);
    });
    expect(made).toEqual([1, 2].map(() => ["counting", plan.entries.step.kernels.length, 8]));
    expect(followed).toEqual(done);
    expect(communicator.closed).toBe(1);
    expect(broadcasts).toEqual([]);
  });

  test("a program that another can't have none has, and the error names it", () => {
    const failure = { code: "device", message: "too little memory" };
    const { broadcasts, done } = led(
      (processes, own) => {
        expect(() => processes.compile(plan, 8, () => recording(own))).toThrow(
          expect.objectContaining({
            code: "device",
            message: "rank 1 (process 101 on node n1): too little memory",
          }),
        );
        processes.compile(plan, 8, () => recording(own)).run("step");
      },
      [failure, null],
    );
    expect(done).toEqual([["release"], ["run", "step", 1, {}]]);
    const followed: unknown[] = [];
    let programs = 0;
    followLeader(rankOf(1, broadcasts, [null, null]), () =>
      programs++ === 0 ? fails("device", "too little memory")() : recording(followed),
    );
    expect(followed).toEqual([["run", "step", 1, {}]]);
  });

  test("nor has anybody one that the leading process can't have", () => {
    const { broadcasts } = led((processes) => {
      expect(() => processes.compile(plan, 8, fails("library", "no NCCL"))).toThrow(
        expect.objectContaining({ code: "library", message: "rank 0 (process 100 on node n1): no NCCL" }),
      );
    });
    const followed: unknown[] = [];
    followLeader(rankOf(1, broadcasts, [{ code: "library", message: "no NCCL" }]), () => recording(followed));
    expect(followed).toEqual([["release"]]);
  });

  test("what can't be done is not told", () => {
    const { broadcasts } = led((processes, done) => {
      const program = processes.compile(plan, 8, () => recording(done));
      expect(() => program.run("stp")).toThrow(/entry "stp"/);
      expect(() => program.run("step", 9)).toThrow("9 steps; expected 0 to 8");
      program.release();
      expect(() => program.run("step")).toThrow("a released program runs no more");
    });
    const followed: unknown[] = [];
    followLeader(rankOf(1, broadcasts, [null]), () => recording(followed));
    expect(followed).toEqual([["release"]]);
  });
});
