/** What a translation is: from an operation of ours, and what its operands became, to operations of ONNX. */
import { SlalomError } from "../../../base/errors.js";
import type { Node, OperationName } from "../../../graph/index.js";
import type { OnnxBuilder, Value } from "../builder.js";
import type { Extent } from "../extents.js";

export interface Site<N extends OperationName> {
  readonly node: Node<N>;
  /** The operands, none of type "bool" but the condition of a `where`. */
  readonly inputs: readonly Value[];
  /** Extents of the result. */
  readonly shape: readonly Extent[];
  readonly onnx: OnnxBuilder;
}

export type Translation<N extends OperationName> = (site: Site<N>) => Value;

/** For an operation that no inference contains; `reason` says where it belongs. */
export const outsideInference =
  (reason: string) =>
  ({ node }: { readonly node: { readonly op: OperationName } }): never => {
    throw new SlalomError(
      "option",
      `export to ONNX: operation ${node.op} has no translation: ${reason}. Leave it out where a model is not in training.`,
    );
  };
