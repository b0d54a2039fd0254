/** One element at a time: loops that touch float64. uint8 is held as an i32 of 0 to 255. */
import { type DType, roundTo } from "../../../base/dtype.js";
import { invariant } from "../../../base/errors.js";
import type { Combine } from "../../../compile/plan.js";
import {
  type Code,
  f32,
  f64,
  i32,
  type Operand,
  type Statement,
  select,
  type ValueType,
} from "../wasm/index.js";
import type { Engine, Place, Value } from "./engine.js";
import type { LoopTarget } from "./functions.js";
import { applyScalar, type ScalarContext, scalarOf } from "./scalarOperations.js";
import type { Scratch } from "./scratch.js";

export function scalarEngine(target: LoopTarget, scratch: Scratch): Engine {
  const context: ScalarContext = { target, scratch };
  return {
    width: 1,
    fuses: false,
    load: (dtype, place) => value(dtype, loads[dtype](...resolve(place))),
    gather: (dtype, place, by) => {
      const index = scratch.let(scalarOf(by.index, "i32"));
      const above = scratch.let(select(i32.gt_s(index, 0), index, i32.const(0)));
      const last = i32.const(by.extent - 1);
      const clamped = select(i32.lt_s(above, last), above, last);
      const steps = by.strideBytes < 0 ? i32.sub(last, clamped) : clamped;
      const address = scratch.let(i32.add(place.address, i32.mul(steps, Math.abs(by.strideBytes))));
      return value(dtype, loads[dtype](...resolve({ ...place, address })));
    },
    store: (place, dtype, stored) => scratch.function.do(storeOf(dtype, stored, ...resolve(place))),
    literal: (dtype, number) => value(dtype, constantOf(dtype, number)),
    index: (dtype, first) => value(dtype, fromInteger[dtype](first)),
    apply: (instruction, inputs, dtype) => applyScalar(context, instruction, inputs, dtype),
    multiplyAdd: () => invariant(false, "scalar loops do not fuse") as never,
    identity: (combine, dtype) => value(dtype, constantOf(dtype, identityOf(combine, dtype))),
    combine: (combine, a, b) => value(a.dtype, combined(scratch, combine, a, b)),
    firstLanes: (first) => first,
    fold: (_, folded) => folded,
    integer: (index) => scalarOf(index, "i32"),
  };
}

const value = (dtype: DType, code: Code<ValueType>): Value => ({ dtype, code, mask: false });

const loads: { readonly [D in DType]: (address: Operand<"i32">, offsetBytes: number) => Code<ValueType> } = {
  float32: f32.load,
  float64: f64.load,
  int32: i32.load,
  uint8: i32.load8_u,
};

const fromInteger: { readonly [D in DType]: (integer: Code<"i32">) => Code<ValueType> } = {
  float32: f32.convert_i32_s,
  float64: f64.convert_i32_s,
  int32: (integer) => integer,
  uint8: (integer) => i32.and(integer, 255),
};

function storeOf(dtype: DType, stored: Value, address: Operand<"i32">, offsetBytes: number): Statement {
  switch (dtype) {
    case "float32":
      return f32.store(address, scalarOf(stored, "f32"), offsetBytes);
    case "float64":
      return f64.store(address, scalarOf(stored, "f64"), offsetBytes);
    case "int32":
      return i32.store(address, scalarOf(stored, "i32"), offsetBytes);
    case "uint8":
      return i32.store8(address, scalarOf(stored, "i32"), offsetBytes);
  }
}

function constantOf(dtype: DType, number: number): Code<ValueType> {
  if (dtype === "float32") return f32.const(number);
  return dtype === "float64" ? f64.const(number) : i32.const(roundTo(dtype, number));
}

function identityOf(combine: Combine, dtype: DType): number {
  if (combine === "sum") return 0;
  const least = combine === "max";
  if (dtype === "float32" || dtype === "float64") return least ? -Infinity : Infinity;
  if (dtype === "uint8") return least ? 0 : 255;
  return least ? -(2 ** 31) : 2 ** 31 - 1;
}

function combined(scratch: Scratch, combine: Combine, a: Value, b: Value): Code<ValueType> {
  const operation = combine === "sum" ? "add" : combine;
  if (a.dtype === "float64") return f64[operation](scalarOf(a, "f64"), scalarOf(b, "f64"));
  if (a.dtype === "float32") return f32[operation](scalarOf(a, "f32"), scalarOf(b, "f32"));
  const [x, y] = [a, b].map((input) => scratch.reusable(scalarOf(input, "i32")));
  if (operation === "add") return i32.add(x, y);
  return select(operation === "max" ? i32.gt_s(x, y) : i32.lt_s(x, y), x, y);
}

/** Constant offsets of instructions are not negative: what would be goes into the address. */
function resolve({ address, offsetBytes }: Place): [Operand<"i32">, number] {
  return offsetBytes >= 0 ? [address, offsetBytes] : [i32.add(address, offsetBytes), 0];
}
