/** A worker thread: one rank, that makes a backend of its own and trains one task at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import { executeTask, loadedDataset, type Study, type TaskProgress } from "../lab/index.js";
import type { Dataset } from "../learn/datasets/dataset.js";
import { openStore } from "../runs/index.js";
import { Ledger } from "../train/index.js";
import { makeBackend } from "./backends.js";
import type { FromWorker, SentError, ToWorker, WorkerStart } from "./messages.js";
import { checkSame, loadStudy, type StudySource } from "./studySource.js";

type Progress = Omit<TaskProgress, "task">;

/** Milliseconds between reports: often enough for the eye, seldom enough to cost nothing. */
const reportEveryMs = 50;

invariant(parentPort, "worker.js: started outside of a worker thread");
await serve(parentPort, workerData as WorkerStart);

async function serve(port: NonNullable<typeof parentPort>, start: WorkerStart): Promise<void> {
  const send = (message: FromWorker): void => port.postMessage(message);
  const studies = new Map<string, Promise<Loaded>>();
  let abort = new AbortController();
  let backend: Backend;
  try {
    backend = await makeBackend(start.backend);
  } catch (error) {
    send({ kind: "failed", error: sent(error) });
    return;
  }
  port.on("message", async (message: ToWorker) => {
    if (message.kind === "abort") {
      abort.abort();
      return;
    }
    if (message.kind === "close") {
      try {
        await backend.close?.();
        send({ kind: "closed" });
      } catch (error) {
        send({ kind: "failed", error: sent(error) });
      }
      return;
    }
    abort = new AbortController();
    const reports = throttled((progress) => send({ kind: "progress", ...progress }));
    try {
      const ledger = new Ledger();
      const { study, dataset } = await loadOnce(studies, message.source, ledger);
      checkSame(study, message.fingerprint, message.study);
      await executeTask(study, message.task, {
        backend,
        store: openStore(message.storeRoot),
        ...(dataset && { dataset }),
        ledger,
        signal: abort.signal,
        onProgress: reports.see,
      });
      reports.flush();
      send({ kind: "done" });
    } catch (error) {
      reports.flush();
      send({ kind: "failed", error: sent(error) });
    }
  });
  send({ kind: "ready" });
}

interface Loaded {
  readonly study: Study;
  readonly dataset?: Dataset;
}

/** The study and its data, loaded for its first task, whose time it is. */
function loadOnce(
  studies: Map<string, Promise<Loaded>>,
  source: StudySource,
  ledger: Ledger,
): Promise<Loaded> {
  const key = JSON.stringify(source);
  const loaded = studies.get(key) ?? load(source, ledger);
  studies.set(key, loaded);
  return loaded;
}

async function load(source: StudySource, ledger: Ledger): Promise<Loaded> {
  const study = await loadStudy(source);
  return { study, dataset: await ledger.until("input", loadedDataset(study)) };
}

/** Passes on the latest progress at most every 50 ms; runs that ended are gathered, none is lost. */
function throttled(send: (progress: Progress) => void): {
  see: (progress: Progress) => void;
  flush: () => void;
} {
  let pending: Progress | undefined;
  let lastSent = Number.NEGATIVE_INFINITY;
  const flush = (): void => {
    if (pending) send(pending);
    pending = undefined;
    lastSent = performance.now();
  };
  return {
    flush,
    see(progress) {
      const ended = [...(pending?.ended ?? []), ...progress.ended];
      pending = { ...progress, step: Math.max(progress.step, pending?.step ?? 0), ended };
      if (performance.now() - lastSent >= reportEveryMs) flush();
    },
  };
}

function sent(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    ...(error instanceof SlalomError && { code: error.code }),
    message: error.message,
    ...(error.stack !== undefined && { stack: error.stack }),
  };
}
