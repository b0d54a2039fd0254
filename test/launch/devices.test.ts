/** Which GPUs a process takes: alone, for each of its workers, beside others that see the same, and beside others that see their own. */
import { describe, expect, test } from "vitest";
import {
  type DeviceRequest,
  devicesAmong,
  devicesOfFirst,
  devicesOfOne,
  devicesOfWorkers,
} from "../../src/launch/devices.js";

describe("a process that is alone", () => {
  test("takes the first GPU, as many as it has ranks, or those that are named", () => {
    expect(devicesOfOne({}, 4)).toEqual([0]);
    expect(devicesOfOne({ ranks: 2 }, 4)).toEqual([0, 1]);
    expect(devicesOfOne({ devices: [3, 1] }, 4)).toEqual([3, 1]);
    expect(devicesOfOne({ devices: [3, 1], ranks: 2 }, 4)).toEqual([3, 1]);
    expect(devicesOfOne({ devices: "all" }, 3)).toEqual([0, 1, 2]);
  });

  test.each([
    [{ ranks: 2 }, 1, "cuda: 2 GPUs are wanted, and 1 is visible; expected one for each rank."],
    [{}, 0, "cuda: 1 GPU is wanted, and none is visible;"],
    [{ devices: "all" }, 0, "cuda: 1 GPU is wanted, and none is visible;"],
    [{ devices: [0, 1], ranks: 1 }, 4, "cuda: 1 GPU is wanted, and 2 were named;"],
    [{ devices: [1], ranks: 2 }, 4, "cuda: 2 GPUs are wanted, and 1 was named;"],
    [{ devices: "all", ranks: 2 }, 4, "cuda: 2 GPUs are wanted, and 4 were named;"],
    [{ devices: [4] }, 4, "cuda: received device 4, and 4 GPUs are visible; expected 0 to 3."],
    [{ devices: [1] }, 1, "cuda: received device 1, and 1 GPU is visible; expected 0."],
    [{ devices: [0] }, 0, "cuda: received device 0, and no GPU is visible."],
  ] as const)("%j of %i visible is refused", (request, visible, message) => {
    expect(() => devicesOfOne(request, visible)).toThrow(
      expect.objectContaining({ code: "device", message: expect.stringContaining(message) }),
    );
  });
});

describe("workers of a process that is alone", () => {
  const many = { useful: 100 };

  test.each([
    // One worker has what a process without workers has.
    [{}, many, [[0]]],
    [{ ranks: 2 }, many, [[0, 1]]],
    [{ devices: [3, 1] }, many, [[3, 1]]],
    [{ devices: "all" }, { ...many, count: 1 }, [[0, 1, 2, 3]]],
    // Fewer ranks than GPUs.
    [{ devices: "all", ranks: 1 }, many, [[0], [1], [2], [3]]],
    [
      { devices: [3, 1, 2, 0], ranks: 2 },
      many,
      [
        [3, 1],
        [2, 0],
      ],
    ],
    [{ devices: "all", ranks: 1 }, { useful: 3 }, [[0], [1], [2]]],
    [{ devices: "all", ranks: 1 }, { useful: 0 }, [[0]]],
    // Workers that were asked for, of use or not.
    [{ devices: "all" }, { count: 4, useful: 1 }, [[0], [1], [2], [3]]],
    [
      { devices: "all" },
      { ...many, count: 2 },
      [
        [0, 1],
        [2, 3],
      ],
    ],
    [{ devices: [2, 1] }, { ...many, count: 4 }, [[2], [1], [2], [1]]],
    [{}, { ...many, count: 3 }, [[0], [0], [0]]],
  ] as const)("%j for %j", (request, wish, devices) => {
    expect(devicesOfWorkers(request, 4, wish)).toEqual(devices);
  });

  test.each([
    [
      { devices: "all", ranks: 3 },
      many,
      "cuda: received 4 GPUs for trainings of 3 ranks each; expected a multiple of 3. Name as many (--devices).",
    ],
    [
      { devices: "all" },
      { ...many, count: 3 },
      "cuda: 3 workers of 1 rank each were asked for on 4 GPUs; expected a GPU for each rank, 3 in all. Name as many (--devices), or leave out --workers.",
    ],
    [{ devices: [0, 1], ranks: 2 }, { ...many, count: 2 }, "2 workers of 2 ranks each were asked for on 2"],
    [{ ranks: 2 }, { ...many, count: 2 }, "for on 2 GPUs; expected a GPU for each rank, 4 in all."],
    [{ devices: [0, 1], ranks: 1 }, { ...many, count: 1 }, "cuda: 1 GPU is wanted, and 2 were named;"],
    [{ devices: [0], ranks: 2 }, many, "cuda: 2 GPUs are wanted, and 1 was named;"],
    [{ devices: [0, 4], ranks: 1 }, many, "cuda: received device 4, and 4 GPUs are visible;"],
  ] as const)("%j for %j is refused", (request, wish, message) => {
    expect(() => devicesOfWorkers(request, 4, wish)).toThrow(
      expect.objectContaining({ code: "device", message: expect.stringContaining(message) }),
    );
  });
});

describe("processes of one machine", () => {
  const allAmong = (request: DeviceRequest, seen: readonly (readonly string[])[]): number[][] =>
    seen.map((_, own) => devicesAmong(request, seen, own));
  const four = ["a", "b", "c", "d"];
  const same = (processes: number, gpus: readonly string[] = four): string[][] =>
    Array.from({ length: processes }, () => [...gpus]);

  test("share out those that all of them see, in the order of their ranks", () => {
    expect(allAmong({}, same(4))).toEqual([[0], [1], [2], [3]]);
    expect(allAmong({}, same(3))).toEqual([[0], [1], [2]]);
    expect(allAmong({ ranks: 2 }, same(2))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(allAmong({ devices: [2, 3] }, same(2))).toEqual([[2], [3]]);
    expect(allAmong({ devices: "all", ranks: 2 }, same(2))).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test("take their own where each sees its own", () => {
    expect(allAmong({}, [["a"], ["b"], ["c"]])).toEqual([[0], [0], [0]]);
    expect(allAmong({ ranks: 2 }, [four.slice(0, 2), four.slice(2)])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  test("the first one knows its own before it meets the others", () => {
    for (const request of [{}, { ranks: 2 }, { devices: [2, 3] }, { devices: "all", ranks: 2 }] as const)
      expect(devicesOfFirst(request, 4)).toEqual(devicesAmong(request, same(2), 0));
    expect(() => devicesOfFirst({ ranks: 3 }, 2)).toThrow("cuda: 3 GPUs are wanted, and 2 are visible;");
  });

  test.each([
    [
      {},
      same(2, ["a"]),
      "cuda: 2 GPUs are wanted for 2 processes of one machine, and 1 is visible; expected one for each rank, 1 a process.",
    ],
    [{ ranks: 2 }, same(3), "6 GPUs are wanted for 3 processes of one machine, and 4 are visible;"],
    [{ devices: "all" }, same(2), "2 GPUs are wanted for 2 processes of one machine, and 4 were named;"],
    [
      {},
      [
        ["a", "b"],
        ["b", "a"],
        ["b", "c"],
      ],
      "processes of one machine see the GPUs a, b and b, a, some in common and others not",
    ],
  ] as const)("%j of %j is refused", (request, seen, message) => {
    expect(() => allAmong(request, seen)).toThrow(
      expect.objectContaining({ code: "device", message: expect.stringContaining(message) }),
    );
  });
});
