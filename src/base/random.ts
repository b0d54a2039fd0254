/**
 * Counter-based random numbers: the value depends on a key and a counter alone, so every backend, every
 * number of threads and a resumed run draw the same numbers.
 *
 * Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
 * 3", 2011). These functions are the specification; backends emit the same integer and float32 steps,
 * each float step rounded on its own (no fused multiply-add), so that results agree bit for bit.
 */

/** Two 32-bit words. */
export type Key = readonly [number, number];

/** The key of a whole experiment. `seed`: an integer, 0 to 2^53 - 1. */
export const keyFromSeed = (seed: number): Key => [Math.floor(seed / 2 ** 32) | 0, seed | 0];

/** An independent key for purpose or index `n` (uint32): words 0 and 1 of the derivation stream. */
export const foldIn = (key: Key, n: number): Key => threefry2x32(key, n, derivationStream);

/** Streams are the counter's second word: drawing and deriving never meet. */
export const drawStream = 0;
export const derivationStream = 1;

export const rotations = [13, 15, 26, 6, 17, 29, 16, 24];
export const keyParity = 0x1bd11bda;

/** The block cipher: two words of output for two words of counter, as int32. */
export function threefry2x32([k0, k1]: Key, counter: number, stream: number): Key {
  const keys = [k0, k1, k0 ^ k1 ^ keyParity];
  let x0 = (counter + k0) | 0;
  let x1 = (stream + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (let i = 0; i < 4; i++) {
      const rotation = rotations[(group & 1) * 4 + i];
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    }
    x0 = (x0 + keys[(group + 1) % 3]) | 0;
    x1 = (x1 + keys[(group + 2) % 3] + group + 1) | 0;
  }
  return [x0, x1];
}

/** 32 random bits as int32. */
export const randomBits = (key: Key, counter: number): number => threefry2x32(key, counter, drawStream)[0];

/** Uniform on [0, 1) from 24 of the 32 bits; exact in float32. */
export const uniformFromBits = (bits: number): number => (bits >>> 8) * 2 ** -24;

const f = Math.fround;

/** Coefficients of Giles' single-precision inverse error function, highest power first. */
export const erfinvCentral = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
export const erfinvTail = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

/**
 * A normal deviate (mean 0, standard deviation 1) by inversion: sqrt(2) erfinv(reach * x) with x uniform on
 * (-1, 1), symmetric, never 0 or 1 in magnitude. `reach` = 1 gives the full normal; erf(b / sqrt 2) gives it
 * truncated to [-b, b]. Every operation is rounded to float32.
 * M. Giles, "Approximating the erfinv function", 2010.
 */
export function normalFromBits(bits: number, reach: number): number {
  const x = f(f(f((bits >>> 9) + 0.5) * 2 ** -22 - 1) * f(reach));
  const w = f(-logStrict(f(f(1 - x) * f(1 + x))));
  const central = w < 5;
  const t = central ? f(w - 2.5) : f(f(Math.sqrt(w)) - 3);
  const p = horner(central ? erfinvCentral : erfinvTail, t);
  return f(f(p * x) * f(Math.SQRT2));
}

/** Coefficients of log(1 + x) / x^3 on [sqrt(1/2) - 1, sqrt(2) - 1], highest power first (Cephes, logf). */
export const logPolynomial = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
];
/** ln 2 in two parts, the first exact in few bits. */
export const logOfTwo = [0.693359375, -2.1219444e-4] as const;

/** One float32 and its bits. */
const scratch = new Float32Array(1);
const scratchBits = new Int32Array(scratch.buffer);

/** Natural logarithm of a positive normal float32 with every step rounded to float32. */
function logStrict(value: number): number {
  scratch[0] = value;
  // Mantissa in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) moves the cut from 1 to there.
  const shifted = (scratchBits[0] - 0x3f3504f3) | 0;
  const exponent = shifted >> 23;
  scratchBits[0] = (shifted & 0x007fffff) + 0x3f3504f3;
  const x = f(scratch[0] - 1);
  const z = f(x * x);
  let y = f(f(x * z) * horner(logPolynomial, x));
  y = f(y + f(f(logOfTwo[1]) * exponent));
  y = f(y - f(0.5 * z));
  return f(f(x + y) + f(f(logOfTwo[0]) * exponent));
}

/** p = c0; p = c_i + p * x, each product and each sum rounded to float32. */
function horner(coefficients: readonly number[], x: number): number {
  let p = f(coefficients[0]);
  for (let i = 1; i < coefficients.length; i++) p = f(f(coefficients[i]) + f(p * x));
  return p;
}

export const permutationRounds = 6;

/**
 * Element `position` of a random permutation of 0 ... count-1, `count` up to 2^30: a Feistel network on an even
 * number of bits that covers `count`, walked until it falls inside (Black, Rogaway: "Ciphers with arbitrary
 * finite domains", 2002). Needs no memory and no order of evaluation. A bijection for every key.
 */
export function permute([k0, k1]: Key, position: number, count: number): number {
  const half = permutationHalfBits(count);
  const mask = (1 << half) - 1;
  let index = position;
  do {
    let left = index >>> half;
    let right = index & mask;
    for (let round = 0; round < permutationRounds; round++) {
      const next = left ^ (mix(right, k0, (k1 + Math.imul(round, 0x9e3779b9)) | 0) & mask);
      left = right;
      right = next;
    }
    index = (left << half) | right;
  } while (index >= count);
  return index;
}

/** Bits of each Feistel half: 2^(2 half) >= count; at least 4, since tiny networks favour some orders. */
export const permutationHalfBits = (count: number): number =>
  Math.max(4, (33 - Math.clz32(Math.max(count, 1) - 1)) >> 1);

/** Multiply-xorshift mixing of one word under two key words. */
function mix(word: number, k0: number, k1: number): number {
  let x = (Math.imul(word ^ k0, 0x85ebca6b) + k1) | 0;
  x = Math.imul(x ^ (x >>> 15), 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 13), 0x27d4eb2f);
  return x ^ (x >>> 16);
}
