/**
 * bfloat16: the upper half of a float32, with its range and 8 bits of significand. Products of such numbers are exact in
 * float32.
 */

/** Each value as the nearest bfloat16, ties to even; NaN stays NaN. */
export function roundedToBfloat16(values: Float32Array): Float32Array {
  const result = values.slice();
  const bits = new Int32Array(result.buffer);
  for (let i = 0; i < bits.length; i++) {
    // Half of the last kept place, less one where that place is 0: a tie goes to the even one.
    if (!Number.isNaN(result[i])) bits[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff0000;
  }
  return result;
}
