/**
 * NCCL on devices of the fake driver: sums are work in their streams, done when the ranks of all have come to it, in the
 * order of ranks. What real ranks would wait for for ever is an error.
 */
import { SlalomError } from "../../../src/base/errors.js";
import type { FakeDriver } from "./fakeDriver.js";
import { type CFunction, FakeLibrary } from "./fakeLibrary.js";
import type { Meeting, Work } from "./fakeStreams.js";

interface Rank {
  readonly world: World;
  readonly rank: number;
  readonly device: number;
}

/** Ranks that have the same unique id. */
interface World {
  readonly size: number;
  /** Sums, as they come to be done. */
  readonly sums: (Sum | undefined)[];
  /** How many sums each rank has come to. */
  readonly come: number[];
}

/** One call for a rank. */
interface Addition {
  readonly address: bigint;
  readonly count: number;
  readonly type: 7 | 8;
}

interface Sum {
  readonly works: (Work | undefined)[];
  readonly arrays: (readonly DataView[])[];
}

export interface FakeNccl extends FakeLibrary {
  /** Communicators that were neither destroyed nor aborted. */
  live(): number;
  /** What `ncclCommGetAsyncError` says from now on. */
  asyncError: number;
}

const results: Readonly<Record<number, string>> = {
  1: "unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
  6: "remote process exited or there was a network error",
};

/** What a sum takes on its way. */
const travelMs = 8;

/** @param failing what a call returns, where it is not 0: by the call's line in the driver's record */
export function fakeNcclOn(
  driver: FakeDriver,
  { path = "libnccl.so.2", failing = (_line: string): number => 0 } = {},
): FakeNccl {
  const ranks = new Map<bigint, Rank>();
  const worlds = new Map<string, World>();
  let handle = 0x5000n;
  let ids = 0;
  let depth = 0;
  /** Made in the present group; one that fails makes none. */
  let connected: bigint[] = [];
  let groupFails = false;
  let inGroup: { readonly communicator: bigint; readonly stream: bigint; readonly addition: Addition }[] = [];
  const noted = (line: string, act: () => void = () => {}): number => {
    driver.calls.push(line);
    const code = failing(line);
    if (code === 0) act();
    else groupFails = true;
    return code;
  };
  const rankOf = (communicator: unknown): Rank => {
    const found = ranks.get(BigInt(communicator as bigint));
    if (!found) throw new Error(`${communicator} is no communicator, or was given back`);
    return found;
  };
  const endGroup = (): void => {
    const calls = inGroup;
    inGroup = [];
    if (groupFails) for (const one of connected) ranks.delete(one);
    connected = [];
    if (groupFails) return;
    for (const communicator of new Set(calls.map((call) => call.communicator))) {
      const own = calls.filter((call) => call.communicator === communicator);
      const { device, stream } = driver.stream(own[0].stream);
      const rank = rankOf(communicator);
      if (device !== rank.device) throw new Error(`rank ${rank.rank} in a stream of device ${device}`);
      const additions = own.map(({ addition }) => addition);
      stream.put({ run: () => {}, meet: (work) => meet(driver, rank, work, additions) });
    }
  };
  const library = new FakeLibrary(
    path,
    (lib): Record<string, CFunction> => ({
      ncclGetVersion: (at) => lib.setInt(at, 22_105) as undefined,
      ncclGetErrorString: (code) => results[Number(code)] ?? "no error that is known",
      ncclGetUniqueId: (at) => {
        lib.view(at).setUint8(127, ++ids);
        return noted("ncclGetUniqueId");
      },
      ncclCommInitRank: (at, size, id, rank) => {
        const { bytes } = id as unknown as { readonly bytes: Uint8Array };
        if (bytes.length !== 128) throw new Error(`a unique id of ${bytes.length} bytes`);
        return noted(
          `ncclCommInitRank ${rank} of ${size}, id ${bytes[127]}, device ${driver.current}`,
          () => {
            const key = String(bytes[127]);
            const world = worlds.get(key) ?? { size: Number(size), sums: [], come: [] };
            worlds.set(key, world);
            ranks.set(++handle, { world, rank: Number(rank), device: driver.current });
            connected.push(handle);
            lib.setWord(at, handle);
          },
        );
      },
      ncclGroupStart: () => {
        if (depth++ === 0) groupFails = false;
        return noted("ncclGroupStart");
      },
      ncclGroupEnd: () => {
        if (--depth < 0) throw new Error("a group that was not begun");
        endGroup();
        return noted("ncclGroupEnd");
      },
      ncclAllReduce: (from, to, count, type, operation, communicator, stream) => {
        const { rank, device } = rankOf(communicator);
        if (depth === 0) throw new Error("a sum of several ranks outside of a group");
        if (from !== to || operation !== 0 || (type !== 7 && type !== 8))
          throw new Error("a sum that is not in place, or not of numbers with a fraction");
        const address = BigInt(to);
        const place = `${driver.place(device, address)} x ${count}`;
        return noted(`ncclAllReduce rank ${rank}, ${place}, ${driver.stream(BigInt(stream)).label}`, () =>
          inGroup.push({
            communicator: BigInt(communicator),
            stream: BigInt(stream),
            addition: { address, count: Number(count), type },
          }),
        );
      },
      ncclCommGetAsyncError: (communicator, at) => {
        rankOf(communicator);
        lib.setInt(at, result.asyncError);
        return 0;
      },
      ncclCommAbort: (communicator) =>
        noted(`ncclCommAbort rank ${rankOf(communicator).rank}`, () => ranks.delete(BigInt(communicator))),
      ncclCommDestroy: (communicator) =>
        noted(`ncclCommDestroy rank ${rankOf(communicator).rank}`, () => ranks.delete(BigInt(communicator))),
    }),
  );
  const result: FakeNccl = Object.assign(library, { live: () => ranks.size, asyncError: 0 });
  return result;
}

