/**
 * Signals: the first one ends training after the present calls and keeps it where it stands, the second ends the process
 * at once. Ctrl-C comes from a person, SIGTERM and SIGUSR2 from a scheduler that wants the machine back.
 */
import { exitCodes } from "./exit.js";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** What the process ends with after an interruption. */
  exitCode(): number;
  /** Takes the handlers off again. */
  release(): void;
}

const codes = {
  SIGINT: exitCodes.interrupted,
  SIGTERM: exitCodes.requeue,
  SIGUSR2: exitCodes.requeue,
} as const;

const signals = Object.keys(codes) as (keyof typeof codes)[];

/** Listens for SIGINT, SIGTERM and SIGUSR2; `onFirst` says to the user what happens now. */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  let first: keyof typeof codes = "SIGINT";
  const handle = (signal: NodeJS.Signals): void => {
    const received = signal as keyof typeof codes;
    if (controller.signal.aborted) process.exit(codes[received]);
    first = received;
    controller.abort();
    onFirst();
  };
  for (const signal of signals) process.on(signal, handle);
  return {
    signal: controller.signal,
    exitCode: () => codes[first],
    release() {
      for (const signal of signals) process.off(signal, handle);
    },
  };
}
