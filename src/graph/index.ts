/** Symbolic tensors: what a graph is made of, and the functions that make one. */
export type { DType, TypedArray } from "../base/dtype.js";
export type { HostTensor, Shape, TensorType } from "../base/shape.js";
export * from "./convolution.js";
export { evaluate } from "./evaluate.js";
export * from "./functions.js";
export { allReduceSum } from "./operations/collective.js";
export {
  constant,
  constantArray,
  full,
  fullLike,
  iota,
  ones,
  rank,
  variable,
  zeros,
} from "./operations/leaves.js";
export { formatGraph } from "./print.js";
export * from "./random.js";
export type { Batched, ElementwiseName, Node, OperationName, Tensor } from "./tensor.js";
export { rewrite, substitute, topologicalOrder } from "./traverse.js";
export { verify } from "./verify.js";
