/** What the emitter of loop nests asks of an arithmetic: vectors of four 32-bit lanes, or scalars. */
import type { DType } from "../../../base/dtype.js";
import type { Combine, ElementwiseInstruction } from "../../../compile/plan.js";
import type { Code, Operand, ValueType } from "../wasm/index.js";

/** One value of the body in flight, in all lanes. */
export interface Value {
  readonly dtype: DType;
  readonly code: Code<ValueType>;
  /** A comparison's uint8 result kept as lanes of all ones or all zeros instead of 1 or 0. */
  readonly mask: boolean;
}

/** A place in memory; lane i is `i * strideBytes` further. */
export interface Place {
  readonly address: Operand<"i32">;
  /** Constant part of the address; may be negative. */
  readonly offsetBytes: number;
  readonly strideBytes: number;
}

/** How many lanes count, from lane 0; "same": all lanes hold one and the same value. */
export type Lanes = number | "same";

export interface Engine {
  /** Lanes of a full vector. */
  readonly width: number;
  /** a*b + c is one instruction. */
  readonly fuses: boolean;
  load(dtype: DType, place: Place, lanes: Lanes): Value;
  /**
   * Loads lane by lane, each lane moved by its own clamped index. `place` is that of the lowest element: of
   * index 0, or of index extent - 1 where the stride is negative.
   */
  gather(
    dtype: DType,
    place: Place,
    by: { readonly index: Value; readonly extent: number; readonly strideBytes: number },
    lanes: Lanes,
  ): Value;
  /** Emits the stores; "same" stores one element. */
  store(place: Place, dtype: DType, value: Value, lanes: Lanes): void;
  literal(dtype: DType, value: number): Value;
  /** `first + lane * stride`. */
  index(dtype: DType, first: Code<"i32">, stride: number): Value;
  apply(instruction: ElementwiseInstruction, inputs: readonly Value[], dtype: DType, lanes: Lanes): Value;
  /** a*b + c, or c - a*b; float32, only where the engine fuses. */
  multiplyAdd(a: Value, b: Value, c: Value, sign: 1 | -1): Value;
  identity(combine: Combine, dtype: DType): Value;
  combine(combine: Combine, a: Value, b: Value): Value;
  /** The first `lanes` lanes of `value`, those of `other` behind them. */
  firstLanes(value: Value, other: Value, lanes: number): Value;
  /** All lanes combined into lane 0. */
  fold(combine: Combine, value: Value): Value;
  /** Lane 0 of an int32 value. */
  integer(value: Value): Code<"i32">;
}
