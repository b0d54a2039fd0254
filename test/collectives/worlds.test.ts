/** Ranks that are processes, started by the real mpirun: what collectives give, and how worlds end. */
import { availableParallelism, hostname } from "node:os";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { partOf } from "../../src/collectives/index.js";
import { ownOn } from "./gradients.js";
import { updateCases } from "./updates.js";
import {
  allReductions,
  arrayOf,
  digest,
  type FloatKind,
  fill,
  floatKinds,
  journeys,
  lengths,
  memories,
  reduced,
} from "./values.js";
import { endWorlds, launchers, startWorld, survivors, waitFor } from "./worlds.js";

afterAll(endWorlds);

/** How long the ranks of a test wait for one that hangs: more than a loaded machine may make one wait. */
const patience = { patienceMs: 6_000 };
const longMs = 300_000;

const cases = floatKinds.flatMap((kind) =>
  memories.flatMap(() => lengths.map((length): [FloatKind, number] => [kind, length])),
);

/** What a rank's array is after a reduce-scatter. */
function scattered(kind: FloatKind, length: number, rank: number, size: number): string {
  const { start, end } = partOf(length, { rank, size });
  const array = fill(arrayOf(kind, length, "plain"), rank);
  array.set(reduced(kind, length, size, "sum").subarray(start, end), start);
  return digest(array);
}

/** What every rank's array is after an all-gather. */
function gathered(kind: FloatKind, length: number, size: number): string {
  const array = arrayOf(kind, length, "plain");
  for (let rank = 0; rank < size; rank++) {
    const { start, end } = partOf(length, { rank, size });
    array.set(fill(arrayOf(kind, length, "plain"), rank).subarray(start, end), start);
  }
  return digest(array);
}

interface Values {
  readonly rank: number;
  readonly size: number;
  readonly members: readonly { rank: number; node: string; processId: number }[];
  readonly library: string;
  readonly sum: readonly string[];
  readonly mean: readonly string[];
  readonly scattered: readonly string[];
  readonly gathered: readonly string[];
  readonly sent: readonly string[];
  readonly bytes: readonly number[];
}

