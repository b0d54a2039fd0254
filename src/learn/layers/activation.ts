/** Activations as layers: one function of each element, no parameters. */
import { unknownName } from "../../base/errors.js";
import { gelu, relu, sigmoid, softplus, type Tensor, tanh } from "../../graph/index.js";
import type { Layer } from "./layer.js";

const functions = { relu, tanh, sigmoid, gelu, softplus } satisfies Record<string, (x: Tensor) => Tensor>;

export type ActivationName = keyof typeof functions;

export const activationNames = Object.keys(functions) as readonly ActivationName[];

/**
 * The layer that applies the function of that name to each element.
 * @throws SlalomError "name" for an unknown one
 * @example sequential([dense(64), activation("tanh"), dense(1)])
 */
export function activation(name: ActivationName): Layer {
  if (!Object.hasOwn(functions, name)) throw unknownName("activation", name, activationNames);
  return {
    name,
    build: (input) => ({ parameters: {}, output: input, apply: (_parameters, x) => functions[name](x) }),
  };
}
