/** What each lane had learned at its best evaluation: the model, copied when a lane improves, and what was measured. */
import type { TypedArray } from "../base/dtype.js";
import type { Executable } from "../compile/backend.js";
import type { MetricRow, Target } from "../runs/records.js";

/** Which measured metric decides, and which side of it is better. */
export interface BestBy {
  readonly metric: string;
  readonly direction: Target["direction"];
}

/** A lane's best evaluation. */
export interface BestEvaluation {
  readonly step: number;
  readonly value: number;
  /** What was measured then. */
  readonly row: MetricRow;
  /** Values of one lane, by variable. */
  readonly values: ReadonlyMap<string, TypedArray>;
}

export class BestParameters {
  private readonly lanes = new Map<number, BestEvaluation>();

  /** @param variables those that make a model: parameters and state, each with a leading lane axis */
  constructor(
    readonly by: BestBy,
    private readonly variables: readonly string[],
  ) {}

  /** Takes the rows of lanes at an evaluation; the first of equals stays. `places` of `width` are theirs in the program. */
  see(
    executable: Executable,
    rows: readonly { readonly lane: number; readonly place: number; readonly row: MetricRow }[],
    width: number,
  ): void {
    const improved = rows.filter(({ lane, row }) =>
      this.isBetter(row[this.by.metric], this.lanes.get(lane)?.value),
    );
    if (improved.length === 0) return;
    const all = this.variables.map((name) => [name, executable.read(name)] as const);
    for (const { lane, place, row } of improved) {
      const values = new Map(all.map(([name, array]) => [name, laneOf(array, place, width).slice()]));
      this.lanes.set(lane, { step: row.step, value: row[this.by.metric], row: { ...row }, values });
    }
  }

  /** Goes on from what a checkpoint kept of a lane. */
  restore(lane: number, evaluation: BestEvaluation): void {
    this.lanes.set(lane, evaluation);
  }

  of(lane: number): BestEvaluation | undefined {
    return this.lanes.get(lane);
  }

  private isBetter(value: number, other: number | undefined): boolean {
    if (!Number.isFinite(value)) return false;
    if (other === undefined) return true;
    return this.by.direction === "above" ? value > other : value < other;
  }
}

/** The values of one lane in those of all. */
export function laneOf(values: TypedArray, place: number, width: number): TypedArray {
  const size = values.length / width;
  return values.subarray(place * size, (place + 1) * size);
}
