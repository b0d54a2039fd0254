/** The graph's verifier: every node's type follows from its inputs, and the graph has no cycle. */
import { SlalomError } from "../base/errors.js";
import { formatType, sameShape, sizeOf, type TensorType } from "../base/shape.js";
import { operationOf, operations } from "./operations/index.js";
import { leafOperations } from "./operations/leaves.js";
import type { Tensor } from "./tensor.js";
import { topologicalOrder } from "./traverse.js";

/** Throws an internal error at the first node that is not what its operation makes of its inputs. */
export function verify(outputs: readonly Tensor[], where = "graph"): void {
  const seen = new Set<Tensor>();
  for (const node of topologicalOrder(outputs)) {
    const fail = (problem: string): never => {
      throw new SlalomError(
        "internal",
        `${where}: node ${node.op} ${formatType(node)} ${problem} (a bug in Slalom: please report it)`,
      );
    };
    if (!(node.op in operations)) fail("is no known operation");
    if (!node.inputs.every((input) => seen.has(input))) fail("comes before one of its inputs");
    seen.add(node);
    if (node.shape.some((extent) => !Number.isInteger(extent) || extent < 0))
      fail("has an extent that is no natural number");
    if (node.op in leafOperations) {
      if (node.inputs.length > 0) fail("is a leaf with inputs");
      if (node.op === "constant" && node.attributes.data.length !== sizeOf(node.shape))
        fail("holds another number of values");
      continue;
    }
    const inferred = inferAgain(node, fail);
    if (inferred.dtype !== node.dtype || !sameShape(inferred.shape, node.shape)) {
      fail(`should be ${formatType(inferred)} by its inputs ${node.inputs.map(formatType).join(", ")}`);
    }
  }
}

/** The type by the operation's own rule, whose refusal is one more sign of a broken graph. */
function inferAgain(node: Tensor, fail: (problem: string) => never): TensorType {
  if (node.inputs.length === 0) fail("has no inputs");
  try {
    return operationOf(node.op).infer(node.inputs, node.attributes as never);
  } catch (error) {
    if (!(error instanceof SlalomError)) throw error;
    return fail(`is refused by its operation: ${error.message}`);
  }
}
