/** Four lanes of float32, int32 or uint8 (held as int32) in one 128-bit vector. */
import { bytesOf, type DType } from "../../../base/dtype.js";
import { invariant } from "../../../base/errors.js";
import type { Combine } from "../../../compile/plan.js";
import { type Code, f32x4, i8x16, i32, i32x4, type Operand, v128, zeroVector } from "../wasm/index.js";
import type { Engine, Lanes, Place, Value } from "./engine.js";
import type { LoopTarget } from "./functions.js";
import { vectorMath } from "./math.js";
import type { Scratch } from "./scratch.js";
import { applyVector, laneCount, numeric, type VectorContext, vectorOf } from "./vectorOperations.js";

type Vector = Code<"v128">;

export function vectorEngine(target: LoopTarget, scratch: Scratch): Engine {
  const fuses = target.features.relaxedSimd;
  const context: VectorContext = { target, scratch, math: vectorMath(scratch, { fused: fuses }) };
  return {
    width: 4,
    fuses,
    load: (dtype, place, lanes) => value(dtype, widened(dtype, loadLanes(dtype, place, lanes))),
    gather: (dtype, place, by, lanes) => {
      const last = i32x4.const(by.extent - 1);
      const clamped = i32x4.min_s(i32x4.max_s(vectorOf(by.index), i32x4.const(0)), last);
      const steps = by.strideBytes < 0 ? i32x4.sub(last, clamped) : clamped;
      const moves = scratch.let(i32x4.mul(steps, i32x4.const(Math.abs(by.strideBytes))));
      let loaded = zeroVector();
      for (let lane = 0; lane < laneCount(lanes); lane++) {
        const address = i32.add(place.address as Operand<"i32">, i32x4.extract_lane(moves, lane));
        loaded = loadLane(dtype, lane, { ...place, address }, lane * place.strideBytes, loaded);
      }
      return value(dtype, widened(dtype, lanes === "same" ? splatLane(dtype, loaded) : loaded));
    },
    store: (place, dtype, stored, lanes) => storeLanes(scratch, place, dtype, stored, lanes),
    literal: (dtype, number) => value(dtype, constantOf(dtype, number)),
    index: (dtype, first, stride) => {
      const lanes = i32x4.const(0, stride, 2 * stride, 3 * stride);
      const all = stride === 0 ? i32x4.splat(first) : i32x4.add(i32x4.splat(first), lanes);
      return value(dtype, dtype === "float32" ? f32x4.convert_i32x4_s(all) : byteIf(dtype, all));
    },
    apply: (instruction, inputs, dtype, lanes) => applyVector(context, instruction, inputs, dtype, lanes),
    multiplyAdd: (a, b, c, sign) => {
      const { multiplyAdd, multiplySubtract } = context.math;
      const [x, y, z] = [a, b, c].map(vectorOf);
      return value("float32", sign === 1 ? multiplyAdd(x, y, z) : multiplySubtract(x, y, z));
    },
    identity: (combine, dtype) => value(dtype, constantOf(dtype, identityOf(combine, dtype))),
    combine: (combine, a, b) => value(a.dtype, combined(scratch, combine, a.dtype, [numeric(a), numeric(b)])),
    firstLanes: (first, other, lanes) => {
      const mask = i32x4.const(...[0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0)));
      return value(first.dtype, v128.bitselect(numeric(first), numeric(other), mask));
    },
    fold: (combine, folded) => {
      const { dtype } = folded;
      const all = scratch.reusable(vectorOf(folded));
      const half = scratch.let(combined(scratch, combine, dtype, [all, rotated(all, 8)]));
      return value(dtype, combined(scratch, combine, dtype, [half, rotated(half, 4)]));
    },
    integer: (index) => i32x4.extract_lane(vectorOf(index), 0),
  };
}

const value = (dtype: DType, code: Vector): Value => ({ dtype, code, mask: false });

const byteIf = (dtype: DType, lanes: Vector): Vector =>
  dtype === "uint8" ? v128.and(lanes, i32x4.const(255)) : lanes;

const constantOf = (dtype: DType, number: number): Vector =>
  dtype === "float32" ? f32x4.const(number) : i32x4.const(dtype === "uint8" ? number & 255 : number | 0);

function identityOf(combine: Combine, dtype: DType): number {
  if (combine === "sum") return 0;
  const least = combine === "max";
  if (dtype === "float32") return least ? -Infinity : Infinity;
  if (dtype === "uint8") return least ? 0 : 255;
  return least ? -(2 ** 31) : 2 ** 31 - 1;
}

