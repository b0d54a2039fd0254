/** The command line that other processes run: this one, or what the compiler made of it. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The file that Node runs. */
export function mainFile(): string {
  const own = fileURLToPath(new URL("./main.js", import.meta.url));
  return existsSync(own) ? own : fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
}
