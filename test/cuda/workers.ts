/** Runs of a study that two workers train side by side against those of one worker. */
import { afterAll, describe, expect, test } from "vitest";
import { runStudy } from "../../src/lab/index.js";
import type { BackendChoice } from "../../src/launch/backendChoice.js";
import { loadStudies, sourcesOf } from "../../src/launch/studySource.js";
import { openWorkers } from "../../src/launch/threads.js";
import { loadStudy, openStore } from "../../src/runs/index.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";

/** @param apart what gives each of two workers a device of its own, where there are two */
export function workerParity(choice: BackendChoice, apart: Partial<BackendChoice> = {}): void {
  describe(`${choice.backend}: workers`, () => {
    const folder = temporaryFolder();
    afterAll(() => folder.remove());

    /** Losses of each run, by its id. */
    async function losses(backend: BackendChoice, count: number): Promise<Record<string, number[]>> {
      const path = folder.file("small.ts", smallStudy);
      const [study] = await loadStudies(path);
      const workers = await openWorkers({ backend, count });
      try {
        expect(workers.count).toBe(count);
        const store = openStore(`${folder.path}/by-${count}`);
        const executor = workers.executorFor(sourcesOf(path, [study])[0]);
        const { folder: stored } = await runStudy(study, { store, executor });
        return Object.fromEntries(
          loadStudy(stored).runs.map(({ id, rows }) => [id, [...rows().curve("trainLoss").value]]),
        );
      } finally {
        await workers.close();
      }
    }

    test("two train what one trains", async () => {
      const alone = await losses(choice, 1);
      const divided = await losses({ ...choice, ...apart }, 2);
      expect(Object.keys(alone)).toHaveLength(3);
      expect(Object.keys(divided)).toEqual(Object.keys(alone));
      for (const [id, values] of Object.entries(alone)) {
        expect(values).toHaveLength(51);
        // float64, on devices that may be of two kinds.
        for (const [step, loss] of values.entries())
          expect(Math.abs(divided[id][step] - loss), `${id}, step ${step}`).toBeLessThanOrEqual(1e-9 * loss);
      }
    });
  });
}
