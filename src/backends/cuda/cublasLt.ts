/** What matrix products need of cuBLASLt's C interface, of CUDA 11 to 13. Matrices are column-major, as BLAS has them. */
import { SlalomError } from "../../base/errors.js";
import { NativeMemory } from "../../native/memory.js";
import { type Bound, bind } from "./bind.js";
import type { Handle } from "./driver.js";
import { Handles } from "./handles.js";
import type { FoundLibrary } from "./libraries.js";

export const cublasLtPrototypes = {
  cublasLtCreate: "int cublasLtCreate(uint64 handle)",
  cublasLtDestroy: "int cublasLtDestroy(uint64 handle)",
  cublasLtMatmulDescCreate:
    "int cublasLtMatmulDescCreate(uint64 description, int computeType, int scaleType)",
  cublasLtMatmulDescDestroy: "int cublasLtMatmulDescDestroy(uint64 description)",
  cublasLtMatmulDescSetAttribute:
    "int cublasLtMatmulDescSetAttribute(uint64 description, int attribute, uint64 value, size_t bytes)",
  cublasLtMatrixLayoutCreate:
    "int cublasLtMatrixLayoutCreate(uint64 layout, int type, uint64 rows, uint64 columns, int64 leading)",
  cublasLtMatrixLayoutDestroy: "int cublasLtMatrixLayoutDestroy(uint64 layout)",
  cublasLtMatrixLayoutSetAttribute:
    "int cublasLtMatrixLayoutSetAttribute(uint64 layout, int attribute, uint64 value, size_t bytes)",
  cublasLtMatmulPreferenceCreate: "int cublasLtMatmulPreferenceCreate(uint64 preference)",
  cublasLtMatmulPreferenceDestroy: "int cublasLtMatmulPreferenceDestroy(uint64 preference)",
  cublasLtMatmulPreferenceSetAttribute:
    "int cublasLtMatmulPreferenceSetAttribute(uint64 preference, int attribute, uint64 value, size_t bytes)",
  cublasLtMatmulAlgoGetHeuristic:
    "int cublasLtMatmulAlgoGetHeuristic(uint64 handle, uint64 description, uint64 a, uint64 b, uint64 c, uint64 d, uint64 preference, int asked, uint64 results, uint64 count)",
  cublasLtMatmul:
    "int cublasLtMatmul(uint64 handle, uint64 description, uint64 alpha, uint64 a, uint64 layoutA, uint64 b, uint64 layoutB, uint64 beta, uint64 c, uint64 layoutC, uint64 d, uint64 layoutD, uint64 algorithm, uint64 workspace, size_t workspaceBytes, uint64 stream)",
} as const;

type Call = keyof typeof cublasLtPrototypes;

/** Enumerators of the C interface. */
const types = { float32: 0, float64: 1, bfloat16: 14 } as const;
const computes = { float32: 68, tf32: 77, float64: 70 } as const;
const operations = { transposeA: 3, transposeB: 4 } as const;
const layoutBatch = { count: 5, stride: 6 } as const;
const preferences = { workspaceBytes: 1, reductions: 3, alignment: { a: 5, b: 6, c: 7, d: 8 } } as const;
/** Partial sums in memory of their own, added in a fixed order; not by whoever comes first, into the result. */
const orderedReductions = 2 | 4;

/** cublasLtMatmulHeuristicResult_t: 64 bytes of algorithm, its workspace, whether it can be used. */
const resultBytes = 96;
const mostResults = 8;

/** What a product may take of scratch memory: NVIDIA's advice for the largest devices. */
const mostWorkspaceBytes = 32 << 20;

/** A matrix as it lies: `rows` are contiguous. */
export interface ColumnMajor {
  readonly type: keyof typeof types;
  readonly rows: number;
  readonly columns: number;
  /** Elements from one column to the next. */
  readonly leading: number;
  /** Elements from one matrix of a batch to the next. */
  readonly stride: number;
  /** The product takes its transpose. */
  readonly transposed: boolean;
  /** What its address, in all calls, is a multiple of. */
  readonly alignmentBytes: number;
}