/** Each rank's sums are met in the order in which they are put into streams or launched. */
function meet(
  driver: FakeDriver,
  { world, rank, device }: Rank,
  work: Work,
  additions: readonly Addition[],
): Meeting {
  const number = world.come[rank] ?? 0;
  world.come[rank] = number + 1;
  world.sums[number] ??= { works: [], arrays: [] };
  const sum = world.sums[number];
  sum.works[rank] = work;
  sum.arrays[rank] = additions.map(({ address, count, type }) => {
    const bytes = driver.bytesAt(device, address, count * (type === 7 ? 4 : 8));
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  });
  const isDouble = additions.map(({ type }) => type === 8);
  return {
    members: () =>
      Array.from({ length: world.size }, (_, other) => {
        const member = sum.works[other];
        if (!member) throw new SlalomError("internal", `rank ${other} never comes to sum ${number}`);
        return member;
      }),
    run: () => {
      driver.nowMs += travelMs;
      for (const [i, double] of isDouble.entries())
        add(
          sum.arrays.map((of) => of[i]),
          double,
        );
    },
  };
}

/** Puts the sum of arrays, element by element, into each. */
function add(arrays: readonly DataView[], isDouble: boolean): void {
  const bytes = isDouble ? 8 : 4;
  for (const { byteLength } of arrays)
    if (byteLength !== arrays[0].byteLength) throw new Error("ranks that sum arrays of unlike lengths");
  for (let at = 0; at < arrays[0].byteLength; at += bytes) {
    const values = arrays.map((one) => (isDouble ? one.getFloat64(at, true) : one.getFloat32(at, true)));
    const sum = values.reduce((a, b) => (isDouble ? a + b : Math.fround(a + b)));
    for (const one of arrays) {
      if (isDouble) one.setFloat64(at, sum, true);
      else one.setFloat32(at, sum, true);
    }
  }
}
