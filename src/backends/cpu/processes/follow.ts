/** A following process: it does what the leading one tells, on its share of each batch, until it is told to end. */
import { invariant } from "../../../base/errors.js";
import { CpuExecutable, type CpuOptions } from "../executable.js";
import type { World } from "../rankProgram.js";
import { listen } from "./messages.js";

/** Returns at the end of the world, whose communicator it closes. */
export function followLeader(options: CpuOptions & { readonly world: World }): void {
  const { communicator } = options.world;
  const programs = new Map<number, CpuExecutable>();
  const numbered = (program: number): CpuExecutable => {
    const executable = programs.get(program);
    invariant(executable, "a program is compiled before it is used");
    return executable;
  };
  for (;;) {
    const message = listen(communicator);
    switch (message.kind) {
      case "compile":
        programs.set(message.program, new CpuExecutable(message.plan, message.traceCapacity, options));
        break;
      case "write":
        numbered(message.program).write(message.variable, message.values);
        break;
      case "run":
        numbered(message.program).run(message.entry, message.steps, message.options);
        break;
      case "times":
        numbered(message.program).times();
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
