/** What operations have in common that sum products of two operands. */
import { roundedToBfloat16 } from "../../base/bfloat16.js";
import type { HostTensor } from "../../base/shape.js";
import type { ProductAttributes } from "../tensor.js";

/** The operand as it is multiplied. */
export const roundedOperand = (operand: HostTensor, { precision }: ProductAttributes): HostTensor =>
  precision === undefined || operand.dtype !== "float32"
    ? operand
    : { ...operand, data: roundedToBfloat16(Float32Array.from(operand.data)) };
