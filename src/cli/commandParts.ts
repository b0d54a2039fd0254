/** What the definitions of commands share. */
import type { Command } from "commander";

/** Told the exit code of a command that ended otherwise than with 0. */
export type OnExit = (code: number) => void;

/** The options of every command, as commander gives them. */
export interface Common {
  readonly json?: boolean;
}

export const common = (command: Command): Command =>
  command
    .option("--json", "machine-readable results alone on standard output")
    .option("--debug", "show the stack of an error");

export const example = (command: Command, ...lines: string[]): Command =>
  command.addHelpText("after", `\nExample:\n${lines.map((line) => `  ${line}`).join("\n")}`);

export const outputFor = async ({ json = false }: Common) =>
  (await import("./output.js")).processOutput({ json });
