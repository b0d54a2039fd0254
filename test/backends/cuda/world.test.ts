/** Processes that mpirun starts train on the cuda backend together: one leads, the others follow. Their devices are fakes. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { launch, launchers } from "../../collectives/worlds.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-cuda-world-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const program = fileURLToPath(new URL("./worldRank.mjs", import.meta.url));

describe.each(launchers)("$title", ({ launcher, absence }) => {
  if (launcher === undefined) {
    test("is absent", ({ skip }) => skip(absence));
    return;
  }

  test("each process does what rank 0 does, on its share, and gives everything back", async () => {
    const { code, text } = await launch(launcher, 3, [program, folder]).ended;
    expect(code, text).toBe(0);
    const found = [0, 1, 2].map((rank) =>
      JSON.parse(readFileSync(join(folder, `found-${rank}.json`), "utf8")),
    );
    // Ranks 0, 1 and 2 sum once, twice and three times x: six times x in a step.
    expect(found[0]).toMatchObject({ ranks: 3, x: [36, 360, 3600], trace: [12, 120, 1200, 72, 720, 7200] });
    expect(found[0].times).toHaveLength(3);
    for (const { runS, timed } of found[0].times) {
      expect(runS).toBeGreaterThan(0);
      expect(timed.steps).toBe(1);
    }
    for (const { launches, uploads, held } of found)
      expect({ launches, uploads, held }).toEqual({ launches: 2, uploads: 1, held: [] });
  }, 300_000);
});
