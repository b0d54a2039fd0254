/** Options that several commands have, and what commander makes of them. */
import { type Command, Option } from "commander";
import { deviceNumbers, positiveInteger } from "./arguments.js";

/** Options of every command. */
export const common = (command: Command): Command =>
  command
    .option("--json", "machine-readable results alone on standard output")
    .option("--debug", "show the stack of an error");

/** Examples under the help. */
export const example = (command: Command, ...lines: string[]): Command =>
  command.addHelpText("after", `\nExample:\n${lines.map((line) => `  ${line}`).join("\n")}`);

export const store = (command: Command): Command =>
  command.option("-o, --out <dir>", "folder of the run store", "runs");

/** Who computes, and with which libraries or devices. */
export const computing = (command: Command): Command =>
  command
    .addOption(
      new Option("--backend <name>", "who computes; null compiles everything, trains and stores nothing")
        .choices(["cpu", "cuda", "reference", "null"])
        .default("cpu"),
    )
    .addOption(
      new Option("--gemm <library>", "matrix products: the best that is found, or one of your choice")
        .choices(["auto", "onednn", "cblas", "wasm"])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--devices <n,...>",
        "GPUs of the cuda backend, one a rank: numbers as slalom doctor lists them, or all (default: the first)",
      ).argParser(deviceNumbers),
    )
    .option("--tf32", "products of float32 by the GPU's tensor cores, which keep 10 bits of significand");

/** The same, on how many ranks. */
export const backend = (command: Command): Command =>
  computing(command).addOption(
    new Option(
      "--ranks <n>",
      "threads, or GPUs, that share each training; auto: as many threads as are predicted to be the fastest (default: 1, or all --devices)",
    ).argParser((text) => (text === "auto" ? text : positiveInteger(text))),
  );

/** bfloat16 is for some processors alone. */
export const precisionOption = (meaning: string): Option =>
  new Option("--precision <type>", `${meaning}; bfloat16 wants AMX or AVX-512 BF16`).choices([
    "float32",
    "bfloat16",
  ]);

/** Told the exit code of a command that ended otherwise than with 0. */
export type OnExit = (code: number) => void;

/** Options as commander gives them. */
export interface Common {
  readonly json?: boolean;
}

export interface Backend {
  readonly backend: "cpu" | "cuda" | "reference" | "null";
  readonly gemm: "auto" | "onednn" | "cblas" | "wasm";
  readonly devices?: readonly number[] | "all";
  readonly tf32?: boolean;
  readonly ranks?: number | "auto";
}

/** What the options say of who computes; `ranks` is looked at elsewhere. */
export const backendChoice = ({ backend: name, gemm, devices, tf32 }: Omit<Backend, "ranks">) => ({
  backend: name,
  gemm,
  ...(devices !== undefined && { devices }),
  ...(tf32 && { tf32 }),
});

export const outputFor = async ({ json = false }: Common) =>
  (await import("./output.js")).processOutput({ json });

/** Ends with wrong usage where two options were given that exclude each other. */
export function exclusive(command: Command, both: boolean, names: string): void {
  if (both) command.error(`error: ${names} exclude each other; give one of them`);
}