function combined(scratch: Scratch, combine: Combine, dtype: DType, [a, b]: readonly Vector[]): Vector {
  if (dtype !== "float32") return i32x4[combine === "sum" ? "add" : (`${combine}_s` as const)](a, b);
  if (combine === "sum") return f32x4.add(a, b);
  // Three machine instructions where f32x4.max has eight: a NaN in b is the result of pmax, one in a is put
  // back by a mask of all ones. Only the sign of a zero depends on the order.
  const kept = scratch.reusable(a);
  return v128.or(f32x4[combine === "max" ? "pmax" : "pmin"](b, kept), f32x4.ne(kept, kept));
}

/** Lanes moved down by `bytes`, around the end. */
const rotated = (a: Vector, bytes: number): Vector =>
  i8x16.shuffle(
    a,
    a,
    Array.from({ length: 16 }, (_, i) => (i + bytes) % 16),
  );

/** Raw bytes of each lane in memory order: uint8 lanes are still the first four bytes. */
function loadLanes(dtype: DType, place: Place, lanes: Lanes): Vector {
  invariant(dtype !== "float64", "vector loop over float64");
  const bytes = bytesOf(dtype);
  const { address, strideBytes } = place;
  if (lanes === "same" || strideBytes === 0) {
    const [at, offset] = resolve(address, place.offsetBytes);
    return bytes === 4 ? v128.load32_splat(at, offset) : v128.load8_splat(at, offset);
  }
  if (strideBytes !== bytes) {
    let loaded = zeroVector();
    for (let lane = 0; lane < lanes; lane++)
      loaded = loadLane(dtype, lane, place, lane * strideBytes, loaded);
    return loaded;
  }
  const [at, offset] = resolve(address, place.offsetBytes);
  if (bytes === 4) {
    if (lanes === 4) return v128.load(at, offset);
    if (lanes === 1) return v128.load32_zero(at, offset);
    const two = v128.load64_zero(at, offset);
    return lanes === 2 ? two : v128.load32_lane(2, at, two, offset + 8);
  }
  if (lanes === 4) return v128.load32_zero(at, offset);
  if (lanes === 1) return v128.load8_lane(0, at, zeroVector(), offset);
  const two = v128.load16_lane(0, at, zeroVector(), offset);
  return lanes === 2 ? two : v128.load8_lane(2, at, two, offset + 2);
}

function loadLane(dtype: DType, lane: number, place: Place, moveBytes: number, into: Vector): Vector {
  const [at, offset] = resolve(place.address, place.offsetBytes + moveBytes);
  return bytesOf(dtype) === 4
    ? v128.load32_lane(lane, at, into, offset)
    : v128.load8_lane(lane, at, into, offset);
}

/** Lane 0 in all lanes, before widening. */
const splatLane = (dtype: DType, lanes: Vector): Vector =>
  bytesOf(dtype) === 4
    ? i32x4.splat(i32x4.extract_lane(lanes, 0))
    : i8x16.splat(i8x16.extract_lane_u(lanes, 0));

/** The first four bytes as four int32 lanes, where the dtype is uint8. */
function widened(dtype: DType, lanes: Vector): Vector {
  if (dtype !== "uint8") return lanes;
  const zero = 16;
  const spread = [0, 1, 2, 3].flatMap((byte) => [byte, zero, zero, zero]);
  return i8x16.shuffle(lanes, zeroVector(), spread);
}

function storeLanes(scratch: Scratch, place: Place, dtype: DType, stored: Value, lanes: Lanes): void {
  const bytes = bytesOf(dtype);
  const count = laneCount(lanes);
  const number = numeric(stored);
  const contents = bytes === 4 ? number : narrowed(scratch.reusable(number));
  const f = scratch.function;
  if (place.strideBytes === bytes && count === 4) {
    const [at, offset] = resolve(place.address, place.offsetBytes);
    f.do(bytes === 4 ? v128.store(at, contents, offset) : v128.store32_lane(0, at, contents, offset));
    return;
  }
  const kept = count === 1 ? contents : scratch.reusable(contents);
  for (let lane = 0; lane < count; lane++) {
    const [at, offset] = resolve(place.address, place.offsetBytes + lane * place.strideBytes);
    f.do(bytes === 4 ? v128.store32_lane(lane, at, kept, offset) : v128.store8_lane(lane, at, kept, offset));
  }
}

/** The low bytes of the four lanes in front. */
const narrowed = (lanes: Vector): Vector =>
  i8x16.shuffle(lanes, lanes, [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12]);

/** Constant offsets of instructions are not negative: what would be goes into the address. */
function resolve(address: Operand<"i32">, offsetBytes: number): [Operand<"i32">, number] {
  return offsetBytes >= 0 ? [address, offsetBytes] : [i32.add(address, offsetBytes), 0];
}
