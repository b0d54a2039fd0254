/**
 * The run store: a study is a folder, a run is a folder in it. No lock and no server: each run has one writer,
 * whole files are renamed into place, rows are appended. Killing a writer at any moment leaves it readable.
 */
import { readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { SlalomError, unknownName } from "../base/errors.js";
import { createWhole, encodeRecord, guarded, isAside, makeFolder, writeWhole } from "./files.js";
import { checkStudyName, runId } from "./identity.js";
import { firstDifference } from "./json.js";
import { encodeRows } from "./metrics.js";
import { foldersIn, readRun, readRuns, readStudyRecord, type StoredRun, tail } from "./read.js";
import { isResult, type RunConfiguration, type RunRecord, type StudyRecord } from "./records.js";
import { RunWriter } from "./writer.js";

export interface CreateStudyOptions {
  /**
   * When a study of this name is stored: "continue" it if it asks the same question (the default; several
   * processes of one study do this), or "refuse".
   */
  readonly ifExists?: "continue" | "refuse";
}

export interface Store {
  readonly root: string;
  /** Names of the studies stored here, sorted. */
  studies(): string[];
  has(name: string): boolean;
  /**
   * Makes the study's folder, or opens the one that asks the same question, of more seeds perhaps, which it then has
   * too. Errors: a different study under this name (names the first difference), a name that can't be a folder, a
   * folder that can't be written.
   */
  createStudy(record: StudyRecord, options?: CreateStudyOptions): Study;
  /** The stored study of this name, undefined where there is none. Throws when it asks another question. */
  sameStudy(record: StudyRecord): Study | undefined;
  /** Opens a stored study; an unknown name lists those stored. */
  openStudy(name: string): Study;
  /** Deletes a study with all its runs. */
  removeStudy(name: string): void;
}

/** The store in the folder `root`, which is made by the first study. */
export function openStore(root: string): Store {
  const folderOf = (name: string) => {
    checkStudyName(name);
    return join(root, name);
  };
  const has = (name: string) => readStudyRecord(folderOf(name)) !== undefined;
  const studies = () =>
    foldersIn(root)
      .filter((name) => readStudyRecord(join(root, name)) !== undefined)
      .sort();
  return {
    root,
    studies,
    has,
    createStudy(record, options = {}) {
      const folder = folderOf(record.name);
      makeFolder(join(folder, "runs"));
      if (createWhole(join(folder, "study.json"), encodeRecord(record))) {
        return new Study(folder, record, false, []);
      }
      const stored = readStudyRecord(folder) ?? record;
      if (options.ifExists === "refuse") {
        throw new SlalomError(
          "store",
          `study "${record.name}" exists already (${folder}, created ${stored.created}). Resume it, or choose another name.`,
        );
      }
      const grown = stored.seeds.every((seed) => record.seeds.includes(seed));
      const known: StudyRecord = grown ? { ...stored, seeds: record.seeds } : stored;
      checkSameQuestion(known, record, folder);
      if (known.seeds.length > stored.seeds.length)
        writeWhole(join(folder, "study.json"), encodeRecord(known));
      return new Study(folder, known, true, versionChanges(stored, record));
    },
    sameStudy(record) {
      const folder = folderOf(record.name);
      const stored = readStudyRecord(folder);
      if (stored === undefined) return undefined;
      checkSameQuestion(stored, record, folder);
      return new Study(folder, stored, true, versionChanges(stored, record));
    },
    openStudy(name) {
      const folder = folderOf(name);
      const record = readStudyRecord(folder);
      if (record === undefined) {
        const stored = studies();
        if (stored.length > 0) throw unknownName(`study in ${root}`, name, stored);
        throw new SlalomError("store", `no study "${name}": ${root} holds none. Run a study first.`);
      }
      return new Study(folder, record, true, []);
    },
    removeStudy(name) {
      const folder = folderOf(name);
      guarded("delete", folder, () => rmSync(folder, { recursive: true, force: true }));
    },
  };
}

/** A stored study that can be added to. Get one from `Store.createStudy` or `Store.openStudy`. */
export class Study {
  constructor(
    readonly folder: string,
    readonly record: StudyRecord,
    /** True when the study was stored before. */
    readonly resumed: boolean,
    /** Versions that differ from those it was begun with, in words: worth a warning. */
    readonly versionChanges: readonly string[],
  ) {}

  /** All runs in reading order: optimizer, hyperparameters, seed. */
  runs(): StoredRun[] {
    return readRuns(this.folder, this.record);
  }

  /** The stored run of a configuration or id; undefined when there is none. */
  run(which: RunConfiguration | string): StoredRun | undefined {
    return readRun(this.runFolder(typeof which === "string" ? which : runId(which)));
  }

  /** The configurations that still need training: no result (completed, diverged) is stored for them. */
  missing(configurations: readonly RunConfiguration[]): RunConfiguration[] {
    return configurations.filter((configuration) => {
      const run = this.run(configuration);
      return run === undefined || !isResult(run.status);
    });
  }

  /**
   * Begins a run. One that is stored without a result starts from scratch: its rows are replaced, not mixed.
   * Errors: a result is stored already (ask `missing` first); the folder can't be written.
   */
  createRun(configuration: RunConfiguration): RunWriter {
    const id = runId(configuration);
    const folder = this.runFolder(id);
    const stored = readRun(folder);
    if (stored !== undefined) {
      const difference = firstDifference(stored.configuration, configuration);
      if (difference) throw new SlalomError("store", `run ${id}: two configurations share this id.`);
      if (isResult(stored.status)) {
        throw new SlalomError(
          "store",
          `run ${id} has a result already (${stored.status}); results are never repeated. Train only what Study.missing returns.`,
        );
      }
    }
    makeFolder(folder);
    // In this order a kill in between leaves an unfinished run, never old rows that look like a result.
    this.clear(folder);
    this.writeRecord(folder, { id, configuration, created: new Date().toISOString() });
    writeWhole(join(folder, "metrics.jsonl"), "");
    return new RunWriter(id, folder, this.record.targets);
  }

  /**
   * Goes on with a run that was interrupted after `step` updates: rows of later steps are dropped, the others stay.
   * Errors: no such run is stored; it has a result already.
   */
  continueRun(configuration: RunConfiguration, step: number): RunWriter {
    const id = runId(configuration);
    const folder = this.runFolder(id);
    const stored = readRun(folder);
    if (stored === undefined || isResult(stored.status)) {
      throw new SlalomError(
        "store",
        `run ${id}: ${stored === undefined ? "nothing of it is stored" : `it has a result already (${stored.status})`}, but a checkpoint of it is. Delete ${this.checkpointFolder} and resume.`,
      );
    }
    const path = join(folder, "metrics.jsonl");
    const rows = tail(folder)
      .read()
      .rows.filter((row) => row.step <= step);
    this.clear(folder);
    writeWhole(path, encodeRows(rows));
    this.writeRecord(folder, { id, configuration, created: stored.created });
    return new RunWriter(id, folder, this.record.targets, rows);
  }

  /** Where trainings that are not at their end are kept. */
  get checkpointFolder(): string {
    return join(this.folder, "checkpoints");
  }

  private runFolder(id: string): string {
    return join(this.folder, "runs", id);
  }

  private writeRecord(folder: string, run: Omit<RunRecord, "writer">): void {
    const record: RunRecord = { ...run, writer: { pid: process.pid, host: hostname() } };
    writeWhole(join(folder, "run.json"), encodeRecord(record));
  }

  /** Removes the end of an earlier attempt and what a killed writer left aside. */
  private clear(folder: string): void {
    guarded("clear", folder, () => {
      rmSync(join(folder, "summary.json"), { force: true });
      for (const name of readdirSync(folder)) {
        if (isAside(name)) rmSync(join(folder, name), { force: true });
      }
    });
  }
}

/** What a study asks: all of the record but its title, its date and the versions. */
function question({ title: _title, created: _created, versions: _versions, ...rest }: StudyRecord): object {
  return rest;
}

function checkSameQuestion(stored: StudyRecord, asked: StudyRecord, folder: string): void {
  const difference = firstDifference(question(stored), question(asked));
  if (difference === undefined) return;
  throw new SlalomError(
    "store",
    `study "${asked.name}" is stored with other settings: ${difference.path} is ${difference.left} there and ${difference.right} here. Choose another name, or delete ${folder}.`,
  );
}

function versionChanges(stored: StudyRecord, now: StudyRecord): string[] {
  return (Object.keys(now.versions) as (keyof StudyRecord["versions"])[])
    .filter((part) => stored.versions[part] !== now.versions[part])
    .map((part) => `${part}: begun with ${stored.versions[part]}, now ${now.versions[part]}`);
}
