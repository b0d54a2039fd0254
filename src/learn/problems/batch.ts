/** Batches as problems expect them, from the raw examples that a data set holds. */
import { allocate } from "../../base/dtype.js";
import { add, cast, constantArray, mul, type Operand, type Tensor } from "../../graph/index.js";
import type { Dataset, Factor } from "../datasets/dataset.js";
import type { Batch } from "./problem.js";

/** Inputs as floats, raw * scale + offset; class indices as they are, other targets as floats of the same dtype. */
export function preparedBatch(
  { scale, offset, classes }: Dataset,
  inputs: Tensor,
  targets: Tensor,
  dtype: "float32" | "float64",
): Batch {
  const floats = cast(inputs, dtype);
  const scaled = scale === 1 ? floats : mul(floats, operand(scale, dtype));
  return {
    inputs: offset === 0 ? scaled : add(scaled, operand(offset, dtype)),
    targets: classes === undefined ? cast(targets, dtype) : targets,
  };
}

function operand(factor: Factor, dtype: "float32" | "float64"): Operand {
  if (typeof factor === "number") return factor;
  const values = allocate(dtype, factor.data.length);
  values.set(factor.data);
  return constantArray(values, factor.shape, dtype);
}
