/** Compaction: a program for the lanes that still train, begun where the program of all of them stands. */
import { allocate, type TypedArray } from "../base/dtype.js";
import type { Backend, Executable } from "../compile/backend.js";
import type { LaneTraining } from "./configuration.js";
import { writeShared } from "./initialValues.js";
import { type LaneProgram, laneProgram } from "./laneProgram.js";
import { lifeOf } from "./names.js";

export interface CompactionOptions {
  readonly training: LaneTraining;
  readonly backend: Backend;
  readonly from: Executable;
  /** Lanes of `from`. */
  readonly width: number;
  /** The lanes that stay: their number in the training and their place in `from`. */
  readonly kept: readonly { readonly number: number; readonly place: number }[];
}

/** At most so many lanes of a program of `lanes` are left when one of their own is worth its compilation. */
export const compactionWidth = (lanes: number): number => Math.floor(0.75 * lanes);

/** The smaller program, with everything that training goes on from; `from` is left as it is. */
export function compacted({ training, backend, from, width, kept }: CompactionOptions): {
  program: LaneProgram;
  executable: Executable;
} {
  const program = laneProgram(training, kept.length, backend.ranks);
  const executable = backend.compile(program.program);
  const lanes = kept.map(({ number }) => training.lanes[number]);
  writeShared(executable, { ...training, lanes }, program);
  const places = kept.map(({ place }) => place);
  for (const [name, { dtype }] of Object.entries(program.program.variables)) {
    const life = lifeOf(name);
    if (life === "written") continue;
    const values = from.read(name);
    executable.write(name, life === "lane" ? selectLanes(values, width, places, dtype) : values);
  }
  return { program, executable };
}

/** The values of some lanes, in that order. */
function selectLanes(
  values: TypedArray,
  lanes: number,
  places: readonly number[],
  dtype: Parameters<typeof allocate>[0],
): TypedArray {
  const size = values.length / lanes;
  const selected = allocate(dtype, size * places.length);
  places.forEach((place, i) => {
    selected.set(values.subarray(place * size, (place + 1) * size), i * size);
  });
  return selected;
}
