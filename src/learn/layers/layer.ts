/** What a layer is: a recipe that, given the shape of one input, states its parameters and how to apply them. */
import type { Shape } from "../../base/shape.js";
import { constant, foldIn, foldInTensor, type Key, type RandomKey, type Tensor } from "../../graph/index.js";

/** A parameter's shape and how it starts. */
export interface ParameterSpec {
  readonly shape: Shape;
  /**
   * The first values, float32 or (where exact) float64; the trainer casts them to the run's dtype. One key serves all
   * parameters of a model: each derives its own from it.
   */
  readonly initial: (key: Key) => Tensor;
}

/** Parameters by name, of one float dtype. */
export type Parameters = Readonly<Record<string, Tensor>>;

/** What a forward pass knows besides parameters and inputs. */
export interface Context {
  /** Whether this pass is for training: dropout acts then alone. */
  readonly training: boolean;
  /** A key of this step and nothing else, for dropout; another key, another mask. */
  readonly key: RandomKey;
}

export interface BuiltLayer {
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Shape of one output, without the batch axis. */
  readonly output: Shape;
  /** The outputs [batch, ...output] for `x` [batch, ...input], in the dtype of `x` and the parameters. */
  apply(parameters: Parameters, x: Tensor, context: Context): Tensor;
}

export interface Layer {
  /** What parameter names begin with, as in "dense1.weight". */
  readonly name: string;
  /** @param input shape of one input, without the batch axis */
  build(input: Shape): BuiltLayer;
}

/** An independent key for part `n` of whatever `key` is for, whether the key is known now or when the program runs. */
export const partKey = (key: RandomKey, n: number): RandomKey =>
  "op" in key ? foldInTensor(key, constant(n, "int32")) : foldIn(key, n);
