/** Which library computes the matrix products: oneDNN, else a CBLAS, else our own WebAssembly. */
import { join } from "node:path";
import { checkKeys, SlalomError, unknownName } from "../../../base/errors.js";
import { failureInChildProcess, reasonOf } from "../../../native/library.js";
import { createSharedMemory } from "../wasm/index.js";
import { cblasPrototype, openCblas } from "./cblas.js";
import { oneDnnPrototype, openOneDnn } from "./onednn.js";
import { withSmallProducts } from "./small.js";
import type { GemmLibrary, GemmLibraryName } from "./types.js";
import { wasmGemm } from "./wasm.js";

export type GemmChoice = GemmLibraryName | "auto";

/** What users may name. */
export const gemmChoices = ["auto", "onednn", "cblas", "wasm"] as const satisfies readonly GemmChoice[];

export interface SelectGemmOptions {
  /** A name forces that library; "auto" (the default) takes the best, and our own for small products. */
  readonly library?: GemmChoice;
  /** Folders to look in first, or library files; then wherever the system's loader looks. */
  readonly searchPaths?: readonly string[];
  /**
   * Where a found library is tried first: "here" (the default) or in a "process" of its own, which
   * survives a library that crashes and takes 0.1 s. A program tries once, its ranks need not.
   */
  readonly trial?: "here" | "process";
}

/** A library file that was tried and why it was not taken. */
export interface GemmRejection {
  readonly name: GemmLibraryName;
  readonly path: string;
  readonly reason: string;
}

export interface GemmSelection {
  readonly library: GemmLibrary;
  /** What was tried before it, in order. */
  readonly rejections: readonly GemmRejection[];
}

/** Opens a file as one kind of library. */
type Opener = (path: string) => GemmLibrary;

interface NativeKind {
  readonly name: "onednn" | "cblas";
  readonly title: string;
  readonly open: Opener;
  /** Its product, with pointers as pointers. */
  readonly trialPrototype: string;
  /** File names by platform, best first. */
  readonly files: { readonly [platform: string]: readonly string[] };
  /** The command that installs it, by platform. */
  readonly install: { readonly [platform: string]: string };
}

const oneDnn: NativeKind = {
  name: "onednn",
  title: "oneDNN",
  open: openOneDnn,
  trialPrototype: oneDnnPrototype("void*"),
  files: {
    linux: ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"],
    darwin: [
      "libdnnl.3.dylib",
      "libdnnl.dylib",
      "/opt/homebrew/lib/libdnnl.dylib",
      "/usr/local/lib/libdnnl.dylib",
    ],
    win32: ["dnnl.dll"],
  },
  install: {
    linux:
      "sudo apt-get install libdnnl2 (Debian; libdnnl3 on newer Ubuntu), or conda install -c conda-forge onednn",
    darwin: "brew install onednn",
    win32: "conda install -c conda-forge onednn",
  },
};

const cblas: NativeKind = {
  name: "cblas",
  title: "CBLAS",
  open: openCblas,
  trialPrototype: cblasPrototype("s", "float", "void*"),
  files: {
    linux: [
      "libmkl_rt.so.2",
      "libmkl_rt.so",
      "libopenblas.so.0",
      "libopenblas.so",
      "libblis.so.4",
      "libcblas.so.3",
      "libblas.so.3",
    ],
    darwin: [
      "/System/Library/Frameworks/Accelerate.framework/Accelerate",
      "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
      "/usr/local/opt/openblas/lib/libopenblas.dylib",
    ],
    win32: ["mkl_rt.2.dll", "libopenblas.dll"],
  },
  install: {
    linux: "sudo apt-get install libopenblas0",
    darwin: "brew install openblas",
    win32: "conda install -c conda-forge openblas",
  },
};

/**
 * Finds the library to use; never fails for "auto", as our own is always there.
 *
 * A library is taken only after it computed a small product rightly.
 *
 * @throws SlalomError "library" when a forced library is not to be had, with what was tried and the
 *   command that installs it; "option" for an unknown name.
 */
