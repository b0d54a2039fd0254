/** Processes that train together say what they are: who differs is named with what differs. */
import { expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import type { Communicator, MovableArray } from "../../src/collectives/index.js";
import { objectionAmong, type Traits } from "../../src/launch/agreement.js";

/** What each rank of a world finds whose ranks tell these, or why they can't, and whose messages these libraries carry. */
function found(
  told: readonly (Traits | Error)[],
  libraries: readonly (string | undefined)[] = [],
): (string | undefined)[] {
  const members = told.map((_, rank) => ({ rank, node: `n${rank}`, processId: 100 + rank }));
  const arrays: MovableArray[] = [];
  const as = (rank: number, allGather: Communicator["allGather"]) => {
    const library = libraries[rank];
    const world = { rank, size: told.length, members, allGather, ...(library !== undefined && { library }) };
    return objectionAmong(world, introductionOf(told[rank]))?.message;
  };
  // First what each tells, then what all of them see.
  for (const rank of told.keys()) {
    try {
      as(rank, (array) => {
        arrays.push(array.slice());
        throw new Error("told");
      });
    } catch {}
  }
  return [...told.keys()].map((rank) =>
    as(rank, (array) => {
      const part = array.length / told.length;
      arrays.forEach((other, from) => {
        array.set(other.subarray(from * part, (from + 1) * part), from * part);
      });
    }),
  );
}

const introductionOf = (told: Traits | Error) => (told instanceof Error ? { error: told } : { traits: told });

const same = { Slalom: "1.2.3", command: "run é.ts", "matrix products": "oneDNN 3.1" };

test("those that are the same find nothing, whatever their commands hold", () => {
  expect(found([same, same, same])).toEqual([undefined, undefined, undefined]);
  const long = { ...same, command: `run ${"é\n".repeat(5000)}` };
  expect(found([long, long])).toEqual([undefined, undefined]);
});

test("one that differs is named, the same on all ranks", () => {
  const other = { ...same, Slalom: "1.2.4", "matrix products": "our own" };
  const [message, ...more] = found([same, same, other]);
  expect(message).toBe(
    "3 processes train together: rank 2 (process 102 on node n2) differs from rank 0 (process 100 on node n0), which has Slalom 1.2.3, and 1.2.4 there; matrix products oneDNN 3.1, and our own there. Expected the same of all: start them by one command, of one installation that every machine sees.",
  );
  expect(more).toEqual([message, message]);
});

test("long commands that differ in their last letter are told apart", () => {
  const [message] = found(["a", "b"].map((end) => ({ command: `run ${"x".repeat(5000)}${end}` })));
  expect(message).toMatch(/which has command run x+\.\.\. \(\w{8}\), and run x+\.\.\. \(\w{8}\) there/);
});

test("one that can't compute is named with its reason, before any that differs", () => {
  const [message, ...more] = found([
    same,
    { ...same, Slalom: "1.2.4" },
    new SlalomError("library", "no driver"),
  ]);
  expect(message).toBe("rank 2 (process 102 on node n2): no driver");
  expect(more).toEqual([message, message]);
  const long = new SlalomError("device", "\n".repeat(100_000));
  expect(found([same, long])[0]).toContain("rank 1 (process 101 on node n1): ");
});

test("two versions of an MPI library in one world are told apart", () => {
  const [first, second] = ["Open MPI 4.1.4", "Open MPI 5.0.1"];
  expect(found([same, same], [first, first])).toEqual([undefined, undefined]);
  const [message, other] = found([same, same], [first, second]);
  expect(message).toContain("which has messages by Open MPI 4.1.4, and Open MPI 5.0.1 there. Expected");
  expect(other).toBe(message);
});
