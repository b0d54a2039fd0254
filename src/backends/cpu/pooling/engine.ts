/** Arithmetic of pooling on some channels at a time: four float32 in a vector, or one float of any kind. */
import {
  type Code,
  f32,
  f32x4,
  f64,
  i8x16,
  i16x8,
  i32,
  i32x4,
  type Operand,
  type Statement,
  select,
  type ValueType,
  v128,
  zeroVector,
} from "../wasm/index.js";

/** A number of the window, known now or when the kernel runs. */
export type Tap = Operand<"i32">;

/** `V`: values of the channels; `I`: their places in the window, and truths. */
export interface PoolEngine<V extends ValueType, I extends ValueType> {
  readonly channels: number;
  readonly value: V;
  readonly place: I;
  zero(): Code<V>;
  load(address: Operand<"i32">, offsetBytes: number): Code<V>;
  store(address: Operand<"i32">, value: Code<V>, offsetBytes: number): Statement;
  add(a: Code<V>, b: Code<V>): Code<V>;
  /** Where `candidate` replaces `best`: it is greater or no number, and `best` is a number. */
  beats(candidate: Code<V>, best: Code<V>): Code<I>;
  choose(condition: Code<I>, a: Code<V>, b: Code<V>): Code<V>;
  choosePlace(condition: Code<I>, a: Code<I>, b: Code<I>): Code<I>;
  tap(tap: Tap): Code<I>;
  loadPlace(address: Operand<"i32">): Code<I>;
  storePlace(address: Operand<"i32">, place: Code<I>): Statement;
  equal(a: Code<I>, b: Code<I>): Code<I>;
  /** `value` where the condition holds, else 0. */
  only(condition: Code<I>, value: Code<V>): Code<V>;
}

export const vectorEngine: PoolEngine<"v128", "v128"> = {
  channels: 4,
  value: "v128",
  place: "v128",
  zero: zeroVector,
  load: v128.load,
  store: v128.store,
  add: f32x4.add,
  beats: (candidate, best) => v128.andnot(f32x4.eq(best, best), f32x4.le(candidate, best)),
  choose: (condition, a, b) => v128.bitselect(a, b, condition),
  choosePlace: (condition, a, b) => v128.bitselect(a, b, condition),
  tap: (tap) => (typeof tap === "number" ? i32x4.const(tap) : i32x4.splat(tap)),
  loadPlace: (address) => i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(address))),
  storePlace: (address, place) => {
    const shorts = i16x8.narrow_i32x4_u(place, zeroVector());
    return v128.store32_lane(0, address, i8x16.narrow_i16x8_u(shorts, zeroVector()));
  },
  equal: i32x4.eq,
  only: (condition, value) => v128.and(condition, value),
};

const scalarPlaces = {
  channels: 1,
  place: "i32",
  choose: <V extends ValueType>(condition: Code<"i32">, a: Code<V>, b: Code<V>) => select(condition, a, b),
  choosePlace: (condition: Code<"i32">, a: Code<"i32">, b: Code<"i32">) => select(condition, a, b),
  tap: (tap: Tap) => (typeof tap === "number" ? i32.const(tap) : tap),
  loadPlace: (address: Operand<"i32">) => i32.load8_u(address),
  storePlace: (address: Operand<"i32">, place: Code<"i32">) => i32.store8(address, place),
  equal: i32.eq,
} as const;

export const scalarEngines: {
  readonly float32: PoolEngine<"f32", "i32">;
  readonly float64: PoolEngine<"f64", "i32">;
} = {
  float32: {
    ...scalarPlaces,
    value: "f32",
    zero: () => f32.const(0),
    load: f32.load,
    store: f32.store,
    add: f32.add,
    beats: (candidate, best) => i32.and(f32.eq(best, best), i32.eqz(f32.le(candidate, best))),
    only: (condition, value) => select(condition, value, f32.const(0)),
  },
  float64: {
    ...scalarPlaces,
    value: "f64",
    zero: () => f64.const(0),
    load: f64.load,
    store: f64.store,
    add: f64.add,
    beats: (candidate, best) => i32.and(f64.eq(best, best), i32.eqz(f64.le(candidate, best))),
    only: (condition, value) => select(condition, value, f64.const(0)),
  },
};
