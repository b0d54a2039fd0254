/** Compiling for a device, and compiled programs on disk; with real ones where SLALOM_TEST_NVRTC names their files. */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { withCache } from "../../../src/backends/cuda/compileCache.js";
import type { DeviceFacts } from "../../../src/backends/cuda/driver.js";
import { libraryKernelSource, libraryKernels } from "../../../src/backends/cuda/libraryCalls.js";
import { type Compiler, openCompiler, targetFor } from "../../../src/backends/cuda/nvrtc.js";
import { openLibrary } from "../../../src/native/library.js";
import { temporaryFolder } from "../../launch/support.js";
import { root as packageFolder } from "../../support/sources.js";
import { fakeFacts } from "./fakeDriver.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe("the target", () => {
  const compiler = { title: "NVRTC 12.4", architectures: [75, 80, 86, 90] };
  const of = (major: number, minor: number): DeviceFacts => ({ ...fakeFacts, capability: [major, minor] });

  test("is machine code for a device that the compiler knows, else PTX for the newest before it", () => {
    expect(targetFor(of(8, 6), compiler)).toEqual({ kind: "cubin", architecture: 86 });
    expect(targetFor(of(8, 9), compiler)).toEqual({ kind: "ptx", architecture: 86 });
    expect(targetFor(of(12, 0), compiler)).toEqual({ kind: "ptx", architecture: 90 });
  });
});

describe("the cache", () => {
  const root = join(folder.path, "cache");
  let compiled = 0;
  const compiler: Compiler = {
    title: "NVRTC 12.4",
    architectures: [80],
    compile: (source) => {
      compiled++;
      return new TextEncoder().encode(`code of ${source}`);
    },
  };
  const target = { kind: "cubin", architecture: 80 } as const;
  const compile = (
    source: string,
    by = compiler,
    at: typeof target | { kind: "ptx"; architecture: 80 } = target,
  ) => {
    compiled = 0;
    const image = withCache(by, root).compile(source, at, "program");
    return { text: new TextDecoder().decode(image), compiled };
  };

  test("gives what was compiled before, from the same source for the same target by the same compiler", () => {
    expect(compile("a")).toEqual({ text: "code of a", compiled: 1 });
    expect(compile("a")).toEqual({ text: "code of a", compiled: 0 });
    expect(compile("b")).toEqual({ text: "code of b", compiled: 1 });
    expect(compile("a", { ...compiler, title: "NVRTC 12.5" })).toMatchObject({ compiled: 1 });
    expect(compile("a", compiler, { kind: "ptx", architecture: 80 })).toMatchObject({ compiled: 1 });
    expect(compile("a")).toMatchObject({ compiled: 0 });
    expect(readdirSync(root).filter((name) => name.endsWith(".aside"))).toEqual([]);
  });

  test("replaces what is broken", () => {
    const paths = readdirSync(root).map((name) => join(root, name));
    for (const path of paths) truncateSync(path, readFileSync(path).length - 1);
    expect(compile("a")).toEqual({ text: "code of a", compiled: 1 });
    expect(compile("a")).toEqual({ text: "code of a", compiled: 0 });
    for (const path of paths) writeFileSync(path, "");
    expect(compile("a")).toEqual({ text: "code of a", compiled: 1 });
  });

  test("holds no more bytes than it may: what was used least recently goes", () => {
    const small = join(folder.path, "small");
    mkdirSync(small);
    // Each image has 9 bytes, and 32 in front of them.
    const of = (source: string): number => {
      compiled = 0;
      withCache(compiler, small, 3 * 41).compile(source, target, "program");
      return compiled;
    };
    const files = (): string[] => readdirSync(small).map((name) => join(small, name));
    const age = (path: string, minutes: number): void => {
      const then = new Date(Date.now() - 60_000 * minutes);
      utimesSync(path, then, then);
    };
    const ages = new Map([
      ["a", 30],
      ["b", 20],
      ["c", 10],
    ]);
    for (const [source, minutes] of ages) {
      const before = files();
      expect(of(source)).toBe(1);
      for (const path of files()) if (!before.includes(path)) age(path, minutes);
    }
    // Used now, it is the newest.
    expect(of("a")).toBe(0);
    const [mine] = files();
    writeFileSync(`${mine}.0123.aside`, "");
    writeFileSync(`${mine}.4567.aside`, "");
    age(`${mine}.4567.aside`, 120);
    writeFileSync(join(small, "notes.txt"), "");
    expect(of("d")).toBe(1);
    expect(files().filter((path) => path.endsWith(".cubin"))).toHaveLength(3);
    // What another process may still be writing stays, and so does what is not ours.
    expect(
      files()
        .filter((path) => /\.aside$|notes/.test(path))
        .map((path) => path.slice(-11)),
    ).toEqual(expect.arrayContaining([".0123.aside", "l/notes.txt"]));
    expect(files().some((path) => path.includes("4567"))).toBe(false);
    expect(["a", "c", "d"].map(of)).toEqual([0, 0, 0]);
    expect(of("b")).toBe(1);
  });

  test("keeps the newest program, however large it is", () => {
    const tiny = join(folder.path, "tiny");
    const cached = withCache(compiler, tiny, 10);
    for (const source of ["a", "b"]) cached.compile(source, target, "program");
    compiled = 0;
    cached.compile("b", target, "program");
    expect(compiled).toBe(0);
    expect(readdirSync(tiny)).toHaveLength(1);
  });

  test("gives what it should while several processes fill and trim it", async () => {
    const shared = join(folder.path, "shared");
    const script = `
      import { withCache } from ${JSON.stringify(join(packageFolder, "dist/backends/cuda/compileCache.js"))};
      const compiler = { title: "", architectures: [], compile: (source) => new TextEncoder().encode("code of " + source) };
      const cached = withCache(compiler, ${JSON.stringify(shared)}, 5 * 41);
      const target = { kind: "cubin", architecture: 80 };
      for (let n = 0; n < 300; n++) {
        const source = String((n * 7 + process.pid) % 10);
        const text = new TextDecoder().decode(cached.compile(source, target, "program"));
        if (text !== "code of " + source) throw new Error(text);
      }`;
    const run = promisify(execFile);
    const started = [1, 2, 3].map(() => run(process.execPath, ["--input-type=module", "-e", script]));
    await Promise.all(started);
    const names = readdirSync(shared);
    expect(names.every((name) => name.endsWith(".cubin"))).toBe(true);
    // Each of them leaves at most one beside what is allowed.
    expect(names.length).toBeGreaterThan(0);
    expect(names.length).toBeLessThanOrEqual(5 + 3);
  });

  test("does without a folder that can't be written", () => {
    writeFileSync(join(folder.path, "file"), "");
    const cached = withCache(compiler, join(folder.path, "file", "cache"));
    expect(new TextDecoder().decode(cached.compile("a", target, "program"))).toBe("code of a");
  });
});

