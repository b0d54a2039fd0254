/** A world of one, the parts of arrays, and what a launcher's environment says. */
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import { aloneCommunicator, launchedWorld, openCommunicator, partOf } from "../../src/collectives/index.js";
import { withoutWorld } from "../../src/collectives/launched.js";

describe("a world of one", () => {
  test("leaves every array as it is", () => {
    const world = openCommunicator({ environment: {} });
    expect([world.rank, world.size]).toEqual([0, 1]);
    expect(world.members).toEqual([{ rank: 0, node: hostname(), processId: process.pid }]);
    const array = new Float32Array([1, 2.5, -3]);
    world.allReduce(array);
    world.allReduce(array, "mean");
    for (const pending of [
      world.beginAllReduce(array),
      world.beginReduceScatter(array, "mean"),
      world.beginAllGather(array),
    ]) {
      expect(pending.advance()).toBe(true);
      pending.finish();
    }
    world.reduceScatter(array);
    world.allGather(array);
    world.broadcast(array);
    world.barrier();
    expect([...array]).toEqual([1, 2.5, -3]);
    expect(world.split("node").size).toBe(1);
    expect(world.split(3).rank).toBe(0);
    world.close();
    expect(() => world.allReduce(array)).toThrow("allReduce: the communicator is closed");
  });

  test("is what a launcher of one process starts, without a library", () => {
    const environment = { OMPI_COMM_WORLD_RANK: "0", OMPI_COMM_WORLD_SIZE: "1" };
    expect(openCommunicator({ environment, library: "libnowhere.so" }).size).toBe(1);
  });

  test("refuses what no world can do", () => {
    const world = aloneCommunicator();
    const wrong = (run: () => void): string => {
      try {
        run();
      } catch (error) {
        expect(error).toBeInstanceOf(SlalomError);
        expect((error as SlalomError).code).toBe("option");
        return (error as SlalomError).message;
      }
      return expect.fail("expected an error");
    };
    expect(wrong(() => world.allReduce(new Int32Array(2) as never))).toBe(
      "allReduce: received Int32Array; expected a Float32Array or a Float64Array.",
    );
    expect(wrong(() => world.beginReduceScatter(new Int32Array(2) as never))).toBe(
      "beginReduceScatter: received Int32Array; expected a Float32Array or a Float64Array.",
    );
    expect(wrong(() => world.beginAllGather(new Int32Array(2) as never))).toBe(
      "beginAllGather: received Int32Array; expected a Float32Array, a Float64Array or a Uint8Array.",
    );
    expect(wrong(() => world.broadcast([1, 2] as never))).toBe(
      "broadcast: received Array; expected a Float32Array, a Float64Array or a Uint8Array.",
    );
    expect(wrong(() => world.allReduce(new Float32Array(2), "max" as never))).toMatch(
      /unknown reduction "max"/,
    );
    expect(wrong(() => world.broadcast(new Uint8Array(2), 1))).toBe(
      "broadcast: root 1; expected a rank, 0 to 0.",
    );
    expect(wrong(() => world.split(-1))).toBe(
      'split: received -1; expected "node" or an integer of at least 0.',
    );
    expect(wrong(() => openCommunicator({ environment: {}, patienceMs: 0 }))).toBe(
      "openCommunicator: patienceMs 0; expected milliseconds, above 0.",
    );
  });
});

test("parts lie in the order of ranks, none more than an element longer", () => {
  const parts = (length: number, size: number) =>
    Array.from({ length: size }, (_, rank) => partOf(length, { rank, size })).map(({ start, end }) => [
      start,
      end,
    ]);
  expect(parts(10, 3)).toEqual([
    [0, 4],
    [4, 7],
    [7, 10],
  ]);
  expect(parts(2, 3)).toEqual([
    [0, 1],
    [1, 2],
    [2, 2],
  ]);
  expect(parts(0, 2)).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

describe("the environment of a rank", () => {
  const slurm = { SLURM_PROCID: "2", SLURM_STEP_NUM_TASKS: "4", SLURM_STEP_ID: "0", SLURM_NTASKS: "4" };

  test("tells rank and size before a library is loaded", () => {
    expect(launchedWorld({})).toBeUndefined();
    expect(launchedWorld({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "3", PMIX_RANK: "1" })).toEqual({
      launcher: "openmpi",
      title: "Open MPI's mpirun",
      rank: 1,
      size: 3,
      from: "OMPI_COMM_WORLD_RANK=1, OMPI_COMM_WORLD_SIZE=3",
    });
    expect(launchedWorld({ PMI_RANK: "0", PMI_SIZE: "2" })).toMatchObject({
      launcher: "mpich",
      rank: 0,
      size: 2,
    });
    expect(launchedWorld({ ...slurm, PMIX_RANK: "2" })).toMatchObject({
      launcher: "slurm",
      rank: 2,
      size: 4,
      from: "SLURM_PROCID=2, SLURM_STEP_NUM_TASKS=4",
    });
    const pmix = launchedWorld({ PMIX_RANK: "5" });
    expect(pmix).toEqual({
      launcher: "pmix",
      title: "a launcher with PMIx",
      rank: 5,
      from: "PMIX_RANK=5",
    });
  });

  test("mpirun inside of a Slurm job counts, its batch script is no rank", () => {
    expect(launchedWorld({ ...slurm, PMI_RANK: "1", PMI_SIZE: "2" })).toMatchObject({ rank: 1, size: 2 });
    const { SLURM_STEP_ID: _step, SLURM_STEP_NUM_TASKS: _tasks, ...batch } = slurm;
    expect(launchedWorld({ ...batch, SLURM_PROCID: "0" })).toBeUndefined();
    expect(launchedWorld({ PMI_RANK: "none", PMI_SIZE: "2" })).toBeUndefined();
  });

  test("can be left out, for a process that is no rank", () => {
    const rest = { PATH: "/bin", HOME: "/", OMP_NUM_THREADS: "1" };
    expect(
      withoutWorld({ ...rest, ...slurm, PMI_FD: "7", PMIX_RANK: "0", OMPI_MCA_ess: "^singleton" }),
    ).toEqual(rest);
  });
});
