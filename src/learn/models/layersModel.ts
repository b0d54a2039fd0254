/** A model from one's own layers. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { formatType, sameShape } from "../../base/shape.js";
import { type Layer, sequential } from "../layers/index.js";
import type { Json, Model } from "./model.js";

export interface LayersModelOptions {
  readonly name: string;
  /** Default: the name. */
  readonly title?: string;
  /** What sets this model apart from another of its name. */
  readonly options?: Readonly<Record<string, Json>>;
  /** "images" where the first layers look at rows and columns. */
  readonly takes?: "images";
  /** The layers for that many outputs; the last must give [outputs]. */
  readonly layers: (outputs: number) => readonly Layer[];
}

/**
 * A model of layers in order.
 * @throws SlalomError "shape" when built, if the last layer's output is not [outputs]
 * @example layersModel({ name: "narrow", layers: (n) => [flatten(), dense(16), activation("tanh"), dense(n)] })
 */
export function layersModel(options: LayersModelOptions): Model {
  checkKeys("layersModel", options, ["name", "title", "options", "takes", "layers"]);
  const { name, title = name, layers } = options;
  return {
    name,
    title,
    options: options.options ?? {},
    ...(options.takes && { takes: options.takes }),
    build(exampleShape, outputs) {
      const built = sequential(layers(outputs)).build(exampleShape);
      if (sameShape(built.output, [outputs])) return built;
      throw new SlalomError(
        "shape",
        `model "${name}": the last layer gives ${formatType({ shape: built.output, dtype: "float32" })} for an example; expected [${outputs}]. Flatten first?`,
      );
    },
  };
}
