/** What the leading process and those that follow it tell each other. */
import { deserialize, serialize } from "node:v8";
import type { TypedArray } from "../base/dtype.js";
import type { Communicator } from "../collectives/index.js";
import type { RunOptions } from "../compile/backend.js";
import type { Plan } from "../compile/plan.js";

export type ToProcess =
  | {
      readonly kind: "compile";
      readonly program: number;
      readonly plan: Plan;
      readonly traceCapacity: number;
    }
  | {
      readonly kind: "write";
      readonly program: number;
      readonly variable: string;
      readonly values: TypedArray | readonly number[];
    }
  | {
      readonly kind: "run";
      readonly program: number;
      readonly entry: string;
      readonly steps: number;
      readonly options: RunOptions;
    }
  /** Take part in reading it: each process may have but a part. */
  | { readonly kind: "read"; readonly program: number; readonly variable: string }
  /** Collect what all ranks measured. */
  | { readonly kind: "times"; readonly program: number }
  | { readonly kind: "release"; readonly program: number }
  /** Nothing to do, but the leader lives. */
  | { readonly kind: "idle" }
  | { readonly kind: "end" };

/** Collective, called by rank 0. */
export function tell(communicator: Communicator, message: ToProcess): void {
  const bytes = serialize(message);
  communicator.broadcast(Float64Array.of(bytes.length));
  communicator.broadcast(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** Collective, called by the other ranks: what rank 0 tells. */
export function listen(communicator: Communicator): ToProcess {
  const length = new Float64Array(1);
  communicator.broadcast(length);
  const bytes = new Uint8Array(length[0]);
  communicator.broadcast(bytes);
  return deserialize(bytes) as ToProcess;
}
