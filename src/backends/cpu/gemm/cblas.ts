/** Matrix products by a CBLAS: OpenBLAS, MKL, BLIS, Accelerate, whichever is present. */
import { SlalomError } from "../../../base/errors.js";
import { type NativeLibrary, openLibrary } from "../../../native/library.js";
import { completeSpec, guarded, overBatch } from "./spec.js";
import type { GemmLibrary } from "./types.js";

const rowMajor = 101;
const noTrans = 111;
const trans = 112;

/** The call to tell a BLAS to use one thread; which of them exists tells whose BLAS it is. */
const threadControls: readonly { title: string; prototype: string; args: readonly number[] }[] = [
  { title: "OpenBLAS", prototype: "void openblas_set_num_threads(int threads)", args: [1] },
  { title: "MKL", prototype: "int MKL_Set_Num_Threads_Local(int threads)", args: [1] },
  { title: "BLIS", prototype: "void bli_thread_set_num_threads(int64 threads)", args: [1] },
  // BLAS_THREADING_SINGLE_THREADED, from macOS 15 on.
  { title: "Accelerate", prototype: "int BLASSetThreading(int threading)", args: [1] },
];

/**
 * Opens the CBLAS at `path`, on one thread.
 *
 * @throws SlalomError "library" for a BLAS whose threads can't be turned off, and for the plain reference
 *   BLAS, which is slower than our own; errors of the loader as they are.
 */
export function openCblas(path: string): GemmLibrary {
  const library = openLibrary(path);
  const sgemm = library.func(cblasPrototype("s", "float", "uint64"));
  const dgemm = library.func(cblasPrototype("d", "double", "uint64"));
  const title = turnOffThreads(library);
  return {
    name: "cblas",
    title,
    version: readVersion(library),
    path,
    multipliesBfloat16: () => false,
    workspaceBytes: 0,
    bind(memory) {
      const base = library.addressOf(memory);
      return {
        prepare(given) {
          const spec = completeSpec(given);
          const { m, n, k, lda, ldb, ldc, alpha, beta } = spec;
          const transA = spec.transA ? trans : noTrans;
          const transB = spec.transB ? trans : noTrans;
          const gemm = spec.dtype === "float32" ? sgemm : dgemm;
          const call = overBatch(spec, (a, b, c) => {
            gemm(rowMajor, transA, transB, m, n, k, alpha, base + a, lda, base + b, ldb, beta, base + c, ldc);
          });
          return guarded(spec, memory.buffer.byteLength, call);
        },
      };
    },
  };
}

/** The prototype of a product; an address is passed as a number ("uint64") or an array ("void*"). */
export function cblasPrototype(
  letter: "s" | "d",
  real: "float" | "double",
  pointer: "uint64" | "void*",
): string {
  return (
    `void cblas_${letter}gemm(int order, int transA, int transB, int m, int n, int k, ${real} alpha, ` +
    `${pointer} a, int lda, ${pointer} b, int ldb, ${real} beta, ${pointer} c, int ldc)`
  );
}

function turnOffThreads(library: NativeLibrary): string {
  for (const { title, prototype, args } of threadControls) {
    const control = library.optional(prototype);
    if (control === undefined) continue;
    control(...args);
    return title;
  }
  const message = `${library.path} is a BLAS that we know no way to keep to one thread, or the slow reference BLAS; expected OpenBLAS, MKL, BLIS or Accelerate.`;
  throw new SlalomError("library", message);
}

function readVersion(library: NativeLibrary): string {
  const config = library.optional("const char* openblas_get_config()")?.();
  if (typeof config === "string") return config.replace(/^OpenBLAS\s+/, "").trim();
  const blis = library.optional("const char* bli_info_get_version_str()")?.();
  return typeof blis === "string" ? blis : "";
}
