/** How far a study is: what tasks report, added up to what people see. */
import { isResult, type RunStatus } from "../runs/index.js";
import type { Task } from "./tasks.js";

/** How far one task is; `task` counts in the list that was given. */
export interface TaskProgress {
  readonly task: number;
  readonly step: number;
  /** The last loss of each run that still trains, by id. */
  readonly losses: Readonly<Record<string, number>>;
  /** Set for the runs that ended since the last report. */
  readonly ended: readonly { readonly run: string; readonly status: string }[];
}

export interface StudyProgress {
  readonly runsTotal: number;
  /** Runs with a result, those stored before among them. */
  readonly runsDone: number;
  readonly runsStoredBefore: number;
  readonly diverged: number;
  /** Sum over runs of the share of their steps that is done, 0 to `runsTotal`. */
  readonly work: number;
  readonly elapsedS: number;
  /** Estimated from the work done so far; undefined at the start. */
  readonly secondsLeft: number | undefined;
  /** Updates of all lanes together, per second. */
  readonly stepsPerSecond: number;
  /** Tasks being trained now. */
  readonly running: readonly RunningTask[];
}

export interface RunningTask {
  readonly label: string;
  readonly seed: number;
  readonly lanes: number;
  readonly step: number;
  readonly steps: number;
  /** NaN before the first loss. */
  readonly bestLoss: number;
}

/** Adds up the progress of a study's tasks. */
export class ProgressTally {
  private readonly tasks: readonly TaskTally[];

  constructor(
    private readonly runs: { readonly total: number; readonly storedBefore: number },
    tasks: readonly Task[],
    private readonly steps: number,
  ) {
    this.tasks = tasks.map((task) => new TaskTally(task, steps));
  }

  /** Runs that got a result: interrupted ones are none. */
  get trained(): number {
    return total(this.tasks, (task) => task.results);
  }

  see(event: TaskProgress): void {
    this.tasks[event.task].see(event);
  }

  report(elapsedS: number): StudyProgress {
    const { total: runsTotal, storedBefore } = this.runs;
    const work = total(this.tasks, (task) => task.work);
    const done = work - total(this.tasks, (task) => task.workBefore);
    return {
      runsTotal,
      runsDone: storedBefore + this.trained,
      runsStoredBefore: storedBefore,
      diverged: total(this.tasks, (task) => task.diverged),
      work: storedBefore + work,
      elapsedS,
      secondsLeft: done > 0 ? (elapsedS * (runsTotal - storedBefore - work)) / done : undefined,
      stepsPerSecond: elapsedS > 0 ? total(this.tasks, (task) => task.laneSteps) / elapsedS : 0,
      running: this.tasks.flatMap((task) => task.running(this.steps) ?? []),
    };
  }
}

class TaskTally {
  results = 0;
  diverged = 0;
  /** Updates done, of all lanes together. */
  laneSteps = 0;
  /** Work that a checkpoint brought. */
  readonly workBefore: number;
  private living: number;
  private step: number;
  /** Shares of their steps that ended runs without a result did. */
  private lostWork = 0;
  private latest: TaskProgress | undefined;

  constructor(
    private readonly task: Task,
    private readonly steps: number,
  ) {
    this.living = task.configurations.length - (task.checkpoint?.ended.length ?? 0);
    this.step = task.checkpoint?.step ?? 0;
    this.workBefore = this.work;
  }

  /** A run with a result counts whole, whether it went all the way or diverged. */
  get work(): number {
    return this.results + this.lostWork + (this.living * this.step) / this.steps;
  }

  see(event: TaskProgress): void {
    this.laneSteps += Math.max(0, event.step - this.step) * this.living;
    this.step = Math.max(event.step, this.step);
    for (const { status } of event.ended) {
      this.living--;
      if (isResult(status as RunStatus)) this.results++;
      else this.lostWork += this.step / this.steps;
      if (status === "diverged") this.diverged++;
    }
    this.latest = this.living > 0 ? event : undefined;
  }

  /** Undefined before the first report and after the last run. */
  running(steps: number): RunningTask | undefined {
    if (!this.latest) return undefined;
    const [first] = this.task.configurations;
    const losses = Object.values(this.latest.losses).filter(Number.isFinite);
    return {
      label: first.label ?? first.optimizer,
      seed: this.task.seed,
      lanes: this.living,
      step: this.step,
      steps,
      bestLoss: losses.length > 0 ? Math.min(...losses) : Number.NaN,
    };
  }
}

const total = (tasks: readonly TaskTally[], of: (task: TaskTally) => number): number =>
  tasks.reduce((sum, task) => sum + of(task), 0);
