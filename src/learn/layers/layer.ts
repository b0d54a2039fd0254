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

/** What training changes but no gradient does. */
export interface StateSpec extends ParameterSpec {
  /**
   * The examples that its new values follow from: "batch" for all of the batch, by `Context.sumOverRanks`; by default those
   * that a pass sees, which may be one rank's or a micro-batch. New values of ranks and of micro-batches are averaged.
   */
  readonly follows?: "batch";
}

/** Parameters by name, of one float dtype. */
export type Parameters = Readonly<Record<string, Tensor>>;

/** What a forward pass knows besides parameters and inputs. */
export interface Context {
  /** Whether this pass is for training: dropout acts then alone. */
  readonly training: boolean;
  /** A key of this step and nothing else, for dropout; another key, another mask. */
  readonly key: RandomKey;
  /**
   * int32 scalar: the place of the first example in the step's whole batch, of which this pass may see a part; absent:
   * 0. What is drawn for an example follows from its place, so that parts give what the whole gives.
   */
  readonly firstExample?: Tensor;
  /** [batch], 1 where an example counts and 0 where it only fills up a short last batch; absent: all count. */
  readonly present?: Tensor;
  /**
   * The sum, in training, over all ranks that share the batch of what each has of a float `x`: the same on every rank.
   * Absent where this pass is alone. A state that follows from such sums says so: `StateSpec.follows`.
   */
  readonly sumOverRanks?: (x: Tensor) => Tensor;
  /** Takes what a state of the layer is after this pass. Absent where nothing is remembered: outside of training. */
  readonly keep?: (name: string, value: Tensor) => void;
  /** Float scalar: the weight of this batch in what a layer remembers of batches; absent: the layer's own. */
  readonly statisticsWeight?: Tensor;
}

export interface BuiltLayer {
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /**
   * What training changes but no gradient does, such as running means. `apply` gets it beside the parameters, under its
   * own name, and hands the new values to `context.keep`.
   */
  readonly state?: Readonly<Record<string, StateSpec>>;
  /** Shape of one output, without the batch axis. */
  readonly output: Shape;
  /** The outputs [batch, ...output] for `x` [batch, ...input], in the dtype of `x` and the parameters. */
  apply(values: Parameters, x: Tensor, context: Context): Tensor;
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

/** A layer inside another, and what its names begin with there, as in "dense2.". */
export interface LayerPart {
  readonly prefix: string;
  readonly built: BuiltLayer;
}

/** Layers as parts of one: their parameters and states under prefixed names, each with a key of its own. */
export function joinedLayers(parts: readonly LayerPart[]): {
  readonly parts: readonly LayerPart[];
  readonly specs: Required<Pick<BuiltLayer, "parameters" | "state">>;
  /** Applies one part, given the values and the context of the whole. */
  apply(part: number, values: Parameters, x: Tensor, context: Context): Tensor;
} {
  const gathered = (kind: "parameters" | "state"): Record<string, StateSpec> =>
    Object.fromEntries(
      parts.flatMap(({ prefix, built }, index) =>
        Object.entries<StateSpec>(built[kind] ?? {}).map(([name, spec]): [string, StateSpec] => [
          prefix + name,
          { ...spec, initial: (key) => spec.initial(foldIn(key, index)) },
        ]),
      ),
    );
  return {
    parts,
    specs: { parameters: gathered("parameters"), state: gathered("state") },
    apply(part, values, x, context) {
      const { prefix, built } = parts[part];
      const names = [...Object.keys(built.parameters), ...Object.keys(built.state ?? {})];
      const { keep } = context;
      return built.apply(Object.fromEntries(names.map((name) => [name, values[prefix + name]])), x, {
        ...context,
        key: partKey(context.key, part),
        ...(keep && { keep: (name: string, value: Tensor) => keep(prefix + name, value) }),
      });
    },
  };
}
