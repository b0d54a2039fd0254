/** Residual connection: a branch of layers is added to its own input. He, Zhang, Ren, Sun 2016. */
import { SlalomError } from "../../base/errors.js";
import { sameShape } from "../../base/shape.js";
import { add } from "../../graph/index.js";
import { joinedLayers, type Layer } from "./layer.js";
import { sequential } from "./sequential.js";

/**
 * branch(x) + shortcut(x); without a shortcut's layers branch(x) + x. Parameters are named "branch.conv1.weight",
 * "shortcut.conv1.weight".
 * @throws SlalomError "shape" when built, if the two ways end in different shapes
 * @example residual([convolution(16, { kernel: 3, padding: "same" }), activation("relu")])
 */
export const residual = (branch: readonly Layer[], shortcut: readonly Layer[] = []): Layer => ({
  name: "residual",
  build(input) {
    const ways = joinedLayers([
      { prefix: "branch.", built: sequential(branch).build(input) },
      { prefix: "shortcut.", built: sequential(shortcut).build(input) },
    ]);
    const [long, short] = ways.parts.map(({ built }) => built.output);
    if (!sameShape(long, short)) {
      throw new SlalomError(
        "shape",
        `residual: the branch gives [${long}] for an example and the shortcut [${short}]; expected the same. Give the shortcut a 1 x 1 convolution with the same stride?`,
      );
    }
    return {
      ...ways.specs,
      output: long,
      apply: (values, x, context) =>
        add(ways.apply(0, values, x, context), ways.apply(1, values, x, context)),
    };
  },
});
