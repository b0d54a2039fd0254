/** Patches of images as rows of a matrix, and back, as WebAssembly made for one convolution. */
import { bytesOf } from "../../../base/dtype.js";
import {
  memory as bulk,
  type Code,
  compileModule,
  type FunctionBuilder,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  instantiate,
  type Local,
  ModuleBuilder,
  type Operand,
  type Statement,
  select,
  v128,
  type WasmMemory,
} from "../wasm/index.js";
import type { ConvolutionSpec } from "./types.js";

/** Addresses are byte offsets; `row` counts rows of outputs over all images. */
export interface Patches {
  /** The patches of `rows` rows of outputs, of one group's channels from `channel` on. */
  gather(images: number, patches: number, row: number, rows: number, channel: number): void;
  /** Adds patches to the images that they were taken from. */
  scatter(patches: number, images: number, row: number, rows: number, channel: number): void;
  clear(images: number): void;
  /** Adds the bias and takes max(y, 0), as far as the convolution has them, at `positions` positions. */
  finish(outputs: number, bias: number, positions: number): void;
}

export function instantiatePatches(memory: WasmMemory, spec: ConvolutionSpec): Patches {
  const module = new ModuleBuilder();
  const shared = memory.buffer instanceof SharedArrayBuffer;
  module.importMemory({ module: "env", name: "memory" }, { initialPages: 0, maximumPages: 65536, shared });
  const arithmetic = arithmetics[spec.dtype];
  emitMove(module, "gather", spec, (f, image, patch, bytes) => copyRun(f, image, patch, bytes));
  emitMove(module, "scatter", spec, (f, image, patch, bytes) => addRun(f, arithmetic, patch, image, bytes));
  module.function("clear", { parameters: { images: "i32" } }, (f, { images }) => {
    const { height, width, channels } = spec;
    f.do(bulk.fill(images, 0, spec.images * height * width * channels * bytesOf(spec.dtype)));
  });
  emitFinish(module, spec, arithmetic);
  return instantiate(compileModule(module.bytes()), { env: { memory } }) as unknown as Patches;
}

type Run = (f: FunctionBuilder, image: Local<"i32">, patch: Local<"i32">, bytes: Operand<"i32">) => void;

/**
 * Walks patches and images together and hands on runs of bytes that lie one after another in both. Where taps are
 * neighbours and there is one group, a run is a whole row of the window; what lies in the padding is zero.
 */
function emitMove(module: ModuleBuilder, name: "gather" | "scatter", spec: ConvolutionSpec, run: Run): void {
  const { height, width, channels, groups, kernelHeight, kernelWidth, outputHeight, outputWidth } = spec;
  const { stride, padding, dilation } = spec;
  const bytes = bytesOf(spec.dtype);
  const pixelBytes = channels * bytes;
  const tapBytes = (channels / groups) * bytes;
  const joins = groups === 1 && dilation[1] === 1;
  const parameters =
    name === "gather"
      ? ({ images: "i32", patches: "i32", row: "i32", rows: "i32", channel: "i32" } as const)
      : ({ patches: "i32", images: "i32", row: "i32", rows: "i32", channel: "i32" } as const);
  module.function(name, { parameters }, (f, { images, patches, row, rows, channel }) => {
    const zeros = (at: Local<"i32">, count: Operand<"i32">): void =>
      name === "gather" ? zeroRun(f, at, count) : f.add(at, count);
    const base = f.let(i32.add(images, i32.mul(channel, bytes)));
    const patch = f.let(patches);
    const end = f.let(i32.add(row, rows));
    f.for({ from: row, to: end }, (at) => {
      const image = f.let(i32.div_u(at, outputHeight));
      const top = f.let(i32.sub(i32.mul(i32.rem_u(at, outputHeight), stride[0]), padding[0][0]));
      f.for({ to: outputWidth }, (column) => {
        const left = f.let(i32.sub(i32.mul(column, stride[1]), padding[1][0]));
        f.for({ to: kernelHeight }, (i) => {
          const y = f.let(i32.add(top, i32.mul(i, dilation[0])));
          f.if(
            i32.lt_u(y, height),
            () => {
              const line = f.let(i32.mul(i32.add(i32.mul(image, height), y), width));
              const addressOf = (x: Code<"i32">): Code<"i32"> =>
                i32.add(base, i32.mul(i32.add(line, x), pixelBytes));
              if (joins) {
                const from = f.let(select(i32.lt_s(left, 0), i32.sub(0, left), i32.const(0)));
                const fits = i32.sub(width, left);
                const to = f.let(select(i32.lt_s(fits, kernelWidth), fits, i32.const(kernelWidth)));
                // A window wholly in the padding has no taps.
                f.if(i32.lt_s(to, from), () => f.set(to, from));
                f.if(i32.gt_s(from, kernelWidth), () => {
                  f.set(from, kernelWidth);
                  f.set(to, kernelWidth);
                });
                zeros(patch, i32.mul(from, tapBytes));
                const source = f.let(addressOf(i32.add(left, from)));
                run(f, source, patch, f.let(i32.mul(i32.sub(to, from), tapBytes)));
                zeros(patch, i32.mul(i32.sub(kernelWidth, to), tapBytes));
              } else {
                f.for({ to: kernelWidth }, (j) => {
                  const x = f.let(i32.add(left, i32.mul(j, dilation[1])));
                  f.if(
                    i32.lt_u(x, width),
                    () => run(f, f.let(addressOf(x)), patch, tapBytes),
                    () => zeros(patch, tapBytes),
                  );
                });
              }
            },
            () => zeros(patch, kernelWidth * tapBytes),
          );
        });
      });
    });
  });
}

