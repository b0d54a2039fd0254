/** Options of the commands that train: who computes, and how exactly. */
import { type Command, Option } from "commander";
import { positiveInteger } from "./arguments.js";

export const backend = (command: Command): Command =>
  command
    .addOption(
      new Option("--backend <name>", "who computes; null compiles everything, trains and stores nothing")
        .choices(["cpu", "reference", "null"])
        .default("cpu"),
    )
    .addOption(
      new Option("--gemm <library>", "matrix products: the best that is found, or one of your choice")
        .choices(["auto", "onednn", "cblas", "wasm"])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--ranks <n>",
        "threads that share each training; auto: as many as are predicted to be the fastest",
      )
        .argParser((text) => (text === "auto" ? text : positiveInteger(text)))
        .default(1),
    );

export interface Backend {
  readonly backend: "cpu" | "reference" | "null";
  readonly gemm: "auto" | "onednn" | "cblas" | "wasm";
  readonly ranks: number | "auto";
}

/** bfloat16 is for some processors alone. */
export const precisionOption = (meaning: string): Option =>
  new Option("--precision <type>", `${meaning}; bfloat16 wants AMX or AVX-512 BF16`).choices([
    "float32",
    "bfloat16",
  ]);
