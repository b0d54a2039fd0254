/** How the process ends: what the codes mean, and how an error reads. */
import { failureOf, SlalomError } from "../base/errors.js";

export const exitCodes = {
  /** A run that diverged is a result as well. */
  success: 0,
  failure: 1,
  usage: 2,
  /** A scheduler took the machine back (SIGTERM, SIGUSR2): the same command goes on. EX_TEMPFAIL of sysexits.h. */
  requeue: 75,
  /** 128 + SIGINT. */
  interrupted: 130,
} as const;

export const exitCodesHelp = `Exit codes:
  0    done; a run that diverged is a result too
  1    failed: a library, a device, data, the run store, or training itself
  2    wrong usage: an unknown command, option or name, or a study file that can't be used
  75   ended by SIGTERM or SIGUSR2, everything kept: the same command goes on from there
  130  interrupted by Ctrl-C; what was done is kept`;

export function exitCodeOf(error: unknown): number {
  const isUsage = error instanceof SlalomError && (error.code === "option" || error.code === "name");
  return isUsage ? exitCodes.usage : exitCodes.failure;
}

/** The message alone; with the stack and its causes where `debug` says so. */
export function errorText(error: unknown, { debug }: { readonly debug: boolean }): string {
  if (!(error instanceof Error)) return `slalom: ${String(error)}`;
  if (debug) return `slalom: ${stackOf(error)}`;
  if (error instanceof SlalomError) return `slalom: ${error.message}`;
  return `slalom: ${error.message} (a bug in Slalom: please report it with what --debug prints)`;
}

/** The error for --json. */
export const errorJson = (error: unknown): object => ({
  error: failureOf(error),
});

function stackOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own;
}