/** Copies `bytes`, a multiple of 4; both addresses move on behind them. */
const copyRun = (f: FunctionBuilder, from: Local<"i32">, to: Local<"i32">, bytes: Operand<"i32">): void =>
  walkRun(f, from, to, bytes, {
    bytes: 4,
    vector: () => v128.store(to, v128.load(from)),
    one: () => i32.store(to, i32.load(from)),
  });

/** Emits a step for every 16 bytes, and one of `bytes` for each that is left; both addresses move along. */
function walkRun(
  f: FunctionBuilder,
  from: Local<"i32">,
  to: Local<"i32">,
  count: Operand<"i32">,
  step: { readonly bytes: number; vector(): Statement; one(): Statement },
): void {
  const end = f.let(i32.add(from, count));
  const whole = f.let(i32.add(from, i32.and(i32.sub(end, from), -16)));
  f.while(i32.ne(from, whole), () => {
    f.do(step.vector());
    f.add(from, 16);
    f.add(to, 16);
  });
  f.while(i32.ne(from, end), () => {
    f.do(step.one());
    f.add(from, step.bytes);
    f.add(to, step.bytes);
  });
}

function zeroRun(f: FunctionBuilder, at: Local<"i32">, bytes: Operand<"i32">): void {
  const end = f.let(i32.add(at, bytes));
  f.while(i32.ne(at, end), () => {
    f.do(i32.store(at, 0));
    f.add(at, 4);
  });
}

interface Arithmetic {
  readonly bytes: number;
  /** to += from, 16 bytes. */
  addVector(to: Code<"i32">, from: Code<"i32">): Statement;
  addOne(to: Code<"i32">, from: Code<"i32">): Statement;
  /** One output, with its bias (if there is one) and cut at 0 (if so). */
  finishOne(at: Code<"i32">, bias: Code<"i32"> | undefined, relu: boolean): Statement;
  finishVector(at: Code<"i32">, bias: Code<"i32"> | undefined, relu: boolean): Statement;
}

const arithmetics: { readonly float32: Arithmetic; readonly float64: Arithmetic } = {
  float32: {
    bytes: 4,
    addVector: (to, from) => v128.store(to, f32x4.add(v128.load(to), v128.load(from))),
    addOne: (to, from) => f32.store(to, f32.add(f32.load(to), f32.load(from))),
    finishOne(at, bias, relu) {
      const sum = bias ? f32.add(f32.load(at), f32.load(bias)) : f32.load(at);
      return f32.store(at, relu ? f32.max(sum, 0) : sum);
    },
    finishVector(at, bias, relu) {
      const sum = bias ? f32x4.add(v128.load(at), v128.load(bias)) : v128.load(at);
      return v128.store(at, relu ? f32x4.max(sum, f32x4.const(0)) : sum);
    },
  },
  float64: {
    bytes: 8,
    addVector: (to, from) => v128.store(to, f64x2.add(v128.load(to), v128.load(from))),
    addOne: (to, from) => f64.store(to, f64.add(f64.load(to), f64.load(from))),
    finishOne(at, bias, relu) {
      const sum = bias ? f64.add(f64.load(at), f64.load(bias)) : f64.load(at);
      return f64.store(at, relu ? f64.max(sum, 0) : sum);
    },
    finishVector(at, bias, relu) {
      const sum = bias ? f64x2.add(v128.load(at), v128.load(bias)) : v128.load(at);
      return v128.store(at, relu ? f64x2.max(sum, f64x2.const(0)) : sum);
    },
  },
};

/** Adds a run; both addresses move on behind it. */
const addRun = (
  f: FunctionBuilder,
  { addVector, addOne, bytes }: Arithmetic,
  from: Local<"i32">,
  to: Local<"i32">,
  count: Operand<"i32">,
): void =>
  walkRun(f, from, to, count, { bytes, vector: () => addVector(to, from), one: () => addOne(to, from) });

function emitFinish(module: ModuleBuilder, spec: ConvolutionSpec, arithmetic: Arithmetic): void {
  const { filters, bias = false, relu = false } = spec;
  const rowBytes = filters * arithmetic.bytes;
  const parameters = { outputs: "i32", bias: "i32", positions: "i32" } as const;
  module.function("finish", { parameters }, (f, p) => {
    if (!bias && !relu) return;
    const at = f.let(p.outputs);
    f.for({ to: p.positions }, () => {
      const from = f.let(p.bias);
      const end = f.let(i32.add(at, rowBytes));
      const whole = f.let(i32.add(at, rowBytes - (rowBytes % 16)));
      f.while(i32.ne(at, whole), () => {
        f.do(arithmetic.finishVector(at, bias ? from : undefined, relu));
        f.add(at, 16);
        f.add(from, 16);
      });
      f.while(i32.ne(at, end), () => {
        f.do(arithmetic.finishOne(at, bias ? from : undefined, relu));
        f.add(at, arithmetic.bytes);
        f.add(from, arithmetic.bytes);
      });
    });
  });
}
