/** Compiling for a device, and compiled programs on disk; with real ones where SLALOM_TEST_NVRTC names their files. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { withCache } from "../../../src/backends/cuda/compileCache.js";
import type { DeviceFacts } from "../../../src/backends/cuda/driver.js";
import { libraryKernelSource, libraryKernels } from "../../../src/backends/cuda/libraryCalls.js";
import { type Compiler, openCompiler, targetFor } from "../../../src/backends/cuda/nvrtc.js";
import { openLibrary } from "../../../src/native/library.js";
import { temporaryFolder } from "../../launch/support.js";
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
