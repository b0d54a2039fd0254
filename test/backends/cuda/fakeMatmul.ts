/** cuBLASLt's matrix products in plain loops: column-major, with the library's own descriptors and enumerators. */
import { type CArgument, FakeLibrary } from "./fakeLibrary.js";

interface Layout {
  readonly type: number;
  readonly rows: number;
  readonly columns: number;
  readonly leading: number;
  readonly attributes: Map<number, bigint>;
}

export interface FakeMatmulOptions {
  /** CUBLAS_STATUS of the search for an algorithm. */
  readonly refusal?: number;
  /** CUBLAS_STATUS of a product. */
  readonly failure?: number;
}

/** The library, and what it was asked for. */
export function fakeMatmul({ refusal = 0, failure = 0 }: FakeMatmulOptions = {}) {
  const descriptions = new Map<bigint, { compute: number; attributes: Map<number, bigint> }>();
  const layouts = new Map<bigint, Layout>();
  const preferences = new Map<bigint, Map<number, bigint>>();
  let handle = 0n;
  const seen = {
    searches: 0,
    compute: [] as number[],
    alignments: [] as bigint[][],
    reductions: [] as bigint[],
  };
  const library = new FakeLibrary("libcublasLt.so.12", (lib) => {
    const create =
      <T>(into: Map<bigint, T>, make: (...args: CArgument[]) => T) =>
      (at: CArgument, ...args: CArgument[]) => {
        into.set(++handle, make(...args));
        lib.setWord(at, handle);
        return 0;
      };
    const destroy = (from: Map<bigint, unknown>) => (which: CArgument) =>
      from.delete(BigInt(which)) ? 0 : 7;
    const valueAt = (at: CArgument, bytes: CArgument): bigint =>
      Number(bytes) === 4 ? BigInt(lib.view(at).getInt32(0, true)) : lib.view(at).getBigInt64(0, true);
    const set =
      (of: (which: bigint) => Map<number, bigint>) =>
      (which: CArgument, attribute: CArgument, at: CArgument, bytes: CArgument) => {
        of(BigInt(which)).set(Number(attribute), valueAt(at, bytes));
        return 0;
      };
    const handles = new Map<bigint, object>();
    return {
      cublasLtCreate: create(handles, () => ({})),
      cublasLtDestroy: destroy(handles),
      cublasLtMatmulDescCreate: create(descriptions, (compute) => ({
        compute: Number(compute),
        attributes: new Map(),
      })),
      cublasLtMatmulDescDestroy: destroy(descriptions),
      cublasLtMatmulDescSetAttribute: set((which) => descriptions.get(which)!.attributes),
      cublasLtMatrixLayoutCreate: create(layouts, (type, rows, columns, leading) => ({
        type: Number(type),
        rows: Number(rows),
        columns: Number(columns),
        leading: Number(leading),
        attributes: new Map(),
      })),
      cublasLtMatrixLayoutDestroy: destroy(layouts),
      cublasLtMatrixLayoutSetAttribute: set((which) => layouts.get(which)!.attributes),
      cublasLtMatmulPreferenceCreate: create(preferences, () => new Map()),
      cublasLtMatmulPreferenceDestroy: destroy(preferences),
      cublasLtMatmulPreferenceSetAttribute: set((which) => preferences.get(which)!),
      cublasLtMatmulAlgoGetHeuristic: (...args) => {
        const preference = preferences.get(BigInt(args[6]))!;
        const [results, count] = [args[8], args[9]];
        seen.searches++;
        seen.alignments.push([5, 6, 7, 8].map((attribute) => preference.get(attribute)!));
        seen.reductions.push(preference.get(3)!);
        if (refusal !== 0) return refusal;
        // Three results, of which the first can't be used; the others know what they were made for.
        lib.setInt(count, 3);
        lib.setInt(BigInt(results) + 72n, 15);
        for (const n of [1, 2]) {
          const result = BigInt(results) + BigInt(96 * n);
          for (const [i, attribute] of [5, 6, 8].entries())
            lib.setWord(result + BigInt(8 * i), preference.get(attribute)!);
          lib.setWord(result + 64n, 1000 * n);
          lib.setInt(result + 72n, 0);
        }
        return 0;
      },
      cublasLtMatmul: (...args) => {
        if (failure !== 0) return failure;
        const [, description, alpha, a, layoutA, b, layoutB, beta, c, layoutC, d, layoutD, algorithm] = args;
        const { compute, attributes } = descriptions.get(BigInt(description))!;
        seen.compute.push(compute);
        const factor = (at: CArgument): number =>
          compute === 70 ? lib.view(at).getFloat64(0, true) : lib.view(at).getFloat32(0, true);
        for (const [i, address] of [a, b, d].entries()) {
          const alignment = lib.view(BigInt(algorithm) + BigInt(8 * i)).getBigUint64(0, true);
          if (BigInt(address) % alignment !== 0n)
            throw new Error(`operand ${i} is not aligned to ${alignment}`);
        }
        if (c !== d || layoutC !== layoutD) throw new Error("c and d are one");
        multiply({
          a: matrix(lib, layouts.get(BigInt(layoutA))!, a, attributes.get(3) === 1n),
          b: matrix(lib, layouts.get(BigInt(layoutB))!, b, attributes.get(4) === 1n),
          d: matrix(lib, layouts.get(BigInt(layoutD))!, d, false),
          alpha: factor(alpha),
          beta: factor(beta),
        });
        return 0;
      },
    };
  });
  const live = (): number => descriptions.size + layouts.size + preferences.size;
  return { library, seen, live };
}

