/** scatterAdd as WebAssembly: zeroes the target, then adds each slab of updates where its index says. */
import { bytesOf, type DType } from "../../../base/dtype.js";
import type { ScatterAddKernel } from "../../../compile/plan.js";
import {
  type Code,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  memory,
  type Statement,
  v128,
} from "../wasm/index.js";
import type { KernelFunction } from "./emit.js";
import type { LoopTarget } from "./functions.js";

/** Adds `kernel` as a function, exported under `name` if there is one. */
export function emitScatterAdd(target: LoopTarget, kernel: ScatterAddKernel, name?: string): KernelFunction {
  const { dtype, outer, count, extent, inner } = kernel;
  const [updates, indices, sums] = [kernel.updates, kernel.indices, kernel.target].map(
    (buffer) => target.buffers[buffer].offset,
  );
  const bytes = bytesOf(dtype);
  const slabBytes = inner * bytes;
  const addVectors = dtype === "uint8" ? undefined : vectorAdditions[dtype];
  const vectorBytes = addVectors ? slabBytes - (slabBytes % 16) : 0;
  return target.module.function(name, { parameters: {} }, (f) => {
    f.do(memory.fill(sums, 0, outer * extent * slabBytes));
    const source = f.let(i32.const(updates));
    const index = f.local("i32");
    const to = f.local("i32");
    f.for({ from: sums, to: sums + outer * extent * slabBytes, step: extent * slabBytes }, (base) => {
      f.for({ from: indices, to: indices + count * 4, step: 4 }, (next) => {
        f.set(index, i32.load(next));
        f.if(i32.lt_s(index, 0), () => f.set(index, 0));
        f.if(i32.gt_s(index, extent - 1), () => f.set(index, extent - 1));
        f.set(to, i32.add(base, i32.mul(index, slabBytes)));
        // Target and updates advance together: the distance between them stays.
        const sourceEnd = f.let(i32.add(source, slabBytes));
        if (addVectors && vectorBytes > 0) {
          const vectorEnd = f.let(i32.add(source, vectorBytes));
          f.while(i32.ne(source, vectorEnd), () => {
            f.do(v128.store(to, addVectors(v128.load(to), v128.load(source))));
            f.add(source, 16);
            f.add(to, 16);
          });
        }
        if (vectorBytes < slabBytes) {
          f.while(i32.ne(source, sourceEnd), () => {
            f.do(addElement[dtype](to, source));
            f.add(source, bytes);
            f.add(to, bytes);
          });
        }
      });
    });
  });
}

const vectorAdditions: {
  readonly [D in Exclude<DType, "uint8">]: (a: Code<"v128">, b: Code<"v128">) => Code<"v128">;
} = {
  float32: f32x4.add,
  float64: f64x2.add,
  int32: i32x4.add,
};

const addElement: { readonly [D in DType]: (to: Code<"i32">, from: Code<"i32">) => Statement } = {
  float32: (to, from) => f32.store(to, f32.add(f32.load(to), f32.load(from))),
  float64: (to, from) => f64.store(to, f64.add(f64.load(to), f64.load(from))),
  int32: (to, from) => i32.store(to, i32.add(i32.load(to), i32.load(from))),
  uint8: (to, from) => i32.store8(to, i32.add(i32.load8_u(to), i32.load8_u(from))),
};
