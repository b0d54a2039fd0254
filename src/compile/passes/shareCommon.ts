/** Common subexpressions: nodes that compute the same become one node. */
import type { Tensor } from "../../graph/tensor.js";
import { exactJson } from "../exactJson.js";

/** A visitor for `rewrite` that returns the first node seen with the same operation, attributes and inputs. */
export function shareCommon(): (node: Tensor) => Tensor {
  const numbers = new Map<Tensor | object, number>();
  const known = new Map<string, Tensor>();
  const numberOf = (thing: object): number => {
    const found = numbers.get(thing);
    if (found !== undefined) return found;
    numbers.set(thing, numbers.size);
    return numbers.size - 1;
  };
  return (node) => {
    // Variables are themselves; constants are equal if they hold the very same array.
    if (node.op === "variable") return node;
    const attributes = node.op === "constant" ? numberOf(node.attributes.data) : exactJson(node.attributes);
    const key = `${node.op}|${attributes}|${node.dtype}|${node.shape}|${node.inputs.map(numberOf)}`;
    const found = known.get(key);
    if (found) return found;
    known.set(key, node);
    return node;
  };
}
