/** Writing one run: rows appended in batches, then the summary that makes it a result. */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { invariant, SlalomError } from "../base/errors.js";
import { encodeRecord, guarded, writeAll, writeWhole } from "./files.js";
import { encodeRows } from "./metrics.js";
import type { MetricRow, RunSummary, Target } from "./records.js";
import { type RunOutcome, type SummaryBuilder, summaryBuilder } from "./summary.js";
import type { TimeLedger } from "./timeLedger.js";

/** The single writer of a run. Get one from `Study.createRun`. */
export class RunWriter {
  private readonly path: string;
  private readonly summary: SummaryBuilder;
  private length = 0;
  private inode = 0;
  private lastStep = -1;
  private ended = false;

  /** `folder` holds run.json, and in metrics.jsonl exactly `rows`: none for a fresh run. */
  constructor(
    readonly id: string,
    readonly folder: string,
    targets: readonly Target[],
    rows: readonly MetricRow[] = [],
  ) {
    this.path = join(folder, "metrics.jsonl");
    this.summary = summaryBuilder(targets);
    for (const row of rows) {
      this.summary.add(row);
      this.lastStep = row.step;
    }
    this.withFile((file) => {
      const { ino, size } = fstatSync(file);
      this.inode = ino;
      this.length = size;
    });
  }

  /** Brings every row to the device: what is written after it may count on them. */
  sync(): void {
    this.withFile((file) => fsyncSync(file));
  }

  /**
   * Appends the rows of one or more measured steps, steps strictly increasing. One write a call: gather some
   * tens of rows or a second's worth. A failed write (disk full) leaves the rows before it intact.
   */
  append(rows: readonly MetricRow[]): void {
    invariant(!this.ended, `run ${this.id}: rows after its end`);
    if (rows.length === 0) return;
    let lastStep = this.lastStep;
    for (const row of rows) {
      invariant(
        Number.isInteger(row.step) && row.step > lastStep,
        `run ${this.id}: a row of step ${row.step} after step ${lastStep}`,
      );
      lastStep = row.step;
    }
    const text = encodeRows(rows);
    // Opened for each batch: a grid of a thousand lanes would run out of file descriptors.
    this.withFile((file) => {
      this.checkOwner(file);
      try {
        this.length += writeAll(file, text);
      } catch (error) {
        ftruncateSync(file, this.length);
        throw error;
      }
    });
    // Only now: a batch that failed may be appended again.
    this.lastStep = lastStep;
    for (const row of rows) this.summary.add(row);
  }

  /** Ends the run: flushes the rows, writes the summary and returns it. */
  finish(outcome: RunOutcome): RunSummary {
    invariant(!this.ended, `run ${this.id}: finished twice`);
    this.withFile((file) => {
      this.checkOwner(file);
      fsyncSync(file);
    });
    const summary = this.summary.finish(outcome);
    writeWhole(join(this.folder, "summary.json"), encodeRecord(summary));
    this.ended = true;
    return summary;
  }

  /** Ends the run as failed, with the error's message and what was spent until then; it is repeated on resume. */
  fail(error: unknown, ledger?: TimeLedger): RunSummary {
    const message = error instanceof Error ? error.message : String(error);
    return this.finish({ status: "failed", error: message, ...(ledger && { ledger }) });
  }

  private withFile(action: (file: number) => void): void {
    guarded("write", this.path, () => {
      const file = openSync(this.path, "a");
      try {
        action(file);
      } finally {
        closeSync(file);
      }
    });
  }

  /** Without locks two processes may have been given the same run: the later start owns it. */
  private checkOwner(file: number): void {
    const { ino, size } = fstatSync(file);
    if (ino === this.inode && size === this.length) return;
    throw new SlalomError(
      "store",
      `run ${this.id}: another process has started this run anew (${this.path} is not as this one left it). Give every process its own share of the runs.`,
    );
  }
}
