/** What a case of the benchmark is, and what it hands back. */
import type { ContestantPlaces } from "./contestant.js";
import type { Ratio, Timing } from "./measure.js";
import type { Library, Roofs } from "./specification.js";

export interface BenchCase {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  run(options: CaseOptions): Promise<CaseResult>;
}

export interface CaseOptions extends ContestantPlaces {
  readonly rounds: number;
  /** Seconds of one sample. */
  readonly sampleS: number;
  /** The whole of a workload that is otherwise measured in part. */
  readonly full: boolean;
  /** Only these peers; all if absent. */
  readonly peers?: readonly Library[];
  /** Tells what happens, for people. */
  readonly say: (text: string) => void;
}

export interface CaseResult {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly CaseRow[];
  readonly goals: readonly GoalResult[];
  /** Contestants that could not take part, and why. */
  readonly absent: readonly { readonly contestant: string; readonly reason: string }[];
  readonly notes: readonly string[];
  readonly roofs?: Roofs;
}

/** One contestant in one case. */
export interface CaseRow {
  readonly contestant: string;
  readonly cores: number;
  readonly unit: "step" | "example" | "evaluation" | "start" | "sum";
  readonly timing: Timing;
  /** Times longer than the first row's; absent in the first. */
  readonly ratio?: Ratio;
  /** The loss after the first chunk. */
  readonly check?: number;
  /** Of Slalom: share of the floor reached, and of its matrix products alone. */
  readonly floorShare?: number;
  readonly productsShare?: number;
}

export interface GoalResult {
  readonly text: string;
  /** Undefined where what it needs is absent. */
  readonly reached?: boolean;
  readonly value?: number;
}