export function selectGemm(options: SelectGemmOptions = {}): GemmSelection {
  checkKeys("selectGemm", options, ["library", "searchPaths", "trial"]);
  const { library = "auto" } = options;
  if (!gemmChoices.includes(library)) throw unknownName("matrix library", library, gemmChoices, "option");
  const rejections: GemmRejection[] = [];
  for (const kind of [oneDnn, cblas]) {
    if (library !== "auto" && library !== kind.name) continue;
    const found = firstThatWorks(kind, options, rejections);
    if (found !== undefined) {
      return { library: library === "auto" ? withSmallProducts(found) : found, rejections };
    }
    if (library === kind.name) throw notToBeHad(kind, rejections);
  }
  return { library: wasmGemm(), rejections };
}

/** Every library that works here, the one that "auto" takes first. */
export function allGemm(options: Omit<SelectGemmOptions, "library"> = {}): {
  libraries: GemmLibrary[];
  rejections: GemmRejection[];
} {
  const rejections: GemmRejection[] = [];
  const native = [oneDnn, cblas].map((kind) => firstThatWorks(kind, options, rejections));
  return { libraries: [...native.filter((found) => found !== undefined), wasmGemm()], rejections };
}

/** The command that installs a faster library on this platform. */
export function installCommand(name: "onednn" | "cblas"): string {
  const kind = name === "onednn" ? oneDnn : cblas;
  return kind.install[process.platform] ?? kind.install.linux;
}

function firstThatWorks(
  kind: NativeKind,
  { searchPaths = [], trial = "here" }: SelectGemmOptions,
  rejections: GemmRejection[],
): GemmLibrary | undefined {
  for (const path of candidates(kind, searchPaths)) {
    try {
      if (trial === "process") survive(kind, path);
      const library = kind.open(path);
      checkOnce(library);
      return library;
    } catch (error) {
      rejections.push({ name: kind.name, path, reason: reasonOf(error) });
    }
  }
  return undefined;
}

/** A search path that names a file of this kind is taken as it is; in a folder the usual names are tried. */
function candidates(kind: NativeKind, searchPaths: readonly string[]): string[] {
  const names = kind.files[process.platform] ?? kind.files.linux;
  const stems = names.map((name) => name.split("/").at(-1)!.split(".")[0]);
  const isFile = (path: string): boolean => /\.(so|dylib|dll)(\.|$)/.test(path);
  const given = searchPaths.flatMap((path) => {
    if (!isFile(path)) return names.filter((name) => !name.includes("/")).map((name) => join(path, name));
    const file = path.split(/[\\/]/).at(-1)!;
    return stems.some((stem) => file.startsWith(stem)) ? [path] : [];
  });
  return [...given, ...names];
}

/** Throws when the library does not load or crashes in a process of its own. */
function survive(kind: NativeKind, path: string): void {
  const matrix = [1, 2, 3, 4];
  const layout = kind.name === "onednn" ? [78, 78] : [101, 111, 111];
  const args = [...layout, 2, 2, 2, 1, matrix, 2, matrix, 2, 0, matrix, 2];
  const reason = failureInChildProcess(path, [{ prototype: kind.trialPrototype, args }]);
  if (reason !== undefined) throw new SlalomError("library", reason);
}

/** A product of 2x3 by 3x2 with known values: a library that gets it wrong is not used. */
function checkOnce(library: GemmLibrary): void {
  const workspaceOffset = 256;
  const pages = Math.ceil((workspaceOffset + library.workspaceBytes) / 65536);
  const memory = createSharedMemory(pages);
  const values = new Float32Array(memory.buffer, 0, 16);
  values.set([1, 2, 3, 4, 5, 6], 0);
  values.set([7, 8, 9, 10, 11, 12], 6);
  library.bind(memory, workspaceOffset).prepare({ dtype: "float32", m: 2, n: 2, k: 3 })(0, 24, 48);
  const expected = [58, 64, 139, 154];
  const received = [...values.subarray(12, 16)];
  if (received.every((value, i) => value === expected[i])) return;
  const message = `${library.title} at ${library.path} computed [${received.join(", ")}], expected [${expected.join(", ")}]`;
  throw new SlalomError("library", message);
}

function notToBeHad(kind: NativeKind, rejections: readonly GemmRejection[]): SlalomError {
  const tried = rejections.map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
  const message = `${kind.title} was asked for, but none of its files works here:${tried}\nInstall it: ${kind.install[process.platform] ?? kind.install.linux}. Or take "auto".`;
  return new SlalomError("library", message);
}
