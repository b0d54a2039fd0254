/**
 * Counter-based random numbers: the integer and float32 steps of `base/random.ts` one by one. Every float step is rounded
 * on its own (`__fmul_rn` and its like are never contracted), so that results agree with it bit for bit.
 */
import {
  drawStream,
  erfinvCentral,
  erfinvTail,
  keyParity,
  logOfTwo,
  logPolynomial,
  permutationRounds,
  rotations,
} from "../../../../base/random.js";
import { literal } from "../cTypes.js";

const float = (value: number): string => literal("float32", value);
const list = (values: readonly number[]): string => values.map(float).join(", ");

export const random = `
// Threefry-2x32, first word.
__device__ __forceinline__ unsigned threefry(unsigned k0, unsigned k1, unsigned counter) {
  const int rotations[8] = {${rotations.join(", ")}};
  const unsigned keys[3] = {k0, k1, k0 ^ k1 ^ ${keyParity}u};
  unsigned x0 = counter + k0;
  unsigned x1 = ${drawStream}u + k1;
  #pragma unroll
  for (int group = 0; group < 5; group++) {
    #pragma unroll
    for (int i = 0; i < 4; i++) {
      const int rotation = rotations[(group & 1) * 4 + i];
      x0 += x1;
      x1 = ((x1 << rotation) | (x1 >> (32 - rotation))) ^ x0;
    }
    x0 += keys[(group + 1) % 3];
    x1 += keys[(group + 2) % 3] + group + 1;
  }
  return x0;
}

__device__ __forceinline__ int randomBits(int k0, int k1, int counter) { return (int)threefry(k0, k1, counter); }

__device__ __forceinline__ float randomUniform(int k0, int k1, int counter) {
  return __fmul_rn((float)(threefry(k0, k1, counter) >> 8), ${float(2 ** -24)});
}

template <int COUNT> __device__ __forceinline__ float hornerStrict(const float (&coefficients)[COUNT], float x) {
  float p = coefficients[0];
  #pragma unroll
  for (int i = 1; i < COUNT; i++) p = __fadd_rn(coefficients[i], __fmul_rn(p, x));
  return p;
}

// Natural logarithm of a positive normal number.
__device__ __forceinline__ float logStrict(float value) {
  const float polynomial[] = {${list(logPolynomial)}};
  const int shifted = __float_as_int(value) - 0x3f3504f3;
  const float exponent = (float)(shifted >> 23);
  const float x = __fadd_rn(__int_as_float((shifted & 0x007fffff) + 0x3f3504f3), -1.0f);
  const float z = __fmul_rn(x, x);
  float y = __fmul_rn(__fmul_rn(x, z), hornerStrict(polynomial, x));
  y = __fadd_rn(y, __fmul_rn(${float(logOfTwo[1])}, exponent));
  y = __fadd_rn(y, -__fmul_rn(0.5f, z));
  return __fadd_rn(__fadd_rn(x, y), __fmul_rn(${float(logOfTwo[0])}, exponent));
}

__device__ __forceinline__ float randomNormal(int k0, int k1, int counter, float reach) {
  const float central[] = {${list(erfinvCentral)}};
  const float tail[] = {${list(erfinvTail)}};
  const float bits = (float)(threefry(k0, k1, counter) >> 9);
  const float centred = __fadd_rn(__fmul_rn(__fadd_rn(bits, 0.5f), ${float(2 ** -22)}), -1.0f);
  const float x = __fmul_rn(centred, reach);
  const float w = -logStrict(__fmul_rn(__fadd_rn(1.0f, -x), __fadd_rn(1.0f, x)));
  const float p = w < 5.0f ? hornerStrict(central, __fadd_rn(w, -2.5f))
                           : hornerStrict(tail, __fadd_rn(__fsqrt_rn(w), -3.0f));
  return __fmul_rn(__fmul_rn(p, x), ${float(Math.SQRT2)});
}

__device__ __forceinline__ unsigned mixed(unsigned word, unsigned k0, unsigned k1) {
  unsigned x = (word ^ k0) * 0x85ebca6bu + k1;
  x = (x ^ (x >> 15)) * 0xc2b2ae35u;
  x = (x ^ (x >> 13)) * 0x27d4eb2fu;
  return x ^ (x >> 16);
}

// Element \`position\` of a permutation of 0 ... count - 1: a Feistel network, walked until it falls inside.
__device__ __forceinline__ int permuted(int k0, int k1, int position, int count, int halfBits) {
  const unsigned mask = (1u << halfBits) - 1u;
  unsigned index = position;
  do {
    unsigned left = index >> halfBits;
    unsigned right = index & mask;
    for (unsigned round = 0; round < ${permutationRounds}u; round++) {
      const unsigned next = left ^ (mixed(right, k0, k1 + round * 0x9e3779b9u) & mask);
      left = right;
      right = next;
    }
    index = (left << halfBits) | right;
  } while ((int)index >= count);
  return (int)index;
}
`;