/** Several are divided by colons. */
const paths = process.env.SLALOM_TEST_NVRTC?.split(":") ?? [];

test.runIf(paths.length === 0)("NVRTC itself: skipped, as SLALOM_TEST_NVRTC names no libnvrtc.so", () => {
  expect(paths).toEqual([]);
});

describe.each(paths)("NVRTC at %s", (path) => {
  const open = (): Compiler =>
    openCompiler({ name: "nvrtc", title: "NVRTC", path, native: openLibrary(path) });
  const elf = [0x7f, 0x45, 0x4c, 0x46];

  test("says its version and what it compiles for", () => {
    const { title, architectures } = open();
    expect(title).toMatch(/^NVRTC \d+\.\d+$/);
    expect(architectures).toContain(90);
    expect([...architectures].sort((a, b) => a - b)).toEqual(architectures);
  });

  test("compiles the kernels around libraries, to machine code and to PTX", () => {
    const compiler = open();
    const code = compiler.compile(libraryKernelSource, { kind: "cubin", architecture: 90 }, "kernels");
    expect([...code.subarray(0, 4)]).toEqual(elf);
    const ptx = compiler.compile(libraryKernelSource, { kind: "ptx", architecture: 80 }, "kernels");
    const text = new TextDecoder().decode(ptx);
    expect(text).toContain(".target sm_80");
    for (const name of Object.keys(libraryKernels)) expect(text).toContain(`.entry ${name}(`);
    expect(ptx.at(-1)).toBe(0);
  });

  test("gives its log where it refuses a source", () => {
    const wrong =
      'extern "C" __global__ void k(unsigned char* arena, unsigned int* step) { arena[0] = unknown; }';
    expect(() => open().compile(wrong, { kind: "cubin", architecture: 90 }, "train")).toThrow(
      /^NVRTC [\d.]+ does not compile program train: NVRTC_ERROR_COMPILATION \(6\) \(a bug in Slalom: please report it with what follows\)\.\ntrain\.cu\(1\): error: identifier "unknown" is undefined/,
    );
  });

  test("is asked once for what stays in the cache", () => {
    const real = open();
    let compiled = 0;
    const counted: Compiler = {
      ...real,
      compile: (...of) => {
        compiled++;
        return real.compile(...of);
      },
    };
    const cached = withCache(counted, join(folder.path, "real", real.title));
    const images = [1, 2].map(() =>
      cached.compile(libraryKernelSource, { kind: "cubin", architecture: 90 }, "kernels"),
    );
    expect(compiled).toBe(1);
    expect(Buffer.compare(images[0], images[1])).toBe(0);
  });
});
