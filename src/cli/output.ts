/** Where commands print: results on standard output, everything else on standard error. */
import { encode } from "../runs/json.js";
import { type Style, styleFor } from "./style.js";

export interface Output {
  /** True with --json: `text` is silent and `result` speaks. */
  readonly json: boolean;
  /** Whether progress may redraw its lines: standard error is a terminal. */
  readonly live: boolean;
  /** Characters of a line on standard output. */
  readonly width: number;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
  /** Colours for standard output, or none. */
  readonly style: Style;
  /** The same for standard error. */
  readonly noteStyle: Style;
  /** The result for people. */
  text(lines: string): void;
  /** The result for programs. */
  result(value: unknown): void;
  /** What happens meanwhile: never part of the result. */
  note(lines: string): void;
}

export interface OutputOptions {
  readonly json: boolean;
}

/** The output of this process. NO_COLOR, FORCE_COLOR and TERM are read here and nowhere else. */
export function processOutput({ json }: OutputOptions): Output {
  const { stdout, stderr, env } = process;
  const colour = usesColour(stdout, env);
  // What a study file prints must not stand amid the JSON.
  if (json) for (const method of ["log", "info", "debug"] as const) console[method] = console.error;
  return {
    json,
    colour,
    live: stderr.isTTY === true && env.TERM !== "dumb",
    // A terminal that mpirun makes has no columns.
    width: stdout.columns || 100,
    style: styleFor(colour),
    noteStyle: styleFor(usesColour(stderr, env)),
    text: (lines) => {
      if (!json) stdout.write(`${lines}\n`);
    },
    result: (value) => {
      if (json) stdout.write(`${encode(value, 2)}\n`);
    },
    note: (lines) => {
      stderr.write(`${lines}\n`);
    },
  };
}

/** https://no-color.org: any value but the empty one. */
export function usesColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
}
