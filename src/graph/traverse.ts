/** Walking a graph. */
import { SlalomError } from "../base/errors.js";
import { formatType, sameShape } from "../base/shape.js";
import type { Tensor } from "./tensor.js";

/** Every node that `outputs` depend on, inputs before users, each once; independent of recursion depth. */
export function topologicalOrder(outputs: Iterable<Tensor>): Tensor[] {
  const order: Tensor[] = [];
  const state = new Set<Tensor>();
  const stack: { node: Tensor; next: number }[] = [];
  for (const output of outputs) {
    if (state.has(output)) continue;
    state.add(output);
    stack.push({ node: output, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (!state.has(input)) {
          state.add(input);
          stack.push({ node: input, next: 0 });
        }
      } else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}

/**
 * The graph of `outputs` with every node replaced by what `visit` makes of it; `visit` gets a node whose inputs
 * are replaced already (the node itself if none changed) and the original.
 */
export function rewrite(
  outputs: readonly Tensor[],
  visit: (node: Tensor, original: Tensor) => Tensor,
): Tensor[] {
  const replaced = new Map<Tensor, Tensor>();
  for (const original of topologicalOrder(outputs)) {
    const inputs = original.inputs.map((input) => replaced.get(input)!);
    const unchanged = inputs.every((input, i) => input === original.inputs[i]);
    const node = unchanged ? original : ({ ...original, inputs } as Tensor);
    replaced.set(original, visit(node, original));
  }
  return outputs.map((output) => replaced.get(output)!);
}

/**
 * The graph of `outputs` with some nodes swapped for others of the same type.
 * @throws SlalomError "shape" where the types differ
 */
export function substitute(outputs: readonly Tensor[], replacements: ReadonlyMap<Tensor, Tensor>): Tensor[] {
  for (const [from, to] of replacements) {
    if (from.dtype !== to.dtype || !sameShape(from.shape, to.shape)) {
      throw new SlalomError(
        "shape",
        `substitute: ${formatType(to)} in place of ${formatType(from)}; expected equal types.`,
      );
    }
  }
  return rewrite(outputs, (node, original) => replacements.get(original) ?? node);
}
