/** Processes that mpirun starts, each with GPUs of its own: who takes which, and what they tell each other. The GPUs are fakes. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { launch, launchers } from "../collectives/worlds.js";

const root = mkdtempSync(join(tmpdir(), "slalom-gpus-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const program = fileURLToPath(new URL("./gpuRank.mjs", import.meta.url));

interface Found {
  readonly devices?: readonly number[];
  readonly traits?: Readonly<Record<string, string>>;
  readonly objection?: { readonly code: string; readonly message: string };
}

/** What was asked for, and the GPUs that each of two processes sees; none without a driver. */
const cases = [
  {
    choice: {},
    seen: [
      [7, 8, 9],
      [7, 8, 9],
    ],
  },
  {
    choice: { ranks: 2, tf32: true },
    seen: [
      [1, 2],
      [3, 4],
    ],
  },
  { choice: {}, seen: [[5], [5]] },
  { choice: {}, seen: [[5], null] },
];

describe.each(launchers)("$title", ({ launcher, absence }) => {
  if (launcher === undefined) {
    test("is absent", ({ skip }) => skip(absence));
    return;
  }

  test("processes share out the GPUs that they see in common, take their own, and say what is lacking", async () => {
    const folder = mkdtempSync(join(root, "world-"));
    const { code, text } = await launch(launcher, 2, [program, folder, JSON.stringify(cases)]).ended;
    expect(code, text).toBe(0);
    const [first, second] = [0, 1].map(
      (rank) => JSON.parse(readFileSync(join(folder, `found-${rank}.json`), "utf8")) as Found[],
    );
    expect([first, second].map((found) => found.map(({ devices }) => devices))).toEqual([
      [[0], [0, 1], undefined, [0]],
      [[1], [0, 1], undefined, undefined],
    ]);
    expect(second[0].traits).toMatchObject({
      command: "run it.ts",
      "GPUs of each process": "1",
      GPU: "Fake GPU (compute capability 9.0)",
      "NVIDIA driver": "up to CUDA 12.4",
      NVRTC: "12.4",
      NCCL: "2.21.5",
      "products of float32": "in float32",
    });
    expect(second[1].traits).toMatchObject({
      "GPUs of each process": "2",
      "products of float32": "in TF32",
    });
    const [none, too, few, without] = first.map(({ objection }) => objection);
    expect([none, too]).toEqual([undefined, undefined]);
    expect(few!.message).toMatch(
      /^rank 0 \(process \d+ on node \S+\): cuda: 2 GPUs are wanted for 2 processes of one machine, and 1 is visible;/,
    );
    expect(without).toMatchObject({
      code: "library",
      message: expect.stringMatching(
        /^rank 1 \(process \d+ on node \S+\): cuda: NVIDIA driver was not found;/,
      ),
    });
    expect(second.map(({ objection }) => objection)).toEqual([none, too, few, without]);
  }, 300_000);
});
