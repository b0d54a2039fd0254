#!/usr/bin/env node
/** The command line. Commands load what they need when they run: `slalom --help` loads none of it. */
import module from "node:module";
import { CommanderError } from "commander";
import { errorJson, errorText, exitCodeOf, exitCodes } from "./exit.js";
import { programFor } from "./program.js";

// From Node 22 on compiled code is kept between starts.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();

// A reader that closes the pipe early, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.success);
  throw error;
});

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.success;
  const program = programFor((code) => {
    exitCode = code;
  });
  if (words.length === 0) {
    program.outputHelp();
    return exitCode;
  }
  try {
    await program.parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode !== 0 && words.includes("--json"))
        process.stdout.write(`${JSON.stringify(usageJson(error), null, 2)}\n`);
      return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    }
    process.stderr.write(`${errorText(error, { debug: words.includes("--debug") })}\n`);
    if (words.includes("--json")) process.stdout.write(`${JSON.stringify(errorJson(error), null, 2)}\n`);
    return exitCodeOf(error);
  }
}

function usageJson({ message }: CommanderError): object {
  return { error: { code: "option", message: message.replace(/^error: /, "") } };
}
