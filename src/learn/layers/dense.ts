/** Dense: every output is a weighted sum of all inputs, plus a bias. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { add, dot, foldIn } from "../../graph/index.js";
import { glorotUniform, type Initializer, zeroValues } from "../initializers/index.js";
import type { Layer, ParameterSpec } from "./layer.js";

export interface DenseOptions {
  /** Of the weight; default `glorotUniform`. */
  readonly initializer?: Initializer;
  /** The bias's initializer, or "none" for a layer without bias; default `zeroValues`. */
  readonly bias?: Initializer | "none";
}

/**
 * A dense layer on the last axis: y = x W^T + b.
 *
 * Parameters: "weight" [units, inputs] and "bias" [units]. The weight is stored output first: lanes that share the
 * inputs are then more rows of it, and their products one larger product.
 * @param units size of the output's last axis, an integer from 1
 * @throws SlalomError "option" for other units; "shape" when built for a scalar input
 * @example sequential([dense(512), activation("relu"), dense(10)])
 */
export function dense(units: number, options: DenseOptions = {}): Layer {
  checkKeys("dense", options, ["initializer", "bias"]);
  if (!Number.isInteger(units) || units < 1) {
    throw new SlalomError("option", `dense: received ${units} units; expected an integer from 1.`);
  }
  const { initializer = glorotUniform, bias = zeroValues } = options;
  return {
    name: "dense",
    build(input) {
      if (input.length === 0) {
        throw new SlalomError("shape", "dense: the input is a scalar; expected at least one axis.");
      }
      const inputs = input[input.length - 1];
      const fans = { in: inputs, out: units };
      const weight: ParameterSpec = {
        shape: [units, inputs],
        initial: (key) => initializer(foldIn(key, 0), [units, inputs], fans),
      };
      const parameters: Record<string, ParameterSpec> =
        bias === "none"
          ? { weight }
          : { weight, bias: { shape: [units], initial: (key) => bias(foldIn(key, 1), [units], fans) } };
      return {
        parameters,
        output: [...input.slice(0, -1), units],
        apply(values, x) {
          const product = dot(x, values.weight, { batch: [[], []], contract: [[x.shape.length - 1], [1]] });
          return bias === "none" ? product : add(product, values.bias);
        },
      };
    },
  };
}