/** D = A B, or D = A B + D, for each of a batch. */
export interface ColumnMajorProduct {
  readonly compute: keyof typeof computes;
  readonly accumulate: boolean;
  readonly batch: number;
  readonly a: ColumnMajor;
  readonly b: ColumnMajor;
  readonly d: ColumnMajor;
}

/** A product by one of the library's algorithms. */
export interface Matmul {
  readonly workspaceBytes: number;
  enqueue(a: Handle, b: Handle, d: Handle, workspace: Handle, stream: Handle): void;
}

export class CublasLt {
  private readonly functions: Bound<typeof cublasLtPrototypes>;
  private readonly memory: NativeMemory;
  private readonly handles = new Handles();
  private readonly handle: Handle;
  private readonly scratch: { readonly buffer: ArrayBuffer; readonly address: bigint };
  /** By shape. */
  private readonly found = new Map<string, readonly Matmul[]>();

  /** In the present context. @throws SlalomError "library" for a library that is too old or refuses */
  constructor(private readonly library: FoundLibrary) {
    this.functions = bind(library.native, library.title, cublasLtPrototypes);
    this.memory = new NativeMemory(library.native);
    this.scratch = this.memory.bytes(64);
    this.handle = this.made(this.handles, "cublasLtDestroy", "cublasLtCreate");
  }

  /** By each algorithm that it has for the shape, that which it thinks fastest first; looked for once a shape. */
  matmuls(product: ColumnMajorProduct): readonly Matmul[] {
    const key = JSON.stringify(product);
    const found = this.found.get(key) ?? this.find(product);
    this.found.set(key, found);
    return found;
  }

  release(): void {
    this.handles.release();
  }

  private find(product: ColumnMajorProduct): Matmul[] {
    const { compute, accumulate, batch, a, b, d } = product;
    const handles = new Handles();
    const scale = compute === "float64" ? types.float64 : types.float32;
    return handles.orReleased(() => {
      const description = this.made(
        handles,
        "cublasLtMatmulDescDestroy",
        "cublasLtMatmulDescCreate",
        computes[compute],
        scale,
      );
      const describe = "cublasLtMatmulDescSetAttribute";
      this.set(describe, description, operations.transposeA, int32(a.transposed ? 1 : 0));
      this.set(describe, description, operations.transposeB, int32(b.transposed ? 1 : 0));
      const [layoutA, layoutB, layoutD] = [a, b, d].map((matrix) => this.layout(handles, matrix, batch));
      const algorithms = this.algorithms(product, [description, layoutA, layoutB, layoutD]);
      if (algorithms.length === 0) {
        handles.release();
        return [];
      }
      this.handles.own(handles, (all) => all.release());
      const [alpha, beta] = [1, accumulate ? 1 : 0].map((factor) => this.number(compute, factor));
      return algorithms.map(({ address, workspaceBytes }) => ({
        workspaceBytes,
        enqueue: (atA, atB, atD, workspace, stream) =>
          this.call(
            "cublasLtMatmul",
            ...[
              this.handle,
              description,
              alpha,
              atA,
              layoutA,
              atB,
              layoutB,
              beta,
              atD,
              layoutD,
              atD,
              layoutD,
            ],
            ...[address, workspace, workspaceBytes, stream],
          ),
      }));
    });
  }

  private layout(
    handles: Handles,
    { type, rows, columns, leading, stride }: ColumnMajor,
    batch: number,
  ): Handle {
    const create = "cublasLtMatrixLayoutCreate";
    const destroy = "cublasLtMatrixLayoutDestroy";
    const layout = this.made(handles, destroy, create, types[type], rows, columns, leading);
    if (batch > 1) {
      this.set("cublasLtMatrixLayoutSetAttribute", layout, layoutBatch.count, int32(batch));
      this.set("cublasLtMatrixLayoutSetAttribute", layout, layoutBatch.stride, int64(stride));
    }
    return layout;
  }

