/** Examples as one axis, for models that take vectors. */
import { allocate } from "../../base/dtype.js";
import { type HostTensor, type Shape, sizeOf } from "../../base/shape.js";
import type { Dataset, Factor, Split } from "./dataset.js";

/** The data set with examples of one axis; raw inputs share memory with the given ones. */
export function flattenExamples(dataset: Dataset): Dataset {
  const { exampleShape, scale, offset, train, validation, test } = dataset;
  const size = sizeOf(exampleShape);
  const flat = (split: Split): Split => ({
    ...split,
    inputs: { ...split.inputs, shape: [split.count, size] },
  });
  return {
    ...dataset,
    exampleShape: [size],
    scale: flatFactor(scale, exampleShape),
    offset: flatFactor(offset, exampleShape),
    train: flat(train),
    validation: validation && flat(validation),
    test: test && flat(test),
  };
}

/** One value for each element: what an axis lacks is repeated. */
function flatFactor(factor: Factor, exampleShape: Shape): Factor {
  if (typeof factor === "number") return factor;
  const { dtype, data } = factor as HostTensor;
  const values = allocate(dtype, sizeOf(exampleShape));
  for (let start = 0; start < values.length; start += data.length) values.set(data, start);
  return { shape: [values.length], dtype, data: values };
}
