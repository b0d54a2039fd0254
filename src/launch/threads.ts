/**
 * Worker threads that train the tasks of studies, one rank a core or with GPUs of their own: each takes the dearest task
 * that is left. The main thread only listens. When a worker fails the others end their tasks, and the error names the task.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { SlalomError } from "../base/errors.js";
import type { ExecutionHooks, Executor, Study, Task } from "../lab/index.js";
import type { BackendChoice } from "./backendChoice.js";
import { describeWorkers } from "./backends.js";
import type { FromWorker, SentError, ToWorker, WorkerStart } from "./messages.js";
import { fingerprintOf, type StudySource } from "./studySource.js";
import type { World } from "./world.js";

export interface WorkersOptions {
  readonly backend: BackendChoice;
  /** How many; by default as many as there are cores, or named GPUs, for their ranks, but no more than `useful`. */
  readonly count?: number;
  /** How many have something to do; by default any number. */
  readonly useful?: number;
}

/** Workers; their threads start with the first task, and `close` ends them. */
export interface Workers {
  /** As each worker makes it. */
  readonly backend: Executor["backend"];
  readonly count: number;
  /** GPUs that they divide, those of each worker as one: "0", "2+3"; empty where all compute on the same. */
  readonly gpus: readonly string[];
  /** Trains the tasks of the study that `source` gives. */
  executorFor(source: StudySource): Executor;
  close(): Promise<void>;
}

/** Cores that this process may use: those of the machine, or those that its job of Slurm was given. */
export function coreCount(): number {
  const { SLURM_JOB_ID: job, SLURM_CPUS_PER_TASK: task, SLURM_CPUS_ON_NODE: node } = process.env;
  const given = job ? Number(task ?? node) : Number.NaN;
  return given >= 1 ? Math.min(given, availableParallelism()) : availableParallelism();
}

/** "this machine gives 2 cores". */
function coresText(world?: World): string {
  const cores = `${coreCount()} core${coreCount() === 1 ? "" : "s"}`;
  if (process.env.SLURM_JOB_ID) return `this job of Slurm gives ${cores} (--cpus-per-task asks for more)`;
  return world ? `this process may use ${cores}` : `this machine gives ${cores}`;
}

/**
 * Workers for the backend, which is looked up here first: what it is and what it needs is known before a thread starts.
 * @throws SlalomError "device" for more workers than cores, "library" where a forced library can't be had
 */
export async function openWorkers({ backend, count, useful = Infinity }: WorkersOptions): Promise<Workers> {
  const { world } = backend;
  const onGpus = backend.backend === "cuda";
  const isTooMany = count !== undefined && !onGpus && count > coreCount();
  if (isTooMany || (count !== undefined && !(Number.isInteger(count) && count >= 1))) {
    throw new SlalomError(
      "device",
      `${count} workers were asked for, and ${coresText()}; expected 1 to ${coreCount()}: two workers on one core only take turns.`,
    );
  }
  if (world && count !== undefined && count > 1) {
    throw new SlalomError(
      "option",
      `${count} workers were asked for in each of ${world.size} processes; expected 1: the processes train one task after another, together.`,
    );
  }
  // Of the cuda backend they are GPUs, and who drives them mostly waits.
  const ranks = onGpus ? 1 : (backend.ranks ?? 1);
  const onCores = Math.max(1, Math.min(useful, Math.floor(coreCount() / ranks)));
  const wanted = count ?? (world ? 1 : onCores);
  if (!onGpus && wanted * ranks > coreCount()) {
    throw new SlalomError(
      "device",
      `${wanted} worker${wanted === 1 ? "" : "s"} of ${ranks} ranks were asked for, and ${coresText(world)}; expected workers times ranks of at most that. Ranks that wait for a core make all others wait.${world ? " A process that its mpirun binds to one core has no other: mpirun --bind-to none." : ""}`,
    );
  }
  const wish = { ...(count !== undefined && { count }), useful: onGpus ? useful : onCores };
  const { backend: seen, choices, gpus } = await describeWorkers(backend, wish);
  const apart = [...new Set(gpus)];
  const areDivided = apart.length > 1;
  let members: readonly Member[] = [];
  const close = async (): Promise<void> => {
    // Other processes wait to be told, also where there was nothing to train.
    if (world) await Promise.all((await started()).map((member) => member.close()));
    else await Promise.all(members.map((member) => member.end()));
  };
  const started = async (): Promise<readonly Member[]> => {
    if (members.length === 0)
      members = choices.map((choice, i) => new Member(choice, areDivided ? gpus[i] : undefined));
    await Promise.all(members.map((member) => member.ready));
    return members;
  };
  return {
    backend: seen,
    count: choices.length,
    gpus: areDivided ? apart : [],
    close,
    executorFor: (source) => ({
      backend: seen,
      workers: choices.length,
      memories: Math.max(1, apart.length),
      execute: async (study, tasks, hooks) => {
        if (tasks.length > 0) await execute(await started(), source, study, tasks, hooks);
      },
    }),
  };
}

/** How long workers may take to end their tasks after one of them failed. */
const graceMs = 5000;

