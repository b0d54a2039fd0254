/** Values of a graph by each operation's own plain loops: slow, simple, the oracle for every backend. */

import { SlalomError } from "../base/errors.js";
import { formatType, type HostTensor, sameShape, sizeOf } from "../base/shape.js";
import { operationOf } from "./operations/index.js";
import type { Tensor } from "./tensor.js";
import { topologicalOrder } from "./traverse.js";

/**
 * The values of `outputs`, given one for every variable they depend on.
 * Throws a SlalomError of code "option" where a variable has no value, "shape" where a value does not fit.
 */
export function evaluate(
  outputs: readonly Tensor[],
  values: ReadonlyMap<Tensor, HostTensor> = new Map(),
): HostTensor[] {
  const computed = new Map<Tensor, HostTensor>();
  for (const node of topologicalOrder(outputs)) {
    const given = values.get(node);
    if (given && (given.dtype !== node.dtype || !sameShape(given.shape, node.shape))) {
      throw new SlalomError(
        "shape",
        `evaluate: value ${formatType(given)} for ${nameOf(node)} of type ${formatType(node)}; expected equal types.`,
      );
    }
    if (given && given.data.length !== sizeOf(given.shape)) {
      throw new SlalomError(
        "shape",
        `evaluate: value ${formatType(given)} holds ${given.data.length} elements; expected ${sizeOf(given.shape)}.`,
      );
    }
    const inputs = node.inputs.map((input) => computed.get(input)!);
    computed.set(
      node,
      given ?? {
        shape: node.shape,
        dtype: node.dtype,
        data: operationOf(node.op).evaluate(inputs, node.attributes as never, node),
      },
    );
  }
  return outputs.map((output) => computed.get(output)!);
}

const nameOf = (node: Tensor): string =>
  node.op === "variable" ? `variable "${node.attributes.name}"` : node.op;
