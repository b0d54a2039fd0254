/**
 * The sum over ranks: copies of one program that run side by side on different examples. Each knows its number
 * (`rank`); what runs alone is rank 0 of one.
 */
import { isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType } from "../../base/shape.js";
import type { Tensor } from "../tensor.js";
import { type DefinedOperation, defineOperation } from "./define.js";

export const allReduceSumOperation: DefinedOperation<"allReduceSum"> = defineOperation("allReduceSum", {
  infer: ([x]) => {
    if (isFloat(x.dtype)) return { shape: x.shape, dtype: x.dtype };
    throw new SlalomError(
      "shape",
      `allReduceSum: received ${formatType(x)}; expected f32 or f64. Cast it first?`,
    );
  },
  gradient: (_node, g) => [allReduceSumOperation.apply([g], {})],
  batch: (_node, [{ tensor, axis }]) => ({ tensor: allReduceSumOperation.apply([tensor], {}), axis }),
  evaluate: ([x]) => x.data,
});

/**
 * The sum over all ranks of what each computes for `x`, in the order of their numbers: the same on every rank, bit for
 * bit. For one rank it is `x`.
 *
 * Its gradient is that of the sum over ranks of their losses, once a rank has summed its part over all of them: to
 * differentiate a loss that is spread over ranks, differentiate each rank's part and sum the gradients.
 * @param x float, of one shape on all ranks
 * @throws SlalomError "shape" for another dtype
 */
export const allReduceSum = (x: Tensor): Tensor => allReduceSumOperation.apply([x], {});