/** Elements of a matrix of a batch, in the order of the product. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  get(one: number, row: number, column: number): number;
  set(one: number, row: number, column: number, value: number): void;
}

function matrix(lib: FakeLibrary, layout: Layout, address: CArgument, transposed: boolean): Matrix {
  const { type, rows, columns, leading, attributes } = layout;
  if (leading < rows) throw new Error(`leading dimension ${leading} of ${rows} rows`);
  const bytes = { 0: 4, 1: 8, 14: 2 }[type]!;
  const stride = Number(attributes.get(6) ?? 0n);
  const at = (one: number, i: number, j: number): DataView => {
    const [row, column] = transposed ? [j, i] : [i, j];
    return lib.view(BigInt(address) + BigInt((one * stride + column * leading + row) * bytes));
  };
  return {
    rows: transposed ? columns : rows,
    columns: transposed ? rows : columns,
    batch: Number(attributes.get(5) ?? 1n),
    get: (one, i, j) => {
      const view = at(one, i, j);
      if (type === 0) return view.getFloat32(0, true);
      if (type === 1) return view.getFloat64(0, true);
      return new Float32Array(Uint32Array.of(view.getUint16(0, true) << 16).buffer)[0];
    },
    set: (one, i, j, value) => {
      if (type === 0) at(one, i, j).setFloat32(0, value, true);
      else at(one, i, j).setFloat64(0, value, true);
    },
  };
}

function multiply({
  a,
  b,
  d,
  alpha,
  beta,
}: Record<"a" | "b" | "d", Matrix> & Record<"alpha" | "beta", number>): void {
  const fits = a.columns === b.rows && a.rows === d.rows && b.columns === d.columns;
  if (!fits || a.batch !== d.batch || b.batch !== d.batch) throw new Error("matrices do not fit each other");
  for (let one = 0; one < d.batch; one++) {
    for (let i = 0; i < d.rows; i++) {
      for (let j = 0; j < d.columns; j++) {
        let sum = 0;
        for (let k = 0; k < a.columns; k++) sum += a.get(one, i, k) * b.get(one, k, j);
        d.set(one, i, j, alpha * sum + (beta === 0 ? 0 : beta * d.get(one, i, j)));
      }
    }
  }
}
