/**
 * Batch normalisation: each channel to mean 0 and variance 1 over the batch, then a learned scale and shift. Ioffe,
 * Szegedy: "Batch normalization", 2015.
 */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import {
  add,
  broadcastTo,
  cast,
  div,
  full,
  maximum,
  mul,
  ones,
  reshape,
  rsqrt,
  square,
  sub,
  sum,
  type Tensor,
  zeros,
} from "../../graph/index.js";
import type { Layer } from "./layer.js";

export interface BatchNormOptions {
  /** Share of the running statistics that a step keeps, 0 to below 1; default 0.9. PyTorch's `momentum` is 1 minus this. */
  readonly momentum?: number;
  /** Added to the variance, above 0; default 1e-5. */
  readonly epsilon?: number;
  /**
   * Whether ranks that share a batch normalise by the statistics of all of it, so that they train what one rank trains;
   * default false: each by those of its own part. It costs four sums over ranks of [channels] a step, two forward and two
   * backward, one after another. Known as SyncBatchNorm.
   */
  readonly synchronized?: boolean;
}

/**
 * Batch normalisation over all axes but the last.
 *
 *     training:   y = scale (x - mean) / sqrt(variance + epsilon) + shift, with the batch's mean and variance
 *                 running = momentum running + (1 - momentum) of the batch
 *     otherwise:  the same with the running mean and variance
 *
 * Parameters "scale" and "shift", state "mean" and "variance", each [channels]. As in PyTorch the batch's variance is
 * biased where it normalises and unbiased where it is remembered. Examples that only fill up a short last batch do not
 * count. Statistics of a batch that is taken in micro-batches are those of each; with `synchronized` trainers refuse such.
 * @throws SlalomError "option" for impossible options; "shape" when built for a scalar
 * @example sequential([convolution(32, { kernel: 3, bias: "none" }), batchNorm(), activation("relu")])
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  checkKeys("batchNorm", options, ["momentum", "epsilon", "synchronized"]);
  const { momentum = 0.9, epsilon = 1e-5, synchronized = false } = options;
  const follows = synchronized && ({ follows: "batch" } as const);
  if (!(momentum >= 0 && momentum < 1) || !(epsilon > 0)) {
    throw new SlalomError(
      "option",
      `batchNorm: received momentum ${momentum}, epsilon ${epsilon}; expected a momentum from 0 to below 1 and an epsilon above 0.`,
    );
  }
  return {
    name: "batchNorm",
    build(input) {
      if (input.length === 0)
        throw new SlalomError("shape", "batchNorm: the input is a scalar; expected at least one axis.");
      const shape = [input[input.length - 1]];
      return {
        parameters: {
          scale: { shape, initial: () => ones(shape) },
          shift: { shape, initial: () => zeros(shape) },
        },
        state: {
          mean: { shape, initial: () => zeros(shape), ...follows },
          variance: { shape, initial: () => ones(shape), ...follows },
        },
        output: input,
        apply(values, x, { training, present, sumOverRanks, keep, statisticsWeight }) {
          const normalised = (mean: Tensor, variance: Tensor): Tensor =>
            add(mul(sub(x, mean), mul(values.scale, rsqrt(add(variance, epsilon)))), values.shift);
          if (!training) return normalised(values.mean, values.variance);
          const { mean, variance, count } = statistics(x, present, synchronized ? sumOverRanks : undefined);
          const unbiased = mul(variance, div(count, maximum(sub(count, 1), 1)));
          const [kept, taken] = statisticsWeight
            ? [sub(1, statisticsWeight), statisticsWeight]
            : [momentum, 1 - momentum];
          const remembered = (old: Tensor, now: Tensor): Tensor => add(mul(old, kept), mul(now, taken));
          keep?.("mean", remembered(values.mean, mean));
          keep?.("variance", remembered(values.variance, unbiased));
          return normalised(mean, variance);
        },
      };
    },
  };
}

/** Mean and biased variance of each channel, in two passes, and how many values they are of; over ranks where told how. */
function statistics(
  x: Tensor,
  present: Tensor | undefined,
  sumOverRanks: (x: Tensor) => Tensor = (own) => own,
): { mean: Tensor; variance: Tensor; count: Tensor } {
  const axis = x.shape.slice(0, -1).map((_, i) => i);
  const perExample = sizeOf(x.shape.slice(1, -1));
  const weights =
    present &&
    broadcastTo(reshape(cast(present, x.dtype), [x.shape[0], ...x.shape.slice(1).map(() => 1)]), x.shape);
  const weighted = (values: Tensor): Tensor => (weights ? mul(values, weights) : values);
  const examples = sumOverRanks(present ? sum(cast(present, x.dtype)) : full([], x.shape[0], x.dtype));
  const count = mul(examples, perExample);
  const total = (values: Tensor): Tensor => sumOverRanks(sum(weighted(values), { axis }));
  const mean = div(total(x), count);
  const variance = div(total(square(sub(x, mean))), count);
  return { mean, variance, count };
}