describe.each(launchers)("$title", ({ launcher, absence }) => {
  if (launcher === undefined) {
    test("is absent", ({ skip }) => skip(absence));
    return;
  }
  const start = startWorld.bind(undefined, launcher);
  const nameOf = (rank: number, processes: readonly number[]): string =>
    `rank ${rank} (process ${processes[rank]} on node ${hostname()})`;

  test.each([2, 3])(
    "%i ranks: every collective gives the values of plain loops in the order of ranks, bit for bit",
    async (size) => {
      const world = start(size, "values");
      expect(await world.ended).toMatchObject({ code: 0 });
      const of = (kind: FloatKind, length: number, rank: number) =>
        fill(arrayOf(kind, length, "plain"), rank);
      const ranks = Array.from({ length: size }, (_, rank) => rank);
      const processes = world.processes();
      expect(processes).toHaveLength(size);
      for (const rank of ranks) {
        const found = world.found<Values>(rank);
        expect([found.rank, found.size]).toEqual([rank, size]);
        expect(found.members).toMatchObject(
          ranks.map((other) => ({ rank: other, node: hostname(), processId: processes[other] })),
        );
        expect(found.library).toMatch(/^(Open MPI|MPICH) \d+\.\d+/);
        for (const reduction of allReductions)
          expect(found[reduction]).toEqual(
            cases.map(([kind, length]) => digest(reduced(kind, length, size, reduction))),
          );
        expect(found.scattered).toEqual(cases.map(([kind, length]) => scattered(kind, length, rank, size)));
        expect(found.gathered).toEqual(cases.map(([kind, length]) => gathered(kind, length, size)));
        expect(found.sent).toEqual(cases.map(([kind, length], i) => digest(of(kind, length, i % size))));
        expect(found.bytes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
      }
      expect(await survivors(world)).toEqual([]);
    },
    longMs,
  );

  test(
    "the same bits every time, and those of an element wherever it lies",
    async () => {
      const world = start(3, "again");
      expect(await world.ended).toMatchObject({ code: 0 });
      const sums = reduced("float32", 65_537, 3, "sum");
      for (const rank of [0, 1, 2])
        expect(world.found(rank)).toEqual({
          digests: [digest(sums)],
          part: digest(sums.slice(40_000, 40_010)),
        });
    },
    longMs,
  );

  test.each([2, 3])(
    "%i ranks: what was begun gives the same bits, however ranks look after it",
    async (size) => {
      const world = start(size, "underway");
      expect(await world.ended).toMatchObject({ code: 0 });
      const cases = floatKinds.flatMap((kind) =>
        journeys.map((length): [FloatKind, number] => [kind, length]),
      );
      const digests = cases.map(([kind, length]) => digest(reduced(kind, length, size, "sum")));
      const all = cases.map(([kind, length]) => gathered(kind, length, size));
      const one = (size * (size + 1)) / 2;
      for (let rank = 0; rank < size; rank++)
        expect(world.found(rank)).toEqual({
          ...{ digests, told: 17, one, over: true },
          parts: [cases.map(([kind, length]) => scattered(kind, length, rank, size)), all],
          refusal: rank === 0 ? "close: 18 exchanges are under way; expected all to be finished." : "",
        });
    },
    longMs,
  );

  test.each([2, 3])(
    "%i ranks: gradients that travel while the backward pass goes on are those of all ranks, added in order",
    async (size) => {
      const world = start(size, "gradients");
      expect(await world.ended).toMatchObject({ code: 0 });
      const backend = cpuBackend();
      const [sums, ...others] = Array.from({ length: size }, (_, rank) => ownOn(backend, rank));
      for (const gradients of others)
        for (const [i, sum] of sums.entries()) for (let j = 0; j < sum.length; j++) sum[j] += gradients[i][j];
      expect(sums.every((sum) => sum.some((value) => value !== 0))).toBe(true);
      expect(world.found(0)).toEqual({ digests: sums.map(digest) });
    },
    longMs,
  );

  test.skipIf(availableParallelism() < 2)(
    "two threads in each of two processes: the same up to rounding, and the same bits again",
    async () => {
      const world = start(2, "gradientsOfThreads");
      expect(await world.ended).toMatchObject({ code: 0 });
      const { isSame, errors } = world.found<{ isSame: boolean; errors: readonly number[] }>(0);
      expect(isSame).toBe(true);
      expect(errors).toHaveLength(3);
      for (const error of errors) expect(error).toBeLessThan(1e-5);
    },
    longMs,
  );

  // What is above the library is the same for all.
  const isFirst = launcher === launchers.find((one) => one.launcher)?.launcher;
  test.each([
    [2, 1],
    ...(isFirst
      ? [
          [3, 1],
          [2, 2],
        ]
      : []),
  ])(
    "%i processes of %i threads: updates that processes divide give the bits of those that each makes whole",
    async (size, threads) => {
      if (threads > availableParallelism()) return;
      const world = start(size, threads === 1 ? "updates" : "updatesOfThreads");
      expect(await world.ended).toMatchObject({ code: 0 });
      const { divided, whole } = world.found<Record<"divided" | "whole", object>>(0);
      expect(Object.keys(divided)).toEqual([...Object.keys(updateCases), "Adam, with a process less"]);
      expect(divided).toEqual(whole);
    },
    longMs,
  );

  test(
    "splits by node and by number; sums go through leaders",
    async () => {
      const world = start(3, "split");
      expect(await world.ended).toMatchObject({ code: 0 });
      const processes = world.processes();
      const expected = [
        { node: [0, 3], parity: [0, 2], processes: [processes[0], processes[2]], total: 7 },
        { node: [1, 3], parity: [0, 1], processes: [processes[1]], total: 7 },
        { node: [2, 3], parity: [1, 2], processes: [processes[0], processes[2]], total: 7 },
      ];
      expect([0, 1, 2].map((rank) => world.found(rank))).toEqual(expected);
    },
    longMs,
  );

  test(
    "one thread of a process speaks for it, on a slice of its WebAssembly memory",
    async () => {
      const world = start(2, "worker");
      expect(await world.ended).toMatchObject({ code: 0 });
      expect([0, 1].map((rank) => world.found(rank))).toEqual([{ values: [12, 12] }, { values: [12, 12] }]);
    },
    longMs,
  );

  test(
    "an access out of bounds stays an error of WebAssembly",
    async () => {
      const world = start(2, "traps");
      expect(await world.ended).toMatchObject({ code: 0 });
      expect([0, 1].map((rank) => world.found(rank))).toEqual(
        [0, 1].map(() => ({ trap: "memory access out of bounds" })),
      );
    },
    longMs,
  );

  test(
    "a rank may be late, and may end without closing",
    async () => {
      const worlds = ["late", "unclosed"].map((scenario) => start(2, scenario));
      for (const world of worlds) {
        expect(await world.ended).toMatchObject({ code: 0 });
        expect([0, 1].map((rank) => world.found(rank))).toEqual([{ sum: 2 }, { sum: 2 }]);
      }
    },
    longMs,
  );

  test(
    "a rank that is killed ends the others",
    async () => {
      const world = start(3, "killed");
      const { code } = await world.ended;
      expect(code).toBeGreaterThan(0);
      expect(world.processes()).toHaveLength(3);
      expect(await survivors(world)).toEqual([]);
    },
    longMs,
  );

  test(
    "a rank that hangs or is stopped is named, and all end",
    async () => {
      const worlds = ["hanging", "stopped"].map((scenario) => start(3, scenario, patience));
      for (const world of worlds) {
        const { code, text } = await world.ended;
        expect(code).toBeGreaterThan(0);
        const processes = world.processes();
        expect(text).toContain(
          `allReduce: ${nameOf(1, processes)} does not answer; ${nameOf(0, processes)}, ${nameOf(2, processes)} have waited at allReduce of 1000 numbers (call 6 of the world) for`,
        );
        expect(await survivors(world)).toEqual([]);
      }
    },
    longMs,
  );

  test(
    "a rank that is stopped or killed while sums are under way is named, or ends the others",
    async () => {
      const killed = start(3, "killedUnderway", patience);
      expect((await killed.ended).code).toBeGreaterThan(0);
      const stopped = start(3, "stoppedUnderway", patience);
      const { code, text } = await stopped.ended;
      expect(code).toBeGreaterThan(0);
      const processes = stopped.processes();
      expect(text).toContain(
        `allReduce: ${nameOf(1, processes)} does not answer; ${nameOf(0, processes)}, ${nameOf(2, processes)} have waited at allReduce of 1000000 numbers (call 2 of the world) for`,
      );
      expect([...(await survivors(stopped)), ...(await survivors(killed))]).toEqual([]);
    },
    longMs,
  );

  test(
    "an error of one rank ends all",
    async () => {
      const worlds = ["throwing", "rejecting", "threadThrowing"].map((scenario) => start(3, scenario));
      for (const world of worlds) {
        const { code, text } = await world.ended;
        expect(code).toBeGreaterThan(0);
        expect(text).toContain(
          `slalom: ${nameOf(1, world.processes())}: Error: this rank has had enough\n    at`,
        );
        expect(text).toContain("All 3 ranks end.");
        expect(await survivors(world)).toEqual([]);
      }
    },
    longMs,
  );

  test(
    "a rank that leaves early, or calls something else, is told from one that hangs",
    async () => {
      const [leaving, astray] = ["leaving", "astray"].map((scenario) => start(2, scenario, patience));
      const left = await leaving.ended;
      expect(left.code).toBeGreaterThan(0);
      expect(left.text).toMatch(
        /rank 0 .*: allReduce: ranks wait for one another at different calls: this one at allReduce of 1000 numbers \(call 6 of the world\) for [\d.]+ s, but rank 1 .* waits at close \(call 6|rank 1 .*: close: .* but rank 0 .* waits at allReduce of 1000 numbers \(call 6/,
      );
      const gone = await astray.ended;
      expect(gone.code).toBeGreaterThan(0);
      expect(gone.text).toMatch(/ waits at (barrier|allReduce of 1000 numbers) \(call 2 of the world\)/);
      expect([...(await survivors(leaving)), ...(await survivors(astray))]).toEqual([]);
    },
    longMs,
  );

  test(
    "arrays of different lengths are an error",
    async () => {
      const world = start(3, "lengths", patience);
      const { code, text } = await world.ended;
      expect(code).toBe(1);
      expect(text).toMatch(
        /allReduce: (this rank's array has 100 elements, and rank 1 sent 30 of a part of 3[34]; expected arrays of one length|MPI_Test of .* failed: .*truncated)/i,
      );
      expect(await survivors(world)).toEqual([]);
    },
    longMs,
  );

  test(
    "a rank that never starts MPI is not waited for without end",
    async () => {
      const world = start(2, "absent", { startPatienceMs: 6_000 });
      const { code, text } = await world.ended;
      expect(code).toBeGreaterThan(0);
      expect(text).toContain(
        `slalom: ${nameOf(0, world.processes())} has waited 6 s for MPI to start: another rank has not started it`,
      );
      expect(await survivors(world)).toEqual([]);
    },
    longMs,
  );

  test(
    "SIGTERM and SIGINT to the launcher end everything",
    async () => {
      const signals = ["SIGTERM", "SIGINT"] as const;
      const worlds = signals.map((signal) => ({ signal, world: start(3, "forever") }));
      for (const { signal, world } of worlds) {
        await waitFor(world, () => [0, 1, 2].every((rank) => world.hasFound(rank)));
        world.process.kill(signal);
        const { code } = await world.ended;
        // Hydra at times loses the exit codes of processes that it passed a signal to.
        if (launcher.library.title !== "MPICH") expect(code).not.toBe(0);
        expect(await survivors(world)).toEqual([]);
      }
    },
    longMs,
  );

  const other = launchers.find(
    (one) => one.launcher && one.launcher.library.title !== launcher.library.title,
  )?.launcher;
  test.skipIf(other === undefined)(
    "the library of another MPI than its launcher's is refused with the reason",
    async () => {
      const world = start(2, "open", { library: other!.library.path });
      const { code, text } = await world.ended;
      expect(code).toBeGreaterThan(0);
      expect(text).toMatch(
        new RegExp(
          `started this process as rank [01] of 2 \\(.*\\), but ${other!.title} ${other!.library.version} \\(.*\\) sees rank 0 of 1: each process would be a world of its own.*Start with the mpirun of ${other!.title}`,
        ),
      );
      expect(await survivors(world)).toEqual([]);
    },
    longMs,
  );
});
