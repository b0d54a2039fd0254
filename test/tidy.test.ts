/**
 * The rules of the house, held by reading the sources: floors, no cycles, explicit lists, short files, no state and no
 * work at import. ARCHITECTURE.md says why.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { datasets, optimizers, schedules, surfaces } from "../src/index.js";
import * as datasetModule from "../src/learn/datasets/synthetic.js";
import {
  cyclesOf,
  filesBelow,
  linesWhere,
  placesWhere,
  reachable,
  root,
  type Source,
  sourcesBelow,
} from "./support/sources.js";

const library = sourcesBelow("src");
const everything = [
  ...library,
  ...["test", "examples", "exercises", "bench"].flatMap((folder) => sourcesBelow(folder)),
];

/** Lowest first; a folder imports from the floors below. */
const floors: readonly (readonly string[])[] = [
  ["base", "graph"],
  ["transform", "compile"],
  ["backends", "processes", "collectives", "native"],
  ["learn"],
  ["train", "runs", "theory"],
  ["lab", "figures", "report", "exports"],
  ["cli", "launch", "dashboard"],
];

/** What may import from beside it. */
const beside: readonly (readonly [string, string])[] = [
  ["graph", "base"],
  ["compile", "transform"],
  ["backends", "native"],
  ["backends", "processes"],
  ["backends", "collectives"],
  ["processes", "collectives"],
  ["collectives", "native"],
  ["train", "runs"],
  ["report", "figures"],
  ["report", "lab"],
  ["exports", "lab"],
  ["cli", "launch"],
  ["cli", "dashboard"],
  // A user's file is handed the library itself.
  ["launch", ""],
];

/** What must not import from below it all the same. */
const forbidden: readonly (readonly [string, string])[] = [
  ["learn", "compile"],
  ...["learn", "train", "runs", "theory", "lab", "figures", "report", "exports"].map(
    (folder) => [folder, "backends"] as const,
  ),
];

/** Files that are run and not imported: they alone may do something when they are loaded. */
const programs = ["src/cli/main.ts", "src/launch/worker.ts", "src/backends/cpu/ranks/follower.ts"];

const folderOf = (path: string): string => (path.split("/").length > 2 ? path.split("/")[1] : "");
const floorOf = (folder: string): number =>
  folder === "" ? floors.length : floors.findIndex((floor) => floor.includes(folder));

/** What each file imports of ours, types included. */
const edgesOf = (sources: readonly Source[]): Map<string, readonly string[]> =>
  new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ isOwn }) => isOwn).map(({ target }) => target),
    ]),
  );

