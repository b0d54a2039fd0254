/** What NCCL is called with, as C sees it: a unique id is a structure that is passed by its value. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openNccl } from "../../../src/backends/cuda/nccl.js";
import { Routes } from "../../../src/backends/cuda/routes.js";
import type { RankSum } from "../../../src/backends/cuda/sums.js";
import { openLibrary } from "../../../src/native/library.js";
import { temporaryFolder } from "../../launch/support.js";
import { FakeDriver, fakeFacts } from "./fakeDriver.js";

/** NCCL's prototypes, as nccl.h has them, and a record of the last calls. */
const source = `
#include <stddef.h>
#include <string.h>
extern "C" {
typedef struct { char internal[128]; } ncclUniqueId;
typedef struct ncclComm* ncclComm_t;
typedef struct CUstream_st* cudaStream_t;
char record[4096];
size_t recorded;
static void note(const void* bytes, size_t count) { memcpy(record + recorded, bytes, count); recorded += count; }
int ncclGetUniqueId(ncclUniqueId* id) { for (int i = 0; i < 128; i++) id->internal[i] = (char)(3 * i + 1); return 0; }
int ncclCommInitRank(ncclComm_t* comm, int size, ncclUniqueId id, int rank) {
  *comm = (ncclComm_t)(size_t)(0x7000 + rank);
  note(&id, sizeof id); note(&size, 4); note(&rank, 4);
  return 0;
}
int ncclAllReduce(const void* from, void* to, size_t count, int type, int op, ncclComm_t comm, cudaStream_t stream) {
  size_t all[7] = {(size_t)from, (size_t)to, count, (size_t)type, (size_t)op, (size_t)comm, (size_t)stream};
  note(all, sizeof all);
  return 0;
}
int ncclCommGetAsyncError(ncclComm_t, int* error) { *error = 0; return 0; }
int ncclCommAbort(ncclComm_t) { return 0; }
int ncclCommDestroy(ncclComm_t) { return 0; }
int ncclGroupStart() { return 0; }
int ncclGroupEnd() { return 0; }
const char* ncclGetErrorString(int) { return "an error"; }
void readRecord(char* to) { memcpy(to, record, recorded); recorded = 0; }
}`;

const hasCompiler = spawnSync("g++", ["--version"]).status === 0;

test.runIf(!hasCompiler)("NCCL in C: skipped, as there is no g++", () => {
  expect(hasCompiler).toBe(false);
});

describe.runIf(hasCompiler)("NCCL in C", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  test("is told the id, the ranks, and what to sum where", { timeout: 60_000 }, () => {
    const path = join(folder.path, "nccl");
    writeFileSync(`${path}.cpp`, source);
    const compiled = spawnSync("g++", ["-O1", "-fPIC", "-shared", "-o", `${path}.so`, `${path}.cpp`], {
      encoding: "utf8",
    });
    expect(compiled).toMatchObject({ status: 0, stderr: "" });
    const native = openLibrary(`${path}.so`);
    const read = native.func("void readRecord(uint64 to)");
    const record = (): DataView => {
      const bytes = new Uint8Array(4096);
      read(native.addressOfBytes(bytes));
      return new DataView(bytes.buffer);
    };
    const driver = new FakeDriver({ devices: 2 });
    const devices = [0, 1].map((ordinal) => {
      const [context, compile] = [driver.open(ordinal), () => new Uint8Array()];
      const emit = () => ({ source: "", arenaBytes: 0, entries: {} });
      const routes = new Routes({ context, compile }, {});
      const facts = { ...fakeFacts, ordinal };
      return { context, facts, emit, compile, routes, prepared: new WeakMap() };
    });
    const library = { name: "nccl", title: "NCCL", path, native } as const;
    const communicator = { rank: 0, size: 2, broadcast: () => {} };
    const sums = openNccl({ library, devices, communicator });
    const told = record();
    const id = Array.from({ length: 128 }, (_, i) => (3 * i + 1) % 256);
    for (const rank of [0, 1]) {
      const at = rank * 136;
      expect(Array.from({ length: 128 }, (_, i) => told.getUint8(at + i))).toEqual(id);
      expect([told.getInt32(at + 128, true), told.getInt32(at + 132, true)]).toEqual([4, rank]);
    }
    const ranks = devices.map(({ context }, i): RankSum => {
      const at = 2n ** 40n + BigInt(i);
      return {
        context,
        stream: 2n ** 33n + BigInt(i),
        arrays: [
          { address: at, dtype: "float32", count: 2 ** 33 },
          { address: at + 64n, dtype: "float64", count: 5 },
        ],
      };
    });
    sums.enqueue(ranks);
    const calls = record();
    const words = Array.from({ length: 28 }, (_, i) => Number(calls.getBigUint64(8 * i, true)));
    expect(words).toEqual(
      [0, 1].flatMap((i) => [
        ...[2 ** 40 + i, 2 ** 40 + i, 2 ** 33, 7, 0, 0x7000 + i, 2 ** 33 + i],
        ...[2 ** 40 + i + 64, 2 ** 40 + i + 64, 5, 8, 0, 0x7000 + i, 2 ** 33 + i],
      ]),
    );
    sums.release();
  });
});
