/** A deadline for calls of MPI that block their thread: another thread watches, and ends the process. */
import { Worker } from "node:worker_threads";

export interface Deadline {
  readonly patienceMs: number;
  /** What is written to standard error before the process is killed. */
  readonly message: string;
}

/** Runs `call`; where it does not return in time the process ends by SIGKILL, and its launcher ends the others. */
export function watched<T>(call: () => T, { patienceMs, message }: Deadline): T {
  const returned = new Int32Array(new SharedArrayBuffer(4));
  const watcher = new Worker(watch, { eval: true, workerData: { returned, patienceMs, message } });
  watcher.unref();
  try {
    return call();
  } finally {
    Atomics.store(returned, 0, 1);
    Atomics.notify(returned, 0);
  }
}

const watch = `
const { workerData: { returned, patienceMs, message } } = require("node:worker_threads");
if (Atomics.wait(returned, 0, 0, patienceMs) === "timed-out") {
  require("node:fs").writeSync(2, message + "\\n");
  process.kill(process.pid, "SIGKILL");
}
`;
