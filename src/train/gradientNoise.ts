/**
 * How noisy gradients are, from what the parts of each batch tell: the squared norm of the gradient of all examples, the
 * variance of that of one, and their ratio, the gradient noise scale. S. McCandlish, J. Kaplan, D. Amodei, OpenAI Dota team:
 * "An empirical model of large-batch training", 2018, https://arxiv.org/abs/1812.06162.
 */
import { SlalomError } from "../base/errors.js";
import { type BatchSizes, examplesAt } from "./batchSizes.js";
import { hasExactLoss, type LaneTraining } from "./configuration.js";

/** The mean gradient of so many examples. */
export interface GradientOf {
  /** Above 0. Of groups of unequal sizes: their mean size, with the mean of their squares weighted by size. */
  readonly examples: number;
  /** Its squared Euclidean norm, over all parameters. */
  readonly squaredNorm: number;
}

export interface GradientNoise {
  /** |G|^2, G the gradient of the expected loss. An estimate: it may be below 0. */
  readonly gradientSquare: number;
  /** tr(Sigma), Sigma the covariance of the gradient of one example. */
  readonly gradientVariance: number;
}

/**
 * Unbiased estimates from mean gradients of few and of many independent examples, b and B of them:
 *
 *     |G|^2     = (B |g_B|^2 - b |g_b|^2) / (B - b)
 *     tr(Sigma) = (|g_b|^2 - |g_B|^2) / (1 / b - 1 / B)
 *
 * since the expectation of |g_b|^2 is |G|^2 + tr(Sigma) / b. One pair says little; take means of both over many before
 * their ratio. The paper's appendix A.1.
 * ```ts
 * gradientNoise({ examples: 1, squaredNorm: 5 }, { examples: 4, squaredNorm: 2 }); // |G|^2 = 1, tr(Sigma) = 4
 * ```
 * @throws SlalomError "option" unless 0 < few.examples < many.examples
 */
export function gradientNoise(few: GradientOf, many: GradientOf): GradientNoise {
  const [b, B] = [few.examples, many.examples];
  if (!(b > 0 && b < B))
    throw new SlalomError(
      "option",
      `gradientNoise: gradients of ${b} and of ${B} examples; expected more than 0, and more of the second.`,
    );
  return {
    gradientSquare: (B * many.squaredNorm - b * few.squaredNorm) / (B - b),
    gradientVariance: (few.squaredNorm - many.squaredNorm) / (1 / b - 1 / B),
  };
}

/**
 * The simple noise scale tr(Sigma) / |G|^2, in examples: to a batch of this size the noise is as large as the gradient. Well
 * below it k times the examples do the work of k steps; well above it they do little more than one.
 * @returns undefined where the estimate of |G|^2 is not above 0: the noise hides the gradient
 */
export const noiseScale = ({ gradientSquare, gradientVariance }: GradientNoise): number | undefined =>
  gradientSquare > 0 ? Math.max(0, gradientVariance) / gradientSquare : undefined;

/**
 * Examples of a part of a batch, whose mean gradient is looked at by itself: of a micro-batch, or of a rank's share where
 * batches are taken whole.
 */
const partSize = ({ batch, part, own }: BatchSizes): number => (part < batch ? part : own);

/** Traces of a step; no metric has such a name. */
export const squareTraces = { parts: "gradient/parts", batch: "gradient/batch" } as const;

/**
 * What the traces of a step tell of one lane; undefined for a batch of a single part, as a short last one may be.
 * @param squares squared norms: of the parts, their mean weighted by examples, and of the batch
 */
export function noiseOfStep(
  { problem, dataset }: LaneTraining,
  sizes: BatchSizes,
  step: number,
  squares: { readonly parts: number; readonly batch: number },
): GradientNoise | undefined {
  const { count } = dataset!.train;
  const examples = examplesAt(sizes, count, step);
  const parts = Math.ceil(examples / partSize(sizes));
  if (parts === 1) return undefined;
  // Of a loss that is a sum the gradient is that of as many examples.
  const unit = problem.reduction === "sum" ? examples ** 2 : 1;
  return gradientNoise(
    { examples: examples / parts, squaredNorm: squares.parts / unit },
    { examples, squaredNorm: squares.batch / unit },
  );
}

/** Estimates summed over steps, for their means. */
export interface NoiseSum extends GradientNoise {
  readonly steps: number;
}

export const addNoise = (sum: NoiseSum | undefined, noise: GradientNoise): NoiseSum => ({
  gradientSquare: (sum?.gradientSquare ?? 0) + noise.gradientSquare,
  gradientVariance: (sum?.gradientVariance ?? 0) + noise.gradientVariance,
  steps: (sum?.steps ?? 0) + 1,
});

/** The means and, where they tell one, the noise scale, as rows name them: `noiseMetrics` of the configuration. */
export function noiseRow({ gradientSquare, gradientVariance, steps }: NoiseSum): Record<string, number> {
  const means = { gradientSquare: gradientSquare / steps, gradientVariance: gradientVariance / steps };
  const scale = noiseScale(means);
  return { ...means, ...(scale !== undefined && { gradientNoiseScale: scale }) };
}

/** @throws SlalomError "option" where the batches of a training can't tell their noise */
export function checkNoise(training: LaneTraining, sizes: BatchSizes | undefined): void {
  if (!training.gradientNoise) return;
  const refuse = (received: string): never => {
    throw new SlalomError(
      "option",
      `training: gradientNoise compares the parts of a batch, and ${received}; expected batches that are drawn from the training data, and a microBatch of at most half of one, or several ranks.`,
    );
  };
  if (!sizes) refuse(`the problem "${training.problem.name}" has no data`);
  else if (hasExactLoss(training) || sizes.batch >= training.dataset!.train.count)
    refuse(`each batch is all of the ${training.dataset!.train.count} training examples`);
  else if (partSize(sizes) === sizes.batch)
    refuse(`one rank takes the batches of ${sizes.batch} examples whole`);
}