async function execute(
  members: readonly Member[],
  source: StudySource,
  study: Study,
  tasks: readonly Task[],
  { store, signal, onProgress }: ExecutionHooks,
): Promise<void> {
  const queue = [...tasks.entries()];
  const fingerprint = fingerprintOf(study);
  const abort = (): void => {
    queue.length = 0;
    for (const member of members) member.send({ kind: "abort" });
  };
  const failures: unknown[] = [];
  let grace: NodeJS.Timeout | undefined;
  const fail = (task: Task, error: unknown, gpus: string | undefined): void => {
    failures.push(failure(study, task, error, gpus));
    abort();
    grace ??= setTimeout(() => {
      for (const member of members) void member.end();
    }, graceMs);
  };
  const work = async (member: Member): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [number, task] = next;
      try {
        await member.train(
          { kind: "train", source, fingerprint, study: study.name, storeRoot: store.root, task },
          (progress) => onProgress({ ...progress, task: number }),
        );
      } catch (error) {
        fail(task, error, member.gpus);
      }
    }
  };
  if (signal?.aborted) return;
  signal?.addEventListener("abort", abort);
  try {
    await Promise.all(members.map(work));
  } finally {
    clearTimeout(grace);
    signal?.removeEventListener("abort", abort);
  }
  if (failures.length > 0) throw failures[0];
}

type TrainMessage = ToWorker & { kind: "train" };
type Progress = Omit<FromWorker & { kind: "progress" }, "kind">;

/** One worker thread, seen from the main thread. */
class Member {
  /** Rejects where its backend can't be made. */
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private onMessage: (message: FromWorker) => void = () => {};
  private onDeath: (error: unknown) => void = () => {};
  /** Why it can take no more tasks. */
  private dead: unknown;

  /** @param gpus that it alone has, where workers divide them */
  constructor(
    backend: BackendChoice,
    readonly gpus?: string,
  ) {
    const start: WorkerStart = { backend };
    // What a study file prints would come once from every worker, and amid results as JSON.
    this.worker = new Worker(workerUrl(), { workerData: start, stdout: true });
    this.worker.stdout.resume();
    this.worker.on("message", (message: FromWorker) => this.onMessage(message));
    this.worker.on("error", (error) => this.die(error));
    this.worker.on("exit", (code) =>
      this.die(new SlalomError("internal", `its worker thread ended with code ${code}`)),
    );
    this.ready = new Promise((resolve, reject) => {
      this.onDeath = reject;
      this.onMessage = (message) => {
        if (message.kind === "ready") resolve();
        if (message.kind === "failed") reject(received(message.error));
      };
    });
    // Whoever awaits it hears of the failure; until then it is not unhandled.
    this.ready.catch(() => {});
  }

  train(message: TrainMessage, onProgress: (progress: Progress) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.dead !== undefined) reject(this.dead);
      this.onDeath = reject;
      this.onMessage = (answer) => {
        if (answer.kind === "done") resolve();
        if (answer.kind === "failed") reject(received(answer.error));
        if (answer.kind === "progress")
          onProgress({ step: answer.step, losses: answer.losses, ended: answer.ended });
      };
      this.send(message);
    });
  }

  send(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  /** Ends the thread once its backend has ended what it started elsewhere. */
  async close(): Promise<void> {
    if (this.dead === undefined) {
      await new Promise<void>((resolve, reject) => {
        this.onDeath = reject;
        this.onMessage = (answer) => {
          if (answer.kind === "closed") resolve();
          if (answer.kind === "failed") reject(received(answer.error));
        };
        this.send({ kind: "close" });
      });
    }
    await this.end();
  }

  /** Ends the thread at once; a task in it is lost. */
  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private die(error: unknown): void {
    this.dead ??= error;
    this.onDeath(error);
  }
}

/** Tests run this file from its source; workers need what the compiler made of it. */
const workerUrl = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("../../dist/launch/worker.js", import.meta.url)
    : new URL("./worker.js", import.meta.url);

function received({ code, message, stack }: SentError): Error {
  const error = code ? new SlalomError(code, message) : new SlalomError("internal", message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Names the task that an error ended, and the GPUs that are one worker's alone. */
function failure(
  study: Study,
  { configurations, seed }: Task,
  error: unknown,
  gpus: string | undefined,
): SlalomError {
  const [{ label, optimizer }] = configurations;
  const lanes = `${configurations.length} run${configurations.length === 1 ? "" : "s"}`;
  const where = gpus === undefined ? "" : `, on GPU${gpus.includes("+") ? "s" : ""} ${gpus}`;
  const { message, code } = describe(error);
  return new SlalomError(
    code,
    `study "${study.name}", ${label ?? optimizer}, seed ${seed} (${lanes})${where}: ${message}`,
    { cause: error },
  );
}

function describe(error: unknown): Pick<SlalomError, "message" | "code"> {
  if (error instanceof SlalomError) return error;
  if (!(error instanceof Error)) return { message: String(error), code: "internal" };
  if ("code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return { message: "out of memory. Take fewer workers, or a smaller data set.", code: "device" };
  }
  return { message: error.message, code: "internal" };
}
