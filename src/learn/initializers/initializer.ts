/** What an initializer is: a rule that draws a parameter's first values from a key and the layer's fans. */
import type { Shape } from "../../base/shape.js";
import type { Key, Tensor } from "../../graph/index.js";

/** How many values of the input feed one output of the layer, and how many outputs one input feeds. */
export interface Fans {
  readonly in: number;
  readonly out: number;
}

/** Draws float32 values of `shape`; equal keys, equal values. `name` is what a run's configuration records. */
export interface Initializer {
  readonly name: string;
  (key: Key, shape: Shape, fans: Fans): Tensor;
}

/** `draw` under a name that tells its settings, as in "normal(0.1)". */
export const namedInitializer = (
  name: string,
  draw: (...args: Parameters<Initializer>) => Tensor,
): Initializer =>
  Object.defineProperty((...args: Parameters<Initializer>) => draw(...args), "name", { value: name });
