/**
 * The innermost loops of our own matrix product, for float32 and float64, as WebAssembly.
 *
 * A kernel computes a tile of R rows by V vectors in registers, one step of k per round:
 * V loads of B, R broadcasts of A, R*V multiply-adds. V8 moves all loads of a round before the
 * arithmetic, so tiles need R*V + R + V registers and x86 has 15 to give: 3x3, 4x2 and 6x1 vectors fit;
 * 6x2, the classic choice, spills, and so does every unrolled loop (measured: half the speed).
 */
import {
  type Code,
  call,
  type FunctionBuilder,
  type FunctionReference,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  type Local,
  type ModuleBuilder,
  v128,
} from "../wasm/index.js";
import type { GemmDType } from "./types.js";

/** What the emitters must know about an element type. */
export interface ElementCode {
  readonly type: "f32" | "f64";
  readonly bytes: number;
  /** Elements in a vector. */
  readonly lanes: number;
  readonly broadcast: (address: Code<"i32">, offsetBytes?: number) => Code<"v128">;
  readonly splat: (value: Code<"f32" | "f64">) => Code<"v128">;
  readonly add: (a: Code<"v128">, b: Code<"v128">) => Code<"v128">;
  readonly mul: (a: Code<"v128">, b: Code<"v128">) => Code<"v128">;
  /** a * b + c, fused where the runtime can. */
  readonly madd: (a: Code<"v128">, b: Code<"v128">, c: Code<"v128">) => Code<"v128">;
}

export function elementCode(dtype: GemmDType, relaxedSimd: boolean): ElementCode {
  if (dtype === "float32") {
    return {
      type: "f32",
      bytes: 4,
      lanes: 4,
      broadcast: v128.load32_splat,
      splat: (value) => f32x4.splat(value as Code<"f32">),
      add: f32x4.add,
      mul: f32x4.mul,
      madd: relaxedSimd ? f32x4.relaxed_madd : (a, b, c) => f32x4.add(f32x4.mul(a, b), c),
    };
  }
  return {
    type: "f64",
    bytes: 8,
    lanes: 2,
    broadcast: v128.load64_splat,
    splat: (value) => f64x2.splat(value as Code<"f64">),
    add: f64x2.add,
    mul: f64x2.mul,
    madd: relaxedSimd ? f64x2.relaxed_madd : (a, b, c) => f64x2.add(f64x2.mul(a, b), c),
  };
}

/** Copies one element. */
export function copyElement(element: ElementCode, to: Code<"i32">, from: Code<"i32">): Code<"none"> {
  return element.type === "f32" ? f32.store(to, f32.load(from)) : f64.store(to, f64.load(from));
}

/** Most rows in a tile of 1, 2 and 3 vectors. */
export const tileRows = [0, 6, 4, 3] as const;
/** Most vectors in a tile's row. */
export const tileVectors = 3;

/** Element (i, p) of A is at `a + i*aRow + p*aStep`; row p of B at `b + p*bStep`. All steps in bytes. */
export interface KernelParameters {
  readonly a: "i32";
  readonly aRow: "i32";
  readonly aStep: "i32";
  readonly b: "i32";
  readonly bStep: "i32";
  readonly k: "i32";
  readonly c: "i32";
  readonly cRow: "i32";
  readonly alpha: "f32" | "f64";
  /** Not zero: add to C; zero: overwrite it. */
  readonly accumulate: "i32";
  /** Elements of the last vector of a row that belong to C: 1 to `lanes`. */
  readonly lastWidth: "i32";
  readonly [name: string]: "i32" | "f32" | "f64";
}

export type Kernel = FunctionReference<KernelParameters, "none">;

/** Partial vectors at the right edge of a matrix. */
export interface EdgeFunctions {
  /** Loads `width` elements, the other lanes zero; reads nothing beyond them. */
  readonly load: FunctionReference<{ address: "i32"; width: "i32" }, "v128">;
  /** Stores, or adds to, `width` elements. */
  readonly store: FunctionReference<
    { address: "i32"; value: "v128"; width: "i32"; accumulate: "i32" },
    "none"
  >;
}