describe("floors", () => {
  test("every folder of src stands on a floor", () => {
    const unknown = new Set(library.map(({ path }) => folderOf(path)).filter((f) => floorOf(f) < 0));
    expect([...unknown]).toEqual([]);
  });

  test("a folder imports only from floors below it, types included", () => {
    const wrong = library.flatMap(({ path, imports }) =>
      imports.flatMap(({ target, isOwn }) => {
        if (!isOwn || !target.startsWith("src/")) return isOwn ? [`${path} -> ${target}`] : [];
        const [from, to] = [folderOf(path), folderOf(target)];
        const listed = (pairs: readonly (readonly [string, string])[]): boolean =>
          pairs.some(([a, b]) => a === from && b === to);
        const allowed = from === to || floorOf(from) > floorOf(to) || listed(beside);
        return allowed && !listed(forbidden) ? [] : [`${path} -> ${target}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test("backends never import each other", () => {
    const backendOf = (path: string): string | undefined => /^src\/backends\/([^/]+)\//.exec(path)?.[1];
    const wrong = library.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => backendOf(path) && backendOf(target) && backendOf(path) !== backendOf(target))
        .map(({ target }) => `${path} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("floors 0 and 1 do no I/O: they import nothing but our own files", () => {
    const wrong = library
      .filter(({ path }) => folderOf(path) !== "" && floorOf(folderOf(path)) <= 1)
      .flatMap(({ path, imports }) =>
        imports.filter(({ isOwn }) => !isOwn).map(({ target }) => `${path} -> ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test("every import names a file that exists", () => {
    const missing = everything.flatMap(({ path, imports }) =>
      imports
        .filter(({ target, isOwn }) => isOwn && !existsSync(join(root, target)))
        // What the compiler makes is there only after a build.
        .filter(({ target }) => !target.startsWith("dist/"))
        .map(({ target }) => `${path} -> ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("no import cycles, types included", () => {
    expect(cyclesOf(edgesOf(everything))).toEqual([]);
  });
});

describe("explicit lists", () => {
  /** Folders in which an addition is a file and a line in the list that stands in this file. */
  const plugIns: readonly (readonly [string, string])[] = [
    ...[
      "augmentations",
      "averages",
      "optimizers",
      "schedules",
      "layers",
      "losses",
      "models",
      "datasets",
      "problems",
      "initializers",
    ].map((name) => [`src/learn/${name}`, `src/learn/${name}/index.ts`] as const),
    ["src/graph/operations", "src/graph/operations/index.ts"],
    ["src/compile/passes", "src/compile/optimize.ts"],
    ["src/figures", "src/figures/index.ts"],
  ];

  test.each(plugIns)("every file of %s is listed in %s", (folder, list) => {
    const edges = edgesOf(library);
    const listed = reachable([list], edges);
    const files = library.map(({ path }) => path).filter((path) => path.startsWith(`${folder}/`));
    expect(files.filter((path) => !listed.has(path))).toEqual([]);
  });

  test("no file of src is orphaned", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      exports: Record<string, string>;
    };
    const doors = Object.values(exports).map((file) =>
      file.replace("./dist/", "src/").replace(/\.js$/, ".ts"),
    );
    expect(doors.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const seen = reachable([...doors, ...programs], edgesOf(library));
    expect(library.map(({ path }) => path).filter((path) => !seen.has(path))).toEqual([]);
  });

  /** What the files of a folder export, by file. */
  const exportsOf = async (folder: string): Promise<[string, unknown][]> => {
    const files = library.map(({ path }) => path).filter((path) => path.startsWith(`${folder}/`));
    const modules = await Promise.all(files.map((path) => import(/* @vite-ignore */ join(root, path))));
    return modules.flatMap((module, i) =>
      Object.values(module as object).map((value): [string, unknown] => [files[i], value]),
    );
  };
  const has = (value: unknown, ...keys: string[]): boolean =>
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    keys.every((key) => key in value);

  test("every optimizer, schedule and surface is in its list", async () => {
    const unlisted = async (
      folder: string,
      keys: readonly string[],
      list: readonly unknown[],
    ): Promise<string[]> =>
      (await exportsOf(folder))
        .filter(([, value]) => has(value, ...keys) && !list.includes(value))
        .map(([file]) => file);
    expect(await unlisted("src/learn/optimizers", ["id", "update", "slots"], optimizers)).toEqual([]);
    expect(await unlisted("src/learn/schedules", ["id", "factor", "title"], schedules)).toEqual([]);
    expect(await unlisted("src/learn/problems", ["formula", "minima"], surfaces)).toEqual([]);
  });

  test("every synthetic data set is in the list", () => {
    const names = Object.values(datasetModule).map((make) => make().name);
    expect(datasets.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });
});

describe("files", () => {
  test("none of src has more than 400 lines", () => {
    const long = library.map(({ path, text }) => [path, text.split("\n").length - 1] as const);
    expect(long.filter(([, lines]) => lines > 400)).toEqual([]);
  });

  test("each opens with what it is", () => {
    const silent = everything.filter(
      ({ path, text }) => !path.startsWith("test/") && !/^(#!.*\n)?\/\*\*/.test(text),
    );
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  test("no mutable state at module level", () => {
    const wrong = library.flatMap((source) =>
      placesWhere(
        source,
        (node) =>
          ts.isVariableStatement(node) &&
          ts.isSourceFile(node.parent) &&
          !(node.declarationList.flags & ts.NodeFlags.Const),
      ),
    );
    expect(wrong).toEqual([]);
  });

  test("no work at import: nothing but declarations at module level", () => {
    const wrong = library
      .filter(({ path }) => !programs.includes(path))
      .flatMap((source) =>
        placesWhere(
          source,
          (node) =>
            ts.isSourceFile(node.parent ?? node) &&
            ts.isStatement(node) &&
            !ts.isVariableStatement(node) &&
            !ts.isFunctionDeclaration(node) &&
            !ts.isClassDeclaration(node) &&
            !ts.isInterfaceDeclaration(node) &&
            !ts.isTypeAliasDeclaration(node) &&
            !ts.isImportDeclaration(node) &&
            !ts.isExportDeclaration(node) &&
            !ts.isExportAssignment(node),
        ),
      );
    expect(wrong).toEqual([]);
  });

  test("no any, and no comment that silences the compiler", () => {
    const any = everything.flatMap((source) =>
      placesWhere(source, (node) => node.kind === ts.SyntaxKind.AnyKeyword),
    );
    const silenced = everything.flatMap(({ path, text }) =>
      linesWhere(path, text, /(\/\/|\/?\*)\s*@ts-(ignore|expect-error|nocheck)/),
    );
    expect([...any, ...silenced.filter((line) => !line.startsWith("test/tidy.test.ts"))]).toEqual([]);
  });

  test("errors are of our own class", () => {
    const plain = library.flatMap((source) =>
      placesWhere(
        source,
        (node) =>
          ts.isThrowStatement(node) &&
          ts.isNewExpression(node.expression) &&
          ["Error", "TypeError", "RangeError", "SyntaxError"].includes(
            node.expression.expression.getText(source.tree),
          ),
      ),
    );
    expect(plain).toEqual([]);
  });

  test("the environment is read on the top floor alone", () => {
    const wrong = library
      .filter(({ path }) => !["cli", "launch", "dashboard"].includes(folderOf(path)))
      .flatMap(({ path, text }) => linesWhere(path, text, /process\.env\b/));
    expect(wrong).toEqual([]);
  });

  test("nothing is left for later, no test is left out", () => {
    const open = everything.flatMap(({ path, text }) =>
      linesWhere(
        path,
        text,
        /\b(TODO|FIXME|XXX|HACK)\b|\b(describe|test|it)(\.\w+)*\.(skip|only|todo|fails)\(/,
      ),
    );
    expect(open.filter((line) => !line.startsWith("test/tidy.test.ts"))).toEqual([]);
  });
});

describe("the project speaks of itself alone", () => {
  const texts = [
    "package.json",
    "biome.json",
    ...["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE"],
    ...["src", "test", "docs", "examples", "exercises", "bench", ".ci"].flatMap((folder) =>
      filesBelow(folder, [".ts", ".tsx", ".js", ".mjs", ".md", ".sh", ".py", ".json", "run"]),
    ),
  ].filter((path) => existsSync(join(root, path)));

  test("no path of one machine, no ticket, no place where packages come from", () => {
    const patterns = /(?<![\w.~}])\/(work|home|root|Users)\/|\bissues? #?\d|\bregistry\.|\bsessions?\b/i;
    const found = texts.flatMap((path) => linesWhere(path, readFileSync(join(root, path), "utf8"), patterns));
    expect(found.filter((line) => !line.startsWith("test/tidy.test.ts"))).toEqual([]);
  });

  test("the lock file holds no addresses of packages", () => {
    const lock = readFileSync(join(root, "package-lock.json"), "utf8");
    expect(linesWhere("package-lock.json", lock, /"resolved":/)).toEqual([]);
  });
});
