/**
 * The file that a run on a GPU leaves: a line of JSON for each thing that was finished, appended at once, so that a run
 * that is cut off leaves what it measured.
 */
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RouteChoice } from "../slalom.js";
import type { Library } from "../specification.js";
import type { Goal } from "./measurements.js";

export type ResultLine = MachineRecord | MeasurementRecord | LeftOutRecord | RoutesRecord | ProfileRecord;

/** Where and with what a run was made; its measurements follow. */
export interface MachineRecord {
  readonly kind: "machine";
  readonly slalom: string;
  readonly node: string;
  /** What the backend says of itself: device, driver, libraries. */
  readonly backend: string;
  readonly date: string;
  /** On the processor, to see that everything runs. */
  readonly rehearsal?: true;
  /** Of a file that was written by hand, for tests. */
  readonly fixture?: string;
}

export interface MeasurementRecord {
  readonly kind: "measurement";
  readonly id: string;
  readonly title: string;
  /** What times are of: "step", "training", "grid". */
  readonly unit: string;
  readonly date: string;
  readonly rows: readonly MeasuredRow[];
  readonly goals: readonly Goal[];
  readonly absent: readonly { readonly contestant: string; readonly reason: string }[];
  readonly notes: readonly string[];
}

export interface MeasuredRow {
  readonly library: Library;
  readonly contestant: string;
  /** Seconds of a unit, one for each round. */
  readonly unitS: readonly number[];
  /** The loss after the first work: tells whether all do the same. */
  readonly check: number;
  /** On the test images, of each training. */
  readonly accuracies?: readonly number[];
}

/** A measurement that there was no time for, or that failed. */
export interface LeftOutRecord {
  readonly kind: "left out";
  readonly id: string;
  readonly title: string;
  readonly reason: string;
}

/** Who computes products and convolutions of a step. */
export interface RoutesRecord {
  readonly kind: "routes";
  readonly title: string;
  /** Microseconds of a step of one network by the routes of that option of the backend. */
  readonly stepUs: Readonly<Record<"fastest" | "libraries" | "own", number>>;
  /** What each candidate took, in microseconds, or why it does not work, and which is taken. */
  readonly choices: readonly Omit<RouteChoice, "on">[];
}

/** Where the time of a step goes. */
export interface ProfileRecord {
  readonly kind: "profile";
  readonly title: string;
  /** Microseconds of a step as a graph. */
  readonly stepUs: number;
  /** The launches of a step in their order. */
  readonly kernels: readonly KernelTime[];
}

export interface KernelTime {
  /** The function of the source, or the library's call. */
  readonly kernel: string;
  /** Median microseconds, by events around the launch. */
  readonly us: number;
}

export function append(file: string, line: ResultLine): void {
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** The lines of the file; a last one that was not written to its end is left out. */
export function readResults(file: string): ResultLine[] {
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as ResultLine);
}
