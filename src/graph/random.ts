/** Random tensors: each element depends on a key and its place alone (see `base/random.ts`). */
import { SlalomError } from "../base/errors.js";
import { foldIn, type Key, keyFromSeed } from "../base/random.js";
import { type Shape, sizeOf } from "../base/shape.js";
import { add, broadcastTo, less, mul, reshape, slice } from "./functions.js";
import { elementwiseOperations as primitive } from "./operations/elementwise.js";
import { full, iota } from "./operations/leaves.js";
import type { Tensor } from "./tensor.js";

export { foldIn, type Key, keyFromSeed };

/** A key known when the graph is built, or an int32 tensor [2] known when the program runs. */
export type RandomKey = Key | Tensor;

/**
 * float32, uniform on [0, 1).
 * @param first int32 scalar: these are the elements from that one on, counted row-major, of a larger tensor with
 *   this key; default 0
 */
export const randomUniform = (key: RandomKey, shape: Shape, first?: Tensor): Tensor =>
  draw(key, shape, (words) => primitive.randomUniform.apply(words, {}), first);

/** float32, normal with mean 0 and standard deviation 1. */
export const randomNormal = (key: RandomKey, shape: Shape): Tensor =>
  draw(key, shape, (words) => primitive.randomNormal.apply(words, { reach: 1 }));

/** float32, normal with mean 0 and standard deviation 1 before it is cut to [-2, 2]. */
export const randomTruncatedNormal = (key: RandomKey, shape: Shape): Tensor =>
  draw(key, shape, (words) => primitive.randomNormal.apply(words, { reach: errorFunctionOfRoot2 }));

/** uint8, 1 with the given probability; `first` as in `randomUniform`. */
export const randomBernoulli = (key: RandomKey, shape: Shape, probability: number, first?: Tensor): Tensor =>
  less(randomUniform(key, shape, first), probability);

/** int32, 32 random bits each. */
export const randomBits = (key: RandomKey, shape: Shape): Tensor =>
  draw(key, shape, (words) => primitive.randomBits.apply(words, {}));

/** int32 [count]: 0 ... count-1 in random order. */
export const randomPermutation = (key: RandomKey, count: number): Tensor =>
  permutationAt(key, iota([count]), count);

/**
 * Elements `positions` (int32, each below `count`) of a random permutation of 0 ... count-1, without making the
 * whole of it.
 * @throws SlalomError "option" unless `count` is an integer from 0 to 2^30
 */
export function permutationAt(key: RandomKey, positions: Tensor, count: number): Tensor {
  if (!Number.isInteger(count) || count < 0 || count > 2 ** 30) {
    throw new SlalomError("option", `permutationAt: count ${count}; expected an integer from 0 to 2^30.`);
  }
  return primitive.permute.apply([...keyWords(key, positions.shape), positions], { count });
}

/**
 * An independent key (int32 [2]) for the `n`-th use, where `n` (int32 scalar) is known only when the program runs.
 * Its words are draws 2n and 2n + 1, so draw nothing else from `key` itself.
 */
export function foldInTensor(key: RandomKey, n: Tensor): Tensor {
  const counter = add(mul(broadcastTo(n, [2]), 2), iota([2]));
  return primitive.randomBits.apply([...keyWords(key, [2]), counter], {});
}

/** erf(sqrt 2): the share of a normal distribution within two standard deviations. */
const errorFunctionOfRoot2 = 0.9544997361036416;

function draw(key: RandomKey, shape: Shape, apply: (words: Tensor[]) => Tensor, first?: Tensor): Tensor {
  const flat = [sizeOf(shape)];
  const counter = first ? add(iota(flat), first) : iota(flat);
  return reshape(apply([...keyWords(key, flat), counter]), shape);
}

/** The two words of the key, repeated to `shape`. */
function keyWords(key: RandomKey, shape: Shape): Tensor[] {
  if (!("op" in key)) return [full(shape, key[0], "int32"), full(shape, key[1], "int32")];
  return [0, 1].map((word) =>
    broadcastTo(reshape(slice(key, { axis: 0, start: word, stop: word + 1 }), []), shape),
  );
}