export function emitEdges(module: ModuleBuilder, element: ElementCode): EdgeFunctions {
  const load = module.function(
    undefined,
    { parameters: { address: "i32", width: "i32" }, result: "v128" },
    (f, { address, width }) => {
      const vector = f.local("v128");
      if (element.type === "f64") {
        f.return(v128.load64_zero(address));
        f.unreachable();
        return;
      }
      f.if(i32.eq(width, 1), () => f.return(v128.load32_zero(address)));
      f.set(vector, v128.load64_zero(address));
      f.if(i32.eq(width, 3), () => f.set(vector, v128.load32_lane(2, address, vector, 8)));
      f.result(vector);
    },
  );
  const store = module.function(
    undefined,
    { parameters: { address: "i32", value: "v128", width: "i32", accumulate: "i32" } },
    (f, { address, value, width, accumulate }) => {
      f.if(accumulate, () => f.set(value, element.add(value, call(load, { address, width }))));
      if (element.type === "f64") {
        f.do(v128.store64_lane(0, address, value));
        return;
      }
      f.if(
        i32.eq(width, 1),
        () => f.do(v128.store32_lane(0, address, value)),
        () => {
          f.do(v128.store64_lane(0, address, value));
          f.if(i32.eq(width, 3), () => f.do(v128.store32_lane(2, address, value, 8)));
        },
      );
    },
  );
  return { load, store };
}

/** Emits the kernel of `rows` by `vectors`. */
export function emitKernel(
  module: ModuleBuilder,
  element: ElementCode,
  edges: EdgeFunctions,
  rows: number,
  vectors: number,
): Kernel {
  return module.function(undefined, { parameters: kernelParameters(element) }, (f, p) => {
    const sums = f.locals("v128", rows * vectors);
    const rowOfA: Local<"i32">[] = [p.a];
    for (let r = 1; r < rows; r++) rowOfA.push(f.let(i32.add(rowOfA[r - 1], p.aRow)));
    const rowOfB = f.locals("v128", vectors);
    f.while(p.k, () => {
      for (let v = 0; v < vectors; v++) f.set(rowOfB[v], v128.load(p.b, 16 * v));
      for (let r = 0; r < rows; r++) {
        const x = f.let(element.broadcast(rowOfA[r]));
        for (let v = 0; v < vectors; v++) {
          const sum = sums[r * vectors + v];
          f.set(sum, element.madd(x, rowOfB[v], sum));
        }
      }
      f.add(p.b, p.bStep);
      for (const address of rowOfA) f.add(address, p.aStep);
      f.add(p.k, -1);
    });
    const alpha = f.let(element.splat(p.alpha));
    for (const sum of sums) f.set(sum, element.mul(sum, alpha));
    writeTile(f, element, edges, sums, vectors, p);
  });
}

function writeTile(
  f: FunctionBuilder<KernelParameters>,
  element: ElementCode,
  edges: EdgeFunctions,
  sums: readonly Local<"v128">[],
  vectors: number,
  p: FunctionBuilder<KernelParameters>["parameters"],
): void {
  const rows = sums.length / vectors;
  const eachRow = (write: (row: readonly Local<"v128">[]) => void): void => {
    for (let r = 0; r < rows; r++) {
      write(sums.slice(r * vectors, (r + 1) * vectors));
      f.add(p.c, p.cRow);
    }
  };
  const put = (vector: Local<"v128">, v: number): void => f.do(v128.store(p.c, vector, 16 * v));
  const addTo = (vector: Local<"v128">, v: number): void =>
    f.do(v128.store(p.c, element.add(v128.load(p.c, 16 * v), vector), 16 * v));
  f.if(
    i32.eq(p.lastWidth, element.lanes),
    () =>
      f.if(
        p.accumulate,
        () => eachRow((row) => row.forEach(addTo)),
        () => eachRow((row) => row.forEach(put)),
      ),
    () =>
      eachRow((row) => {
        if (vectors > 1) {
          const whole = row.slice(0, -1);
          f.if(
            p.accumulate,
            () => whole.forEach(addTo),
            () => whole.forEach(put),
          );
        }
        const { accumulate, lastWidth: width } = p;
        const address = i32.add(p.c, 16 * (vectors - 1));
        f.do(call(edges.store, { address, value: row[vectors - 1], width, accumulate }));
      }),
  );
}

function kernelParameters(element: ElementCode): KernelParameters {
  return {
    a: "i32",
    aRow: "i32",
    aStep: "i32",
    b: "i32",
    bStep: "i32",
    k: "i32",
    c: "i32",
    cRow: "i32",
    alpha: element.type,
    accumulate: "i32",
    lastWidth: "i32",
  };
}
