/** What a model is: from the shape of an example and a number of outputs to layers with parameters. */
import type { Json } from "../../base/json.js";
import type { Shape } from "../../base/shape.js";
import type { BuiltLayer } from "../layers/layer.js";

export type { Json };

export interface Model {
  /** Short and plain, as in "softmax": problems are named after it. */
  readonly name: string;
  /** As figures print it. */
  readonly title: string;
  /** All that sets this model apart from another of its name; goes into the run store. */
  readonly options: Readonly<Record<string, Json>>;
  /** "images": examples must keep their rows and columns; absent: the model takes examples of any shape. */
  readonly takes?: "images";
  /** @param outputs number of logits or of regression targets: the built layer's output is [outputs] */
  build(exampleShape: Shape, outputs: number): BuiltLayer;
}
