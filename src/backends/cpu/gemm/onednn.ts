/**
 * Matrix products by oneDNN (`dnnl_sgemm`, the same in 2.x and 3.x), float32 only.
 *
 * The matmul primitive runs the same kernels on AVX2 and costs 0.4 us more per call, so it is not used.
 * float64 goes to our own WebAssembly, which is bound along.
 */
import { SlalomError } from "../../../base/errors.js";
import { type NativeLibrary, openLibrary } from "../../../native/library.js";
import { hasBfloat16, prepareBfloat16Product } from "../onednn/bfloat16Products.js";
import { Dnnl } from "../onednn/dnnl.js";
import { type BlockCall, copiesBytes, planCopies, withCopies } from "./aliasing.js";
import { type CopyRows, instantiateCopyRows } from "./copy.js";
import { completeSpec, guarded, overBatch } from "./spec.js";
import type { BoundGemm, GemmLibrary } from "./types.js";
import { wasmGemm } from "./wasm.js";

/** Values of `cpu_runtime` in `dnnl_version_t`: how the library was built to use threads. */
const runtimes: { readonly [value: number]: string } = {
  0: "none",
  1: "sequential",
  2: "OpenMP",
  4: "TBB",
  8: "thread pool",
  256: "SYCL",
};

/** The prototype of its product; an address is passed as a number ("uint64") or an array ("void*"). */
export function oneDnnPrototype(pointer: "uint64" | "void*"): string {
  return (
    "int dnnl_sgemm(char transA, char transB, int64 m, int64 n, int64 k, float alpha, " +
    `${pointer} a, int64 lda, ${pointer} b, int64 ldb, float beta, ${pointer} c, int64 ldc)`
  );
}

/** Bits of `dnnl_cpu_isa_t`. */
const isaAvx2 = 0x7;
const isaAvx512 = 0x20;

const letterN = 78;
const letterT = 84;

/**
 * Opens oneDNN at `path`, on one thread.
 *
 * @throws SlalomError "library" when its threads can't be turned off; errors of the loader as they are.
 */
export function openOneDnn(path: string): GemmLibrary {
  const { library, version } = openOneDnnLibrary(path);
  const sgemm = library.func(oneDnnPrototype("uint64"));
  const doubles = wasmGemm();
  const copiesPay = hasAvx2Kernels(library);
  const major = majorOf(version);
  return {
    name: "onednn",
    title: "oneDNN",
    version,
    path,
    multipliesBfloat16: () => hasBfloat16(library, major),
    workspaceBytes: Math.max(doubles.workspaceBytes, copiesBytes),
    bind(memory, workspaceOffset): BoundGemm {
      const base = library.addressOf(memory);
      let boundDoubles: BoundGemm | undefined;
      let copy: CopyRows | undefined;
      let dnnl: Dnnl | undefined;
      return {
        prepare(given) {
          if (given.dtype === "float64") {
            boundDoubles ??= doubles.bind(memory, workspaceOffset);
            return boundDoubles.prepare(given);
          }
          const spec = completeSpec(given);
          if (spec.precision === "bfloat16") {
            dnnl ??= new Dnnl(library, major);
            return prepareBfloat16Product(dnnl, BigInt(base), memory, spec);
          }
          const { m, n, k, lda, ldb, ldc, alpha, beta } = spec;
          const transA = spec.transA ? letterT : letterN;
          const transB = spec.transB ? letterT : letterN;
          const block: BlockCall = (steps, a, aLine, b, bLine, before, c) => {
            const [at, bt, ct] = [base + a, base + b, base + c];
            const status = sgemm(transA, transB, m, n, steps, alpha, at, aLine, bt, bLine, before, ct, ldc);
            if (status !== 0) throw refused(version, status);
          };
          const plan = copiesPay ? planCopies(spec) : undefined;
          if (plan === undefined) {
            const call = overBatch(spec, (a, b, c) => block(k, a, lda, b, ldb, beta, c));
            return guarded(spec, memory.buffer.byteLength, call);
          }
          copy ??= instantiateCopyRows(memory);
          const call = overBatch(spec, withCopies(spec, plan, workspaceOffset, copy, block));
          return guarded(spec, memory.buffer.byteLength, call);
        },
        release: () => dnnl?.release(),
      };
    },
  };
}

/** The library itself, on one thread, and its version such as "2.6.3". Throws as `openOneDnn`. */
export function openOneDnnLibrary(path: string): { library: NativeLibrary; version: string } {
  const library = openLibrary(path);
  const { version, runtime } = readVersion(library);
  turnOffThreads(library, runtime);
  return { library, version };
}

/** Which of the two C interfaces the library has. */
export const majorOf = (version: string): 2 | 3 => (version.startsWith("2.") ? 2 : 3);

function readVersion(library: NativeLibrary): { version: string; runtime: number } {
  // struct { int major, minor, patch; const char *hash; unsigned cpu_runtime, gpu_runtime; }
  const fields = library.readInts(library.func("void* dnnl_version()")(), 7);
  return { version: `${fields[0]}.${fields[1]}.${fields[2]}`, runtime: fields[6] };
}

/** Whether it runs its AVX2 kernels here: the newer ones copy colliding matrices by themselves. */
function hasAvx2Kernels(library: NativeLibrary): boolean {
  const isa = Number(library.optional("int dnnl_get_effective_cpu_isa()")?.() ?? 0);
  return (isa & isaAvx2) === isaAvx2 && (isa & isaAvx512) === 0;
}

/** One rank is one thread. The setting of OpenMP belongs to the calling thread, so every rank makes it. */
function turnOffThreads(library: NativeLibrary, runtime: number): void {
  const kind = runtimes[runtime] ?? `unknown (${runtime})`;
  if (kind === "sequential" || kind === "thread pool") return;
  // The loader searches the dependencies of a library too: whichever OpenMP it was linked with.
  const setThreads =
    kind === "OpenMP" ? library.optional("void omp_set_num_threads(int threads)") : undefined;
  if (setThreads === undefined) {
    const message = `oneDNN at ${library.path} uses threads of its own (${kind}) that can't be turned off; expected a build with OpenMP or none.`;
    throw new SlalomError("library", message);
  }
  setThreads(1);
}

function refused(version: string, status: unknown): SlalomError {
  return new SlalomError("library", `oneDNN ${version}: dnnl_sgemm failed with status ${String(status)}`);
}
