/**
 * The other processes of a training, as the leading one sees them. It alone knows of studies, data and stores; they hold
 * the same programs and variables, and do what it tells.
 */
import type { Communicator } from "../../../collectives/index.js";
import { type ToProcess, tell } from "./messages.js";

export class Processes {
  private programs = 0;
  private readonly pulse: NodeJS.Timeout;

  /** @param patienceMs how long they wait for a message before they take this process for dead */
  constructor(
    readonly communicator: Communicator,
    patienceMs: number,
  ) {
    this.pulse = setInterval(() => this.tell({ kind: "idle" }), patienceMs / 4);
    this.pulse.unref();
  }

  /** A number for a program, by which they know it. */
  nextProgram(): number {
    return this.programs++;
  }

  /** They begin at once. */
  tell(message: ToProcess): void {
    tell(this.communicator, message);
  }

  /** They end. Collective: the communicator is closed on all of them. */
  close(): void {
    clearInterval(this.pulse);
    this.tell({ kind: "end" });
    this.communicator.close();
  }
}
