/** How an operation's record becomes a function that builds nodes. */
import type { Operation, OperationAttributes, OperationName, Tensor } from "../tensor.js";

export interface DefinedOperation<N extends OperationName> extends Operation<N> {
  readonly name: N;
  /** A new node; throws where shapes or dtypes do not fit. */
  apply(inputs: readonly Tensor[], attributes: OperationAttributes[N]): Tensor;
}

export function defineOperation<N extends OperationName>(name: N, record: Operation<N>): DefinedOperation<N> {
  return {
    ...record,
    name,
    apply: (inputs, attributes) =>
      ({ op: name, inputs, attributes, ...record.infer(inputs, attributes) }) as unknown as Tensor,
  };
}
