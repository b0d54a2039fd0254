/**
 * Batching as a transformation of the graph: from a computation on one configuration to one on many lanes at
 * once. Tensors that no lane changes are computed once.
 */
import { SlalomError } from "../base/errors.js";
import { formatType, resolveAxis, type TensorType } from "../base/shape.js";
import { operationOf } from "../graph/operations/index.js";
import { variable } from "../graph/operations/leaves.js";
import { alignAxis } from "../graph/operations/movement.js";
import type { Batched, Tensor } from "../graph/tensor.js";
import { topologicalOrder } from "../graph/traverse.js";

/** `outputs` with some tensors replaced by batched ones; the others are the same for every lane. */
export function batch(outputs: readonly Tensor[], replacements: ReadonlyMap<Tensor, Batched>): Batched[] {
  const done = new Map<Tensor, Batched>();
  for (const node of topologicalOrder(outputs)) {
    const inputs = node.inputs.map((input) => done.get(input)!);
    const plain = inputs.every((input) => input.axis === undefined);
    done.set(
      node,
      replacements.get(node) ??
        // Inputs without lanes were never replaced, so the node stands as it is.
        (plain ? { tensor: node, axis: undefined } : operationOf(node.op).batch(node as never, inputs)),
    );
  }
  return outputs.map((output) => done.get(output)!);
}

/** Where each argument has its lanes, -1 being its last axis; undefined: shared by all lanes. */
export interface VmapOptions {
  readonly axes: readonly (number | undefined)[];
}

/**
 * A function of many lanes from a function of one. Each result has its lanes on axis 0.
 * @throws SlalomError "shape" if no argument has lanes or their numbers differ
 */
export function vmap(f: (...args: Tensor[]) => Tensor, options: VmapOptions): (...args: Tensor[]) => Tensor {
  return (...args) => {
    const axes = resolveAxes(options.axes, args);
    const counts = args.flatMap((arg, i) => (axes[i] === undefined ? [] : [arg.shape[axes[i]]]));
    if (counts.length === 0 || counts.some((count) => count !== counts[0])) {
      throw new SlalomError(
        "shape",
        `vmap: arguments ${args.map(formatType).join(", ")} with lanes on axes [${axes}]; expected at least one lane axis and equal numbers of lanes.`,
      );
    }
    const one = args.map(
      (arg, i): Tensor =>
        axes[i] === undefined ? arg : variable(`argument${i}`, withoutAxis(arg, axes[i]), arg.dtype),
    );
    const replacements = new Map<Tensor, Batched>();
    args.forEach((arg, i) => {
      if (axes[i] !== undefined) replacements.set(one[i], { tensor: arg, axis: axes[i] });
    });
    const [result] = batch([f(...one)], replacements);
    return alignAxis(result, 0, counts[0]);
  };
}

const withoutAxis = (type: TensorType, axis: number): number[] => type.shape.toSpliced(axis, 1);

function resolveAxes(axes: VmapOptions["axes"], args: readonly Tensor[]): (number | undefined)[] {
  if (axes.length !== args.length) {
    throw new SlalomError(
      "shape",
      `vmap: ${axes.length} axes for ${args.length} arguments; expected one for each, undefined where it is shared.`,
    );
  }
  return axes.map((axis, i) =>
    axis === undefined ? undefined : resolveAxis("vmap", axis, args[i].shape.length),
  );
}
