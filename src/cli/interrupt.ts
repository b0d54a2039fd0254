/** Ctrl-C: the first one ends training after the present calls, the second ends the process at once. */
import { exitCodes } from "./exit.js";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Takes the handlers off again. */
  release(): void;
}

/** Listens for SIGINT and SIGTERM; `onFirst` says to the user what happens now. */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
    onFirst();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    release() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
