/** Sequential: layers one after another, as one layer. */
import type { Shape } from "../../base/shape.js";
import { foldIn } from "../../graph/index.js";
import { type BuiltLayer, type Layer, type ParameterSpec, partKey } from "./layer.js";

/**
 * The layers in order, each taking what the one before gives.
 *
 * Parameters are named by layer, counted from 1 for each kind: "dense1.weight", "dense1.bias", "dense2.weight". Each
 * layer has a key of its own, for its first values and for dropout.
 * @example sequential([flatten(), dense(512), activation("relu"), dropout(0.5), dense(10)])
 */
export const sequential = (layers: readonly Layer[]): Layer => ({
  name: "sequential",
  build(input) {
    const parts = buildInOrder(layers, input);
    const parameters: Record<string, ParameterSpec> = {};
    parts.forEach(({ prefix, built }, index) => {
      for (const [name, spec] of Object.entries(built.parameters)) {
        parameters[prefix + name] = {
          shape: spec.shape,
          initial: (key) => spec.initial(foldIn(key, index)),
        };
      }
    });
    return {
      parameters,
      output: parts.at(-1)?.built.output ?? input,
      apply: (values, x, context) =>
        parts.reduce((current, { prefix, built }, index) => {
          const own = Object.keys(built.parameters).map((name) => [name, values[prefix + name]] as const);
          return built.apply(Object.fromEntries(own), current, {
            ...context,
            key: partKey(context.key, index),
          });
        }, x),
    };
  },
});

interface Part {
  /** Before each parameter's name, as in "dense2.". */
  readonly prefix: string;
  readonly built: BuiltLayer;
}

function buildInOrder(layers: readonly Layer[], input: Shape): Part[] {
  const counts = new Map<string, number>();
  let shape = input;
  return layers.map((layer) => {
    const count = (counts.get(layer.name) ?? 0) + 1;
    counts.set(layer.name, count);
    const built = layer.build(shape);
    shape = built.output;
    return { prefix: `${layer.name}${count}.`, built };
  });
}
