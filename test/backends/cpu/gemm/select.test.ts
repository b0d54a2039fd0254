/** Which library is taken, what a missing one says, what the probe reports. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCblas } from "../../../../src/backends/cpu/gemm/cblas.js";
import { allGemm, gemmChoices, probeGemm, selectGemm } from "../../../../src/backends/cpu/gemm/index.js";
import { openOneDnn } from "../../../../src/backends/cpu/gemm/onednn.js";
import { SlalomError } from "../../../../src/base/errors.js";
import { failureInChildProcess, openLibrary } from "../../../../src/native/library.js";

function thrown(run: () => unknown): SlalomError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(SlalomError);
    return error as SlalomError;
  }
  return expect.fail("expected an error");
}

test("auto takes the first that works; wasm is always there", () => {
  const { libraries } = allGemm();
  expect(selectGemm().library.name).toBe(libraries[0].name);
  expect(libraries.at(-1)!.name).toBe("wasm");
  expect(selectGemm({ library: "wasm" })).toMatchObject({
    library: { name: "wasm", path: "" },
    rejections: [],
  });
});

test.each(["onednn", "cblas"] as const)("%s when forced is that library, or an error that helps", (name) => {
  const present = allGemm().libraries.some((library) => library.name === name);
  if (present) {
    expect(selectGemm({ library: name }).library.name).toBe(name);
    return;
  }
  const error = thrown(() => selectGemm({ library: name }));
  expect(error.code).toBe("library");
  expect(error.message).toMatch(/none of its files works here:\n {2}lib.*Install it: /s);
});

test("a broken file is passed over and its reason is kept", () => {
  const folder = mkdtempSync(join(tmpdir(), "gemm-"));
  try {
    const broken = join(folder, "libdnnl.so.3");
    writeFileSync(broken, "not a library");
    const { rejections } = selectGemm({ searchPaths: [broken] });
    expect(rejections[0]).toMatchObject({ name: "onednn", path: broken });
    expect(rejections[0].reason).toMatch(/./);
    const inFolder = allGemm({ searchPaths: [folder] }).rejections.filter(({ path }) => path === broken);
    expect(inFolder).toHaveLength(process.platform === "linux" ? 1 : 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a library of another kind is an error, not a crash", () => {
  const libc = process.platform === "linux" ? "libm.so.6" : "/usr/lib/libSystem.B.dylib";
  expect(() => openOneDnn(libc)).toThrow(/dnnl_version/);
  expect(() => openCblas(libc)).toThrow(/cblas_sgemm/);
  expect(() => openLibrary("/nowhere/libdnnl.so")).toThrow(/cannot open|no such file|not found/i);
});

test("a trial in a process of its own takes the same library and survives a crash", () => {
  expect(selectGemm({ trial: "process" }).library.path).toBe(selectGemm().library.path);
  const libc = process.platform === "linux" ? "libc.so.6" : "/usr/lib/libSystem.B.dylib";
  expect(failureInChildProcess(libc, [{ prototype: "void abort()", args: [] }])).toMatch(/SIGABRT/);
  expect(failureInChildProcess(libc, [{ prototype: "int abs(int x)", args: [-1] }])).toBeUndefined();
  expect(failureInChildProcess(libc, [{ prototype: "int dnnl_sgemm(int x)", args: [1] }])).toMatch(
    /trial process failed: .*dnnl_sgemm/,
  );
});

test("an unknown name lists the valid ones", () => {
  const error = thrown(() => selectGemm({ library: "onednm" as "onednn" }));
  expect(error.code).toBe("option");
  expect(error.message).toContain('Did you mean "onednn"?');
  for (const choice of gemmChoices) expect(error.message).toContain(choice);
  expect(() => selectGemm({ path: "x" } as object)).toThrow(/unknown option of selectGemm "path"/);
});

test("the probe measures every library on every shape", () => {
  const probe = probeGemm();
  expect(probe.libraries.map(({ name }) => name)).toEqual(allGemm().libraries.map(({ name }) => name));
  for (const { rates } of probe.libraries) {
    expect(rates).toHaveLength(4);
    for (const { gflops } of rates) expect(gflops).toBeGreaterThan(0.01);
  }
  expect(probe.bandwidthGBs).toBeGreaterThan(0.01);
});
