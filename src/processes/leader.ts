/**
 * The other processes of a training, as the leading one sees them. It alone knows of studies, data and stores; they hold
 * the same programs and variables, and do what it tells.
 */
import { invariant, unknownName } from "../base/errors.js";
import type { Communicator } from "../collectives/index.js";
import { checkSteps, type Executable } from "../compile/backend.js";
import type { Plan } from "../compile/plan.js";
import { type MakeExecutable, madeByAll } from "./made.js";
import { type ToProcess, tell } from "./messages.js";

export class Processes {
  private programs = 0;
  private readonly pulse: NodeJS.Timeout;

  /** @param patienceMs how long they wait for a message before they take this process for dead; default 120,000 */
  constructor(
    private readonly communicator: Communicator,
    patienceMs = 120_000,
  ) {
    this.pulse = setInterval(() => this.tell({ kind: "idle" }), patienceMs / 4);
    this.pulse.unref();
  }

  /**
   * The program on all processes: what it is told here, the others are told, and do.
   * @param make gives this one's; the others make theirs by `followLeader`, at the same time
   * @throws SlalomError of the first process that could not, which it names; none keeps the program then
   */
  compile(plan: Plan, traceCapacity: number, make: MakeExecutable): Executable {
    const program = this.programs++;
    this.tell({ kind: "compile", program, plan, traceCapacity });
    const made = madeByAll(this.communicator, () => make(plan, traceCapacity));
    if ("error" in made) throw made.error;
    return this.leading(made.executable, { program, plan, traceCapacity });
  }

  /** They end. Collective: the communicator is closed on all of them. */
  close(): void {
    clearInterval(this.pulse);
    this.tell({ kind: "end" });
    this.communicator.close();
  }

  /** They begin at once. */
  private tell(message: ToProcess): void {
    tell(this.communicator, message);
  }

  /** Tells, then does. What can't be done is not told. */
  private leading(own: Executable, { program, plan, traceCapacity }: Told): Executable {
    let released = false;
    const inParts = new Set(
      Object.values(plan.entries).flatMap((entry) =>
        (entry.inParts ?? []).map((buffer) => plan.buffers[buffer].name),
      ),
    );
    return {
      bytes: own.bytes,
      run: (entry, steps = 1, options = {}) => {
        invariant(!released, "a released program runs no more");
        if (!plan.entries[entry]) throw unknownName("entry", entry, Object.keys(plan.entries));
        checkSteps(steps, traceCapacity);
        this.tell({ kind: "run", program, entry, steps, options });
        own.run(entry, steps, options);
      },
      read: (variable) => {
        if (inParts.has(variable)) this.tell({ kind: "read", program, variable });
        return own.read(variable);
      },
      write: (variable, values) => {
        own.write(variable, values);
        this.tell({ kind: "write", program, variable, values });
      },
      trace: (entry, trace) => own.trace(entry, trace),
      ...(own.times && {
        times: () => {
          this.tell({ kind: "times", program });
          return own.times!();
        },
      }),
      release: () => {
        if (released) return;
        released = true;
        this.tell({ kind: "release", program });
        own.release();
      },
    };
  }
}

/** A program that they were told to compile. */
interface Told {
  readonly program: number;
  readonly plan: Plan;
  readonly traceCapacity: number;
}
