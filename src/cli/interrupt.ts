/**
 * Signals: the first one ends training after the present calls and keeps it where it stands. Ctrl-C comes from a person,
 * whose second ends the process at once. SIGTERM and SIGUSR2 come from a scheduler that wants the machine back; it may
 * send them several times, to the process and through its shell, and kills what takes too long.
 */
import { exitCodes } from "./exit.js";

export interface Interrupt {
  readonly signal: AbortSignal;
  /** The first signal that was received. */
  received(): Signal | undefined;
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

export type Signal = keyof typeof codes;

const signals = Object.keys(codes) as Signal[];

/** Listens for SIGINT, SIGTERM and SIGUSR2; `onFirst` says to the user what happens now. */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  let first: Signal | undefined;
  const handle = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      if (signal === "SIGINT") process.exit(codes.SIGINT);
      return;
    }
    first = signal as Signal;
    controller.abort();
    onFirst();
  };
  for (const signal of signals) process.on(signal, handle);
  return {
    signal: controller.signal,
    received: () => first,
    exitCode: () => codes[first ?? "SIGINT"],
    release() {
      // A process that was told to end is about to: that it is told again must not cut short what it still does.
      for (const signal of signals)
        if (first === undefined || signal === "SIGINT") process.off(signal, handle);
    },
  };
}
