/**
 * Choices among routes, kept on disk: made once for a shape on a kind of device with these libraries and kernels, so that
 * later programs start at once and give the same bits. Any number of processes may share the folder: the first choice that
 * is written counts, for those too that measured the same at the same time.
 */
import { createHash, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attempt } from "../../base/errors.js";

/** A file's content, for people too. */
export interface RouteChoice {
  /** Such as "convolution 50x28x28x1 * 32x5x5, for w". */
  readonly computes: string;
  /** Devices and libraries. */
  readonly on: readonly string[];
  /** The fastest, by name. */
  readonly route: string;
  /** Microseconds of each that works. */
  readonly us: Readonly<Record<string, number>>;
  /** What was said of those that do not. */
  readonly refused: Readonly<Record<string, string>>;
}

/** Where choices are kept, beside compiled programs. */
export const routesFolder = (compileCache: string): string => join(compileCache, "routes");

export interface RouteChoicesOptions {
  /** One that can't be written is none: choices are then made once a process. */
  readonly folder: string;
  /** Devices and libraries, by which choices are told apart. */
  readonly on: readonly string[];
  /** Whether what nobody chose yet is timed; otherwise libraries compute it, and nothing is kept. */
  readonly timing: boolean;
}

export class RouteChoices {
  readonly timing: boolean;
  private readonly known = new Map<string, RouteChoice>();

  constructor(private readonly options: RouteChoicesOptions) {
    this.timing = options.timing;
  }

  /** @param kernel all that its routes and their times follow from, but for devices and libraries */
  keyOf(kernel: unknown): string {
    return createHash("sha256")
      .update(JSON.stringify([this.options.on, kernel]))
      .digest("hex");
  }

  /** The choice of this process, or of one before it. */
  get(key: string): RouteChoice | undefined {
    const choice = this.known.get(key) ?? read(this.pathOf(key));
    if (choice !== undefined) this.known.set(key, choice);
    return choice;
  }

  /** Makes a choice, unless another process did meanwhile. */
  keep(key: string, choice: Omit<RouteChoice, "on">): void {
    const { folder, on } = this.options;
    const path = this.pathOf(key);
    const { computes, ...found } = choice;
    const made = { computes, on, ...found };
    attempt(() => writeOnce(folder, path, `${JSON.stringify(made, undefined, 2)}\n`));
    this.known.set(key, read(path) ?? made);
  }

  private pathOf(key: string): string {
    return join(this.options.folder, `${key}${suffix}`);
  }
}

const suffix = ".json";

/** All choices that a folder has. */
export function choicesIn(folder: string): RouteChoice[] {
  const names = attempt(() => readdirSync(folder).sort());
  if ("error" in names) return [];
  return names.value
    .filter((name) => name.endsWith(suffix))
    .flatMap((name) => read(join(folder, name)) ?? []);
}

/** Undefined where there is none, or one that is broken. */
function read(path: string): RouteChoice | undefined {
  const content = attempt(() => JSON.parse(readFileSync(path, "utf8")) as Partial<RouteChoice> | null);
  if ("error" in content) return undefined;
  const { computes, on, route, us, refused } = content.value ?? {};
  const isWhole = typeof computes === "string" && Array.isArray(on) && typeof route === "string";
  return isWhole && us?.[route] !== undefined && refused ? { computes, on, route, us, refused } : undefined;
}

/** Written aside and linked, so that whoever reads it finds a whole file; a broken one is replaced. */
function writeOnce(folder: string, path: string, content: string): void {
  mkdirSync(folder, { recursive: true });
  const aside = `${path}.${randomBytes(6).toString("hex")}.aside`;
  try {
    writeFileSync(aside, content);
    if ("error" in attempt(() => linkSync(aside, path)) && read(path) === undefined) renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}
