/** What the documents show works: links lead somewhere, code type-checks, studies train, commands run. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, describe, expect, test } from "vitest";
import { cpuBackend } from "../../src/backends/cpu/index.js";
import { inThread, runStudy } from "../../src/lab/index.js";
import { loadStudies } from "../../src/launch/studySource.js";
import { openStore } from "../../src/runs/index.js";
import { root } from "../support/sources.js";
import { anchorsOf, blocksIn, documents, linksOf } from "./markdown.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-documents-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("links", () => {
  test.each(documents)("%s leads to files and headings that exist", (document) => {
    const broken = linksOf(document).filter((link) => {
      const [path, anchor] = link.split("#");
      const target = path === "" ? document : normalize(join(dirname(document), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe("code", () => {
  const blocks = blocksIn("ts");

  test("every block type-checks as a file of its own", () => {
    const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const files = new Map(blocks.map(({ text }, i) => [join(root, `block${i}.ts`), text]));
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists, readFile } = host;
    host.fileExists = (name) => files.has(name) || fileExists.call(host, name);
    host.readFile = (name) => files.get(name) ?? readFile.call(host, name);
    host.getSourceFile = (name, ...rest) => {
      const text = files.get(name);
      return text === undefined
        ? getSourceFile.call(host, name, ...rest)
        : ts.createSourceFile(name, text, rest[0], true);
    };
    const program = ts.createProgram([...files.keys()], options, host);
    const problems = [...files.keys()].flatMap((name, i) =>
      ts
        .getPreEmitDiagnostics(program, program.getSourceFile(name))
        .map(
          ({ messageText }) => `${blocks[i].place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
        ),
    );
    expect(problems).toEqual([]);
  });

  const studies = blocks.filter(({ text }) => text.includes("export default"));

  test.each(studies)("the study at $place trains", async ({ text, place }) => {
    const path = join(folder, `${place.replace(/\W+/g, "-")}.ts`);
    writeFileSync(path, text);
    const store = openStore(join(folder, place.replace(/\W+/g, "-")));
    for (const study of await loadStudies(path, { steps: 2, seeds: 1 })) {
      const outcome = await runStudy(study, { store, executor: inThread(cpuBackend()) });
      expect(outcome.status).toBe("completed");
      const statuses = store.openStudy(study.name).runs();
      expect(statuses).toHaveLength(outcome.runsTotal);
      for (const { summary } of statuses) expect(summary?.stepsDone).toBe(2);
    }
  });
});

describe("commands", () => {
  const program = join(root, "dist/cli/main.js");
  const slalom = async (words: readonly string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [program, ...words], { cwd: folder, maxBuffer: 2 ** 26 }))
      .stdout;

  /** What a document shows, in a form that takes seconds: a few steps of one seed in place of all. */
  function shortened(words: readonly string[]): string[] {
    const [command] = words;
    // One takes minutes, the other a network.
    if (command === "tour" || command === "fetch") return [command, "--help"];
    if (command === "scale" && words.includes("--step")) return [...words];
    if (command === "certify" || command === "scale") return [...words, "--steps", "3"];
    if (command !== "run" && command !== "train") return [...words];
    const kept = words.filter((word, i) => {
      const isLength = /^--(epochs|steps|seeds)$/;
      // Resuming is what a run does anyway.
      return word !== "--resume" && !isLength.test(word) && !isLength.test(words[i - 1] ?? "");
    });
    return [...kept, "--steps", "3", ...(command === "run" ? ["--seeds", "1", "--no-figures"] : [])];
  }

  /** The commands of all documents, each once. */
  const commands = [
    ...new Set(
      blocksIn("sh")
        .flatMap(({ text }) => text.split("\n"))
        .filter((line) => line.startsWith("slalom "))
        .map((line) => shortened(line.split(/\s+/).slice(1)).join(" ")),
    ),
  ];

  test.skipIf(!existsSync(program))(
    "every command that a document shows runs",
    async () => {
      for (const name of ["examples", "exercises"])
        cpSync(join(root, name), join(folder, name), { recursive: true });
      writeFileSync(join(folder, "my-study.ts"), blocksIn("ts")[0].text);
      expect(commands.length).toBeGreaterThan(10);
      const runAll = async (chosen: readonly string[]): Promise<void> => {
        const queue = [...chosen];
        const runNext = async (): Promise<void> => {
          for (let next = queue.shift(); next !== undefined; next = queue.shift())
            expect(await slalom(next.split(" ")), `slalom ${next}`).not.toBe("");
        };
        await Promise.all([runNext(), runNext()]);
      };
      // What trains comes first: the others read what it stored.
      await runAll(commands.filter((command) => command.startsWith("run ")));
      await runAll(commands.filter((command) => !command.startsWith("run ")));
    },
    120_000,
  );

  test("every npm script that a document shows exists", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = documents.flatMap((document) =>
      [...readFileSync(join(root, document), "utf8").matchAll(/npm (?:run (\w+)|(start|test)\b)/g)].map(
        ([, script, short]) => script ?? short,
      ),
    );
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});
