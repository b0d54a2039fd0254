/** A following process: it does what the leading one tells, on its share of each batch, until it is told to end. */
import { invariant } from "../base/errors.js";
import type { Communicator } from "../collectives/index.js";
import type { Executable } from "../compile/backend.js";
import { type MakeExecutable, madeByAll } from "./made.js";
import { listen } from "./messages.js";

/**
 * Computes what rank 0 of the communicator compiles and runs. Returns at the end of the world, whose communicator it
 * closes.
 * @param make a program of several processes, as this one of them runs it
 */
export function followLeader(communicator: Communicator, make: MakeExecutable): void {
  const programs = new Map<number, Executable>();
  const numbered = (program: number): Executable => {
    const executable = programs.get(program);
    invariant(executable, "a program is compiled before it is used");
    return executable;
  };
  for (;;) {
    const message = listen(communicator);
    switch (message.kind) {
      case "compile": {
        // Where one could not, rank 0 knows it too, and says so.
        const made = madeByAll(communicator, () => make(message.plan, message.traceCapacity));
        if ("executable" in made) programs.set(message.program, made.executable);
        break;
      }
      case "write":
        numbered(message.program).write(message.variable, message.values);
        break;
      case "run":
        numbered(message.program).run(message.entry, message.steps, message.options);
        break;
      case "read":
        numbered(message.program).read(message.variable);
        break;
      case "times":
        numbered(message.program).times?.();
        break;
      case "release":
        numbered(message.program).release();
        programs.delete(message.program);
        break;
      case "idle":
        break;
      case "end":
        communicator.close();
        return;
    }
  }
}