  /** What the library has, the fastest first as it thinks; the same each time it is asked. */
  private algorithms(
    { a, b, d }: ColumnMajorProduct,
    [description, layoutA, layoutB, layoutD]: readonly Handle[],
  ): { readonly address: bigint; readonly workspaceBytes: number }[] {
    const handles = new Handles();
    try {
      const destroy = "cublasLtMatmulPreferenceDestroy";
      const preference = this.made(handles, destroy, "cublasLtMatmulPreferenceCreate");
      const prefer = (attribute: number, value: Uint8Array): void =>
        this.set("cublasLtMatmulPreferenceSetAttribute", preference, attribute, value);
      prefer(preferences.workspaceBytes, int64(mostWorkspaceBytes));
      prefer(preferences.reductions, int32(orderedReductions));
      const alignments = preferences.alignment;
      prefer(alignments.a, int32(a.alignmentBytes));
      prefer(alignments.b, int32(b.alignmentBytes));
      prefer(alignments.c, int32(d.alignmentBytes));
      prefer(alignments.d, int32(d.alignmentBytes));
      const results = this.memory.bytes(resultBytes * mostResults);
      const code = Number(
        this.functions.cublasLtMatmulAlgoGetHeuristic(
          ...[this.handle, description, layoutA, layoutB, layoutD, layoutD, preference, mostResults],
          ...[results.address, this.scratch.address],
        ),
      );
      // It says by an error, too, that it has none.
      const count = code === 0 ? new Int32Array(this.scratch.buffer)[0] : 0;
      const view = new DataView(results.buffer);
      return Array.from({ length: count }, (_, i) => i * resultBytes)
        .filter((at) => view.getInt32(at + 72, true) === 0)
        .map((at) => ({
          address: results.address + BigInt(at),
          workspaceBytes: Number(view.getBigUint64(at + 64, true)),
        }));
    } finally {
      handles.release();
    }
  }

  private set(name: Call, handle: Handle, attribute: number, value: Uint8Array): void {
    new Uint8Array(this.scratch.buffer).set(value);
    this.call(name, handle, attribute, this.scratch.address, value.byteLength);
  }

  /** Address of a factor, in the type that products are summed in. */
  private number(compute: keyof typeof computes, value: number): bigint {
    const { buffer, address } = this.memory.bytes(8);
    if (compute === "float64") new Float64Array(buffer)[0] = value;
    else new Float32Array(buffer)[0] = value;
    return address;
  }

  private made(handles: Handles, destroy: Call, name: Call, ...args: (number | bigint)[]): Handle {
    const { buffer, address } = this.scratch;
    this.call(name, address, ...args);
    return handles.own(new BigUint64Array(buffer)[0], (handle) => this.call(destroy, handle));
  }

  private call(name: Call, ...args: (number | bigint)[]): void {
    const code = Number(this.functions[name](...args));
    if (code === 0) return;
    throw new SlalomError(
      "device",
      `cuBLASLt at ${this.library.path}: ${name} failed with ${statuses[code] ?? "an unknown status"} (${code}). ${remedies[code] ?? "A bug in Slalom, or of the library: please report it, with what `slalom doctor` shows"}.`,
    );
  }
}

const statuses: Readonly<Record<number, string>> = {
  1: "CUBLAS_STATUS_NOT_INITIALIZED",
  3: "CUBLAS_STATUS_ALLOC_FAILED",
  7: "CUBLAS_STATUS_INVALID_VALUE",
  8: "CUBLAS_STATUS_ARCH_MISMATCH",
  11: "CUBLAS_STATUS_MAPPING_ERROR",
  13: "CUBLAS_STATUS_EXECUTION_FAILED",
  14: "CUBLAS_STATUS_INTERNAL_ERROR",
  15: "CUBLAS_STATUS_NOT_SUPPORTED",
  16: "CUBLAS_STATUS_LICENSE_ERROR",
};

const remedies: Readonly<Record<number, string>> = {
  1: "It could not start: the device has too little free memory, or the NVIDIA driver is older than the library",
  3: "The host or the device has too little memory: end other programs on the GPU (nvidia-smi lists them)",
  8: "It does not serve this GPU: install a version for the GPU's compute capability",
};

const int32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
const int64 = (value: number): Uint8Array => new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
