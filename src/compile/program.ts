/**
 * A program: variables that keep their values, and entries that each read them, update them and report. This
 * is what training builds and a backend compiles.
 */
import { SlalomError } from "../base/errors.js";
import { formatType, sameShape } from "../base/shape.js";
import type { Tensor } from "../graph/tensor.js";
import { topologicalOrder } from "../graph/traverse.js";

export interface Program {
  readonly name: string;
  /** All variables by name; those that no entry updates are inputs, written by the host alone. */
  readonly variables: Readonly<Record<string, Tensor>>;
  readonly entries: Readonly<Record<string, ProgramEntry>>;
  /** The most steps of one call whose traces are kept. */
  readonly traceCapacity: number;
  /**
   * Ranks that run it side by side; default 1. Entries may then use `rank` and `allReduceSum`; what updates a variable
   * must be the same on all ranks.
   */
  readonly ranks?: number;
}

export interface ProgramEntry {
  /** New values of variables, by name. All are computed from the old values. */
  readonly updates: Readonly<Record<string, Tensor>>;
  /** Values recorded at every step, by name. */
  readonly traces: Readonly<Record<string, Tensor>>;
}

/** The entry with what it computes changed, all of it at once: updates and traces may share what they are computed from. */
export function withOutputs(
  { updates, traces }: ProgramEntry,
  change: (outputs: readonly Tensor[]) => readonly Tensor[],
): ProgramEntry {
  const [updated, traced] = [Object.keys(updates), Object.keys(traces)];
  const outputs = change([...Object.values(updates), ...Object.values(traces)]);
  return {
    updates: Object.fromEntries(updated.map((name, i) => [name, outputs[i]])),
    traces: Object.fromEntries(traced.map((name, i) => [name, outputs[updated.length + i]])),
  };
}

/** Throws for an update of another type than its variable, or a variable that the program does not name. */
export function checkProgram(program: Program): void {
  const known = new Set(Object.values(program.variables));
  for (const [entryName, entry] of Object.entries(program.entries)) {
    const where = `program ${program.name}, entry ${entryName}`;
    for (const [name, value] of Object.entries(entry.updates)) {
      const target = program.variables[name];
      if (!target)
        throw new SlalomError(
          "internal",
          `${where}: update of "${name}", which is no variable of the program.`,
        );
      if (target.dtype !== value.dtype || !sameShape(target.shape, value.shape)) {
        throw new SlalomError(
          "shape",
          `${where}: update of "${name}" is ${formatType(value)}; expected ${formatType(target)}.`,
        );
      }
    }
    for (const node of topologicalOrder([...Object.values(entry.updates), ...Object.values(entry.traces)])) {
      if (node.op === "variable" && !known.has(node)) {
        throw new SlalomError(
          "internal",
          `${where}: uses variable "${node.attributes.name}", which the program does not name.`,
        );
      }
    }
  }
}
