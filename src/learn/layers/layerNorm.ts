/** Layer normalisation: each example to mean 0 and variance 1 over its last axis. Ba, Kiros, Hinton 2016. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { add, mean, mul, ones, rsqrt, square, sub, zeros } from "../../graph/index.js";
import type { Layer } from "./layer.js";

export interface LayerNormOptions {
  /** Added to the variance, above 0; default 1e-5. */
  readonly epsilon?: number;
}

/**
 * y = scale (x - mean) / sqrt(variance + epsilon) + shift, with mean and biased variance over the last axis; the same in
 * training and otherwise. Parameters "scale" and "shift", each as long as that axis.
 * @throws SlalomError "option" for another epsilon; "shape" when built for a scalar
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  checkKeys("layerNorm", options, ["epsilon"]);
  const { epsilon = 1e-5 } = options;
  if (!(epsilon > 0))
    throw new SlalomError("option", `layerNorm: received epsilon ${epsilon}; expected a number above 0.`);
  return {
    name: "layerNorm",
    build(input) {
      if (input.length === 0)
        throw new SlalomError("shape", "layerNorm: the input is a scalar; expected at least one axis.");
      const shape = [input[input.length - 1]];
      return {
        parameters: {
          scale: { shape, initial: () => ones(shape) },
          shift: { shape, initial: () => zeros(shape) },
        },
        output: input,
        apply(values, x) {
          const centred = sub(x, mean(x, { axis: -1, keepDims: true }));
          const variance = mean(square(centred), { axis: -1, keepDims: true });
          return add(mul(mul(centred, rsqrt(add(variance, epsilon))), values.scale), values.shift);
        },
      };
    },
  };
}
