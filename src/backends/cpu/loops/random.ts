/**
 * Counter-based random numbers on four lanes: the integer and float32 steps of `base/random.ts` one by one,
 * each rounded on its own, so that results agree with it bit for bit.
 */
import {
  drawStream,
  erfinvCentral,
  erfinvTail,
  keyParity,
  logOfTwo,
  logPolynomial,
  permutationHalfBits,
  permutationRounds,
  rotations,
} from "../../../base/random.js";
import {
  type Code,
  call,
  type FunctionReference,
  f32x4,
  i32,
  i32x4,
  type ModuleBuilder,
  v128,
} from "../wasm/index.js";
import type { Scratch } from "./scratch.js";

type Vector = Code<"v128">;

/** Threefry-2x32, first word; int32 lanes. */
export function vectorRandomBits(scratch: Scratch, inputs: readonly Vector[]): Vector {
  const f = scratch.function;
  const [k0, k1, counter] = inputs.map((input) => scratch.reusable(input));
  const k2 = scratch.let(v128.xor(v128.xor(k0, k1), i32x4.const(keyParity)));
  const keys = [k0, k1, k2];
  const x0 = scratch.let(i32x4.add(counter, k0));
  const x1 = scratch.let(drawStream === 0 ? k1 : i32x4.add(i32x4.const(drawStream), k1));
  for (let group = 0; group < 5; group++) {
    for (let i = 0; i < 4; i++) {
      const rotation = rotations[(group & 1) * 4 + i];
      f.set(x0, i32x4.add(x0, x1));
      const rotated = v128.or(i32x4.shl(x1, rotation), i32x4.shr_u(x1, 32 - rotation));
      f.set(x1, v128.xor(rotated, x0));
    }
    f.set(x0, i32x4.add(x0, keys[(group + 1) % 3]));
    f.set(x1, i32x4.add(x1, i32x4.add(keys[(group + 2) % 3], i32x4.const(group + 1))));
  }
  return x0;
}

export const vectorRandomUniform = (scratch: Scratch, inputs: readonly Vector[]): Vector =>
  f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(vectorRandomBits(scratch, inputs), 8)), f32x4.const(2 ** -24));

export function vectorRandomNormal(scratch: Scratch, inputs: readonly Vector[], reach: number): Vector {
  const number = (value: number) => f32x4.const(value);
  const bits = f32x4.convert_i32x4_s(i32x4.shr_u(vectorRandomBits(scratch, inputs), 9));
  const centred = f32x4.sub(f32x4.mul(f32x4.add(bits, number(0.5)), number(2 ** -22)), number(1));
  const x = scratch.let(f32x4.mul(centred, number(reach)));
  const product = f32x4.mul(f32x4.sub(number(1), x), f32x4.add(number(1), x));
  const w = scratch.let(f32x4.neg(logStrict(scratch, product)));
  const central = scratch.let(f32x4.lt(w, number(5)));
  const either = (a: Vector, b: Vector) => v128.bitselect(a, b, central);
  const t = scratch.let(either(f32x4.sub(w, number(2.5)), f32x4.sub(f32x4.sqrt(w), number(3))));
  const coefficients = erfinvCentral.map((c, i) => either(number(c), number(erfinvTail[i])));
  const p = hornerStrict(coefficients, t);
  return f32x4.mul(f32x4.mul(p, x), number(Math.SQRT2));
}

/** Natural logarithm of positive normal lanes. */
function logStrict(scratch: Scratch, value: Vector): Vector {
  const rootHalfBits = i32x4.const(0x3f3504f3);
  const shifted = scratch.let(i32x4.sub(value, rootHalfBits));
  const exponent = scratch.let(f32x4.convert_i32x4_s(i32x4.shr_s(shifted, 23)));
  const mantissa = i32x4.add(v128.and(shifted, i32x4.const(0x007fffff)), rootHalfBits);
  const x = scratch.let(f32x4.sub(mantissa, f32x4.const(1)));
  const z = scratch.let(f32x4.mul(x, x));
  const polynomial = hornerStrict(
    logPolynomial.map((c) => f32x4.const(c)),
    x,
  );
  const cubic = f32x4.mul(f32x4.mul(x, z), polynomial);
  const low = f32x4.add(cubic, f32x4.mul(f32x4.const(logOfTwo[1]), exponent));
  const y = f32x4.sub(low, f32x4.mul(f32x4.const(0.5), z));
  return f32x4.add(f32x4.add(x, y), f32x4.mul(f32x4.const(logOfTwo[0]), exponent));
}

const hornerStrict = (coefficients: readonly Vector[], x: Vector): Vector =>
  coefficients.slice(1).reduce((p, c) => f32x4.add(c, f32x4.mul(p, x)), coefficients[0]);

const permuteParameters = {
  k0: "v128",
  k1: "v128",
  position: "v128",
  count: "i32",
  half: "i32",
} as const;

export type PermuteFunction = FunctionReference<typeof permuteParameters, "v128">;

/** Adds the function that is `permute` of `base/random.ts` on four positions, each below `count`. */
export function definePermute(module: ModuleBuilder): PermuteFunction {
  return module.function(undefined, { parameters: permuteParameters, result: "v128" }, (f, parameters) => {
    const { k0, k1, position, count, half } = parameters;
    const mask = f.let(i32x4.splat(i32.sub(i32.shl(1, half), 1)));
    const counts = f.let(i32x4.splat(count));
    const index = f.let(position);
    const walking = f.let(i32x4.const(-1));
    const [left, right, mixed] = f.locals("v128", 3);
    const multiply = (shift: number, factor: number) => {
      f.set(mixed, i32x4.mul(v128.xor(mixed, i32x4.shr_u(mixed, shift)), i32x4.const(factor)));
    };
    f.loop((again) => {
      f.set(left, i32x4.shr_u(index, half));
      f.set(right, v128.and(index, mask));
      for (let round = 0; round < permutationRounds; round++) {
        const key = i32x4.add(k1, i32x4.const(Math.imul(round, 0x9e3779b9)));
        f.set(mixed, i32x4.add(i32x4.mul(v128.xor(right, k0), i32x4.const(0x85ebca6b)), key));
        multiply(15, 0xc2b2ae35);
        multiply(13, 0x27d4eb2f);
        f.set(mixed, v128.xor(mixed, i32x4.shr_u(mixed, 16)));
        f.set(mixed, v128.xor(left, v128.and(mixed, mask)));
        f.set(left, right);
        f.set(right, mixed);
      }
      // Lanes that are inside already stay; the others walk on.
      f.set(index, v128.bitselect(v128.or(i32x4.shl(left, half), right), index, walking));
      f.set(walking, i32x4.ge_s(index, counts));
      f.branchIf(again, v128.any_true(walking));
    });
    f.result(index);
  });
}

/** `position`: int32 lanes; those that do not count must be 0, or the walk might not end. */
export const callPermute = (
  permute: PermuteFunction,
  [k0, k1, position]: readonly Vector[],
  count: number,
): Vector => call(permute, { k0, k1, position, count, half: permutationHalfBits(count) });
