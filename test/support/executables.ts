/** Executables that do something else at some of their calls. */
import type { Executable } from "../../src/compile/backend.js";

/** @param changes the calls that are not those of the executable itself */
export const withCalls = (executable: Executable, changes: Partial<Executable>): Executable => ({
  bytes: executable.bytes,
  run: (entry, steps, options) => executable.run(entry, steps, options),
  read: (variable) => executable.read(variable),
  write: (variable, values) => executable.write(variable, values),
  trace: (entry, trace) => executable.trace(entry, trace),
  ...(executable.times && { times: () => executable.times!() }),
  release: () => executable.release(),
  ...changes,
});
