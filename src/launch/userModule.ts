/**
 * A user's study file, TypeScript or JavaScript, read with no build step and no install beside it: `slalom` in its
 * imports is this very package. Its mistakes are told with file and line, without a stack.
 */
import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createJiti } from "jiti";
import { nearestFirst, SlalomError } from "../base/errors.js";

/**
 * The exports of the module at `path`, "default" among them.
 * @throws SlalomError "option" for a missing file, a syntax error, or what the file throws while it is evaluated
 */
export async function loadUserModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  const file = resolve(path);
  if (!existsSync(file)) {
    throw new SlalomError("option", `${path}: no such file; expected a study file such as my-study.ts.`);
  }
  const own = { slalom: await import("../index.js") };
  const usesParts = readFileSync(file, "utf8").includes("slalom/");
  try {
    return await evaluate(file, usesParts ? { ...own, ...(await importParts()) } : own);
  } catch (error) {
    // A file that the study imports may be the one that asks for a part such as slalom/figures.
    if (usesParts || !isMissingPart(error)) throw userError(error, file, own.slalom);
  }
  try {
    return await evaluate(file, { ...own, ...(await importParts()) });
  } catch (error) {
    throw userError(error, file, own.slalom);
  }
}

type Modules = Readonly<Record<string, unknown>>;

/** Given modules are handed over as they are: one copy of the library serves the command line and the study. */
async function evaluate(file: string, modules: Modules): Promise<Modules> {
  const jiti = createJiti(pathToFileURL(file).href, {
    virtualModules: { ...modules },
    interopDefault: false,
    sourceMaps: true,
  });
  return (await jiti.import(file)) as Modules;
}

const packageFolder = fileURLToPath(new URL("../../", import.meta.url));

/** Everything that `exports` of package.json offers beside the library itself: "slalom/graph", ... */
async function importParts(): Promise<Modules> {
  const { exports } = JSON.parse(readFileSync(`${packageFolder}package.json`, "utf8")) as {
    exports: Readonly<Record<string, string>>;
  };
  const parts = Object.entries(exports).filter(([part]) => part.startsWith("./"));
  return Object.fromEntries(
    await Promise.all(
      parts.map(async ([part, file]) => [
        `slalom${part.slice(1)}`,
        (await import(new URL(file, pathToFileURL(packageFolder)).href)) as unknown,
      ]),
    ),
  ) as Modules;
}

const isMissingPart = (error: unknown): boolean =>
  error instanceof Error && /Cannot find (?:module|package) '?slalom\//.test(error.message);

/** The error as the user should read it: `my-study.ts:12:5: ...`. */
function userError(error: unknown, file: string, library: object): SlalomError {
  const code = error instanceof SlalomError ? error.code : "option";
  const { message, place } = explain(error, file, library);
  return new SlalomError(code, `${shown(place)}: ${message}`, { cause: error });
}

/** A column counted from 1 where it is known. */
interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

function explain(error: unknown, file: string, library: object): { message: string; place: Place } {
  if (!(error instanceof Error)) return { message: `threw ${String(error)}`, place: { file } };
  const syntax = /^(?:ParseError|SyntaxError): (.*?)\s*\n\s*(.+):(\d+):(\d+)$/s.exec(error.message);
  if (syntax) {
    const [, message, at, line, column] = syntax;
    // Babel counts columns from 0.
    return { message: `${message}.`, place: { file: at, line: Number(line), column: Number(column) + 1 } };
  }
  const place = placeIn(error.stack ?? "", file);
  if (error instanceof SlalomError) return { message: error.message, place };
  const missing = /^Cannot find (?:module|package) '(.+?)'/.exec(error.message);
  if (missing)
    return { message: `can't find the module "${missing[1]}" that it imports.`, place: { file: place.file } };
  const absent = /_slalom\.(\w+)\)? is not a (?:function|constructor)/.exec(error.message);
  if (absent) {
    const nearest = nearestFirst(absent[1], Object.keys(library)).slice(0, 3);
    return { message: `slalom exports no "${absent[1]}"; the nearest are ${nearest.join(", ")}.`, place };
  }
  return { message: `${error.name}: ${error.message}.`.replace(/\.\.$/, "."), place };
}

/** The innermost frame outside of this package, of node and of installed modules. */
function placeIn(stack: string, file: string): Place {
  for (const [, at, line, column] of stack.matchAll(
    /^\s+at .*?\(?((?:file:\/\/)?\/?[^():\s]?:?[^():]+):(\d+):(\d+)\)?$/gm,
  )) {
    const path = at.startsWith("file://") ? fileURLToPath(at) : at.replace(/^async /, "");
    const isForeign =
      path.startsWith("node:") || path.includes("node_modules") || isOwn(path) || !existsSync(path);
    if (!isForeign) return { file: path, line: Number(line), column: Number(column) };
  }
  return { file };
}

/** Of the library; exercises and examples in the same folder are a user's files too. */
const isOwn = (path: string): boolean =>
  path.startsWith(packageFolder) && /^(?:dist|src)[\\/]/.test(relative(packageFolder, path));

function shown({ file, line, column }: Place): string {
  const short = relative(process.cwd(), file);
  const path = short.startsWith("..") ? file : short;
  return [path, line, column].filter((part) => part !== undefined).join(":");
}
