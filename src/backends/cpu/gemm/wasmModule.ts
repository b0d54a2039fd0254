/**
 * Our own matrix product as a WebAssembly module: blocked for the caches, packed, register-tiled.
 *
 * Exports `gemm` over the imported memory `env.memory`, with the parameters of `gemmParameters`, so that
 * other WebAssembly can import it directly; one module per element type.
 */
import {
  type Code,
  call,
  type FunctionReference,
  f32,
  f64,
  i32,
  type MemoryLimits,
  ModuleBuilder,
  select,
  type ValueType,
} from "../wasm/index.js";
import { emitCopyRows } from "./copy.js";
import {
  type ElementCode,
  elementCode,
  emitEdges,
  emitKernel,
  type Kernel,
  tileRows,
  tileVectors,
} from "./kernels.js";
import { emitPackRows, emitPackTransposed, type Pack } from "./packing.js";
import type { GemmDType } from "./types.js";

/** Most steps of k at a time: a packed panel of B (48 bytes a step) keeps to half of a 32 KiB L1 cache. */
const blockK = 320;
/** Rows of A at a time: a block of A (240 x 320 float32) keeps to 300 KiB of L2. */
const blockM = 240;
/** Up to this many rows it does not pay to pack B. */
const directRows = 8;
/** From this many columns it pays to copy a block of a transposed A. */
const copyColumns = 48;

/** A packed panel of B, then a block of A; sizes are those of float64, the larger. */
const panelBytes = blockK * 16 * tileVectors;
export const wasmGemmWorkspaceBytes = panelBytes + blockK * blockM * 8;

/** Sizes in elements, addresses in bytes; `alpha` and `beta` have the element's type. */
export const gemmParameters = (type: "f32" | "f64") =>
  ({
    m: "i32",
    n: "i32",
    k: "i32",
    transA: "i32",
    transB: "i32",
    alpha: type,
    a: "i32",
    lda: "i32",
    b: "i32",
    ldb: "i32",
    beta: type,
    c: "i32",
    ldc: "i32",
    workspace: "i32",
  }) as const satisfies Record<string, ValueType>;

/** The module in the binary format. */
export function emitGemmModule(
  dtype: GemmDType,
  limits: MemoryLimits,
  relaxedSimd: boolean,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory({ module: "env", name: "memory" }, limits);
  emitGemm(module, elementCode(dtype, relaxedSimd));
  return module.bytes();
}

