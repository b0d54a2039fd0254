/** Stored studies whose numbers are given, for the tests of what is made of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadStudy, type MetricRow, openStore, type StoredStudy } from "../../src/runs/index.js";
import type { RunConfiguration, StudyRecord } from "../../src/runs/records.js";
import type { RunOutcome } from "../../src/runs/summary.js";
import { configuration, studyRecord } from "../runs/example.js";

export interface GivenRun {
  readonly configuration: Partial<RunConfiguration>;
  readonly rows: readonly MetricRow[];
  /** Absent: the run is not at its end. */
  readonly outcome?: RunOutcome;
}

export interface Folder {
  readonly path: string;
  /** Writes a study with these runs, and loads it. */
  store(runs: readonly GivenRun[], record?: Partial<StudyRecord>): StoredStudy;
  remove(): void;
}

/** A folder for a run store and for files beside it. */
export function exportFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "slalom-exports-"));
  return {
    path,
    store(runs, record = {}) {
      const study = openStore(join(path, "runs")).createStudy(studyRecord(record));
      for (const { configuration: changes, rows, outcome } of runs) {
        const writer = study.createRun(configuration(changes));
        writer.append(rows);
        if (outcome) writer.finish(outcome);
      }
      return loadStudy(study.folder);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
