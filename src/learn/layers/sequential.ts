/** Sequential: layers one after another, as one layer. */
import type { Shape } from "../../base/shape.js";
import { joinedLayers, type Layer, type LayerPart } from "./layer.js";

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
    const joined = joinedLayers(buildInOrder(layers, input));
    return {
      ...joined.specs,
      output: joined.parts.at(-1)?.built.output ?? input,
      apply: (values, x, context) =>
        joined.parts.reduce((current, _, part) => joined.apply(part, values, current, context), x),
    };
  },
});

function buildInOrder(layers: readonly Layer[], input: Shape): LayerPart[] {
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