function emitGemm(module: ModuleBuilder, element: ElementCode): void {
  const edges = emitEdges(module, element);
  const panels = [1, 2, 3].map((vectors) => {
    const kernels = Array.from({ length: tileRows[vectors] }, (_, r) =>
      emitKernel(module, element, edges, r + 1, vectors),
    );
    return {
      vectors,
      packRows: emitPackRows(module, element, edges, vectors),
      packTransposed: emitPackTransposed(module, element, vectors),
      sweep: emitSweep(module, kernels),
    };
  });
  const scale = emitScale(module, element);
  const copyRows = emitCopyRows(module, undefined);
  const isNumber = (value: Code<"f32" | "f64">, expected: number): Code<"i32"> =>
    element.type === "f32" ? f32.eq(value as Code<"f32">, expected) : f64.eq(value as Code<"f64">, expected);

  module.function("gemm", { parameters: gemmParameters(element.type) }, (f, p) => {
    const { m, n, k, transA, transB, alpha, beta, workspace } = p;
    const aLine = f.let(i32.mul(p.lda, element.bytes));
    const bLine = f.let(i32.mul(p.ldb, element.bytes));
    const cRow = f.let(i32.mul(p.ldc, element.bytes));
    const panel = workspace;
    const copyOfA = f.let(i32.add(workspace, panelBytes));
    const overwrite = f.let(isNumber(beta, 0));
    // With beta 0 the first block of k overwrites C; with no k at all nothing would.
    f.if(i32.or(i32.eqz(overwrite), i32.eqz(k)), () => {
      f.if(i32.eqz(isNumber(beta, 1)), () => f.do(call(scale, { c: p.c, cRow, m, n, beta })));
    });
    f.if(i32.eqz(k), () => f.return());

    const accumulate = f.let(i32.eqz(overwrite));
    // Equal blocks of k: 784 is three times 262, not twice 320 and a rest.
    const blocks = f.let(i32.div_u(i32.add(k, blockK - 1), blockK));
    const stepK = f.let(i32.div_u(i32.sub(i32.add(k, blocks), 1), blocks));
    f.for({ to: k, step: stepK }, (k0) => {
      const kc = f.let(smaller(stepK, i32.sub(k, k0)));
      f.for({ to: m, step: blockM }, (m0) => {
        const mc = f.let(smaller(i32.const(blockM), i32.sub(m, m0)));
        const blockOfA = f.local("i32");
        const aRow = f.local("i32");
        const aStep = f.local("i32");
        f.if(
          transA,
          () => {
            f.set(blockOfA, i32.add(i32.add(p.a, i32.mul(k0, aLine)), i32.mul(m0, element.bytes)));
            f.set(aRow, element.bytes);
            f.set(aStep, aLine);
            // Column access to a wide matrix misses the TLB at every step; a copy fits in few pages.
            f.if(i32.ge_u(n, copyColumns), () => {
              const bytes = f.let(i32.and(i32.add(i32.mul(mc, element.bytes), 15), -16));
              const columns = i32.mul(mc, element.bytes);
              f.do(
                call(copyRows, {
                  from: blockOfA,
                  fromRow: aLine,
                  rows: kc,
                  columns,
                  to: copyOfA,
                  toRow: bytes,
                }),
              );
              f.set(blockOfA, copyOfA);
              f.set(aStep, bytes);
            });
          },
          () => {
            f.set(blockOfA, i32.add(i32.add(p.a, i32.mul(m0, aLine)), i32.mul(k0, element.bytes)));
            f.set(aRow, aLine);
            f.set(aStep, element.bytes);
          },
        );
        f.for({ to: n, step: element.lanes * tileVectors }, (n0) => {
          const columns = f.let(smaller(i32.const(element.lanes * tileVectors), i32.sub(n, n0)));
          const vectors = f.let(i32.div_u(i32.add(columns, element.lanes - 1), element.lanes));
          const lastWidth = f.let(i32.sub(columns, i32.mul(i32.sub(vectors, 1), element.lanes)));
          const c = f.let(i32.add(i32.add(p.c, i32.mul(m0, cRow)), i32.mul(n0, element.bytes)));
          const b = f.local("i32");
          const bStep = f.local("i32");
          for (const { vectors: width, packRows, packTransposed, sweep } of panels) {
            f.if(i32.eq(vectors, width), () => {
              const pack = (into: Pack): void => {
                f.do(call(into, { b, bRow: bLine, k: kc, lastWidth, to: panel }));
                f.set(b, panel);
                f.set(bStep, 16 * width);
              };
              f.if(
                transB,
                () => {
                  f.set(b, i32.add(i32.add(p.b, i32.mul(n0, bLine)), i32.mul(k0, element.bytes)));
                  pack(packTransposed);
                },
                () => {
                  f.set(b, i32.add(i32.add(p.b, i32.mul(k0, bLine)), i32.mul(n0, element.bytes)));
                  f.set(bStep, bLine);
                  const direct = i32.and(i32.le_u(mc, directRows), i32.eq(lastWidth, element.lanes));
                  f.if(i32.eqz(direct), () => pack(packRows));
                },
              );
              f.do(
                call(sweep, {
                  a: blockOfA,
                  aRow,
                  aStep,
                  b,
                  bStep,
                  k: kc,
                  c,
                  cRow,
                  alpha,
                  accumulate,
                  lastWidth,
                  rows: mc,
                }),
              );
            });
          }
        });
      });
      f.set(accumulate, 1);
    });
  });
}

type SweepParameters = Kernel["parameters"] & { readonly rows: "i32" };

/** Runs the kernels down all rows of a block, for one panel of B. */
function emitSweep(
  module: ModuleBuilder,
  kernels: readonly Kernel[],
): FunctionReference<SweepParameters, "none"> {
  const parameters: SweepParameters = { ...kernels[0].parameters, rows: "i32" };
  const most = kernels.length;
  return module.function(undefined, { parameters }, (f, p) => {
    const tile = (rows: number): void => {
      f.do(call(kernels[rows - 1], p));
    };
    f.while(i32.ge_u(p.rows, most), () => {
      tile(most);
      f.add(p.a, i32.mul(p.aRow, most));
      f.add(p.c, i32.mul(p.cRow, most));
      f.add(p.rows, -most);
    });
    for (let rows = 1; rows < most; rows++) f.if(i32.eq(p.rows, rows), () => tile(rows));
  });
}

/** C = beta * C; exactly zero for beta 0, whatever C held. */
function emitScale(module: ModuleBuilder, element: ElementCode) {
  const parameters = { c: "i32", cRow: "i32", m: "i32", n: "i32", beta: element.type } as const;
  return module.function(undefined, { parameters }, (f, { c, cRow, m, n, beta }) => {
    f.for({ to: m }, () => {
      const end = f.let(i32.add(c, i32.mul(n, element.bytes)));
      const at = f.let(c);
      f.while(i32.lt_u(at, end), () => {
        f.do(
          element.type === "f32"
            ? f32.store(
                at,
                select(
                  f32.eq(beta as Code<"f32">, 0),
                  f32.const(0),
                  f32.mul(beta as Code<"f32">, f32.load(at)),
                ),
              )
            : f64.store(
                at,
                select(
                  f64.eq(beta as Code<"f64">, 0),
                  f64.const(0),
                  f64.mul(beta as Code<"f64">, f64.load(at)),
                ),
              ),
        );
        f.add(at, element.bytes);
      });
      f.add(c, cRow);
    });
  });
}

/** The smaller of two unsigned numbers; both are computed twice. */
function smaller(a: Code<"i32">, b: Code<"i32">): Code<"i32"> {
  return select(i32.lt_u(a, b), a, b);
}
