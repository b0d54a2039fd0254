/** What a step is put together from: calls of libraries and stages of kernels, with the bytes that each touches. */
import { bytesOf } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Kernel, PlanBuffer } from "../../../compile/plan.js";
import { type Company, type WaveRules, waitsByEffects } from "../../../compile/waves.js";
import type { CudaCall } from "../commands.js";
import type { Stage } from "./part.js";
import { staysInRows } from "./rows.js";

export interface Task extends Stage {
  readonly company: Company;
  /** The call that it is, of a library or for a sum; absent: `parts` are what is launched. */
  readonly call?: CudaCall;
  /** Whether it updates variables by what tasks before it computed. */
  readonly updates: boolean;
}

export const taskOfCall = (kernel: Kernel, call: CudaCall): Task => ({
  ...kernelEffects(kernel),
  call,
  company: call.kind === "finishSum" ? "late" : "alone",
  updates: false,
  parts: [],
});

/** The stages of one kernel, or of the end of a step. */
export const tasksOfStages = (
  stages: readonly Stage[],
  { company, updates }: Pick<Task, "company" | "updates">,
): Task[] =>
  // What adds up the parts of a product is a loop.
  stages.map((stage, i) => ({ ...stage, company: i === 0 ? company : "loop", updates }));

/** Tasks wait for one another where they touch the same bytes: buffers of temporaries may share some. */
export function taskRules(buffers: readonly PlanBuffer[]): WaveRules<Task> {
  const places = buffers.map(
    ({ offset, shape, dtype }): Bytes => ({
      start: offset,
      end: offset + sizeOf(shape) * bytesOf(dtype),
    }),
  );
  const meet = (some: readonly number[], others: readonly number[]): boolean =>
    some.some((a) => others.some((b) => places[a].start < places[b].end && places[b].start < places[a].end));
  return {
    waits: waitsByEffects(meet),
    company: ({ company }) => company,
    follows: ({ company, parts: [own, ...others] }, { company: before, parts: [earlier, ...more] }) => {
      if (company !== "loop" || before !== "loop" || others.length + more.length > 0) return false;
      if (own.blocks === 1 && earlier.blocks === 1) return true;
      const haveRows = own.rows !== undefined && own.rows === earlier.rows;
      return haveRows && staysInRows(own.computes!, earlier.computes!, (a, b) => meet([a], [b]));
    },
  };
}

/** A part of the arena. */
interface Bytes {
  readonly start: number;
  readonly end: number;
}
