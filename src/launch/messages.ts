/** What the main thread and its workers tell each other. */
import type { ErrorCode } from "../base/errors.js";
import type { Task, TaskProgress } from "../lab/index.js";
import type { BackendChoice } from "./backendChoice.js";
import type { StudySource } from "./studySource.js";

/** What a worker is started with. */
export interface WorkerStart {
  readonly backend: BackendChoice;
}

export type ToWorker =
  | {
      readonly kind: "train";
      readonly source: StudySource;
      /** Of the study that the main thread loaded: the worker's must be the same. */
      readonly fingerprint: string;
      readonly study: string;
      readonly storeRoot: string;
      readonly task: Task;
    }
  /** End the task after the present call of its program; its runs end as interrupted. */
  | { readonly kind: "abort" }
  /** Close the backend: no task follows. */
  | { readonly kind: "close" };

export type FromWorker =
  | { readonly kind: "ready" }
  | ({ readonly kind: "progress" } & Omit<TaskProgress, "task">)
  | { readonly kind: "done" }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly error: SentError };

/** An error as it crosses threads; without a code it is none of ours. */
export interface SentError {
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string;
}
