/** The table of all operations: exhaustive, so that the type checker names what is missing. */
import type { Operation, OperationName } from "../tensor.js";
import { broadcastOperation, sumOperation } from "./broadcast.js";
import { allReduceSumOperation } from "./collective.js";
import { conv2dInputOperation, conv2dKernelOperation, conv2dOperation } from "./convolution.js";
import { dotOperation } from "./dot.js";
import { elementwiseOperations } from "./elementwise.js";
import { scatterAddOperation, takeOperation } from "./indexing.js";
import { leafOperations } from "./leaves.js";
import {
  concatOperation,
  padOperation,
  reshapeOperation,
  sliceOperation,
  transposeOperation,
} from "./movement.js";
import {
  argmaxPool2dOperation,
  maxPool2dOperation,
  pickPool2dOperation,
  spreadPool2dOperation,
  sumPool2dOperation,
  unpool2dOperation,
} from "./pooling.js";
import { argmaxOperation, reduceMaxOperation, reduceMinOperation } from "./reduce.js";

export const operations: { readonly [N in OperationName]: Operation<N> } = {
  ...leafOperations,
  ...elementwiseOperations,
  allReduceSum: allReduceSumOperation,
  sum: sumOperation,
  reduceMax: reduceMaxOperation,
  reduceMin: reduceMinOperation,
  argmax: argmaxOperation,
  broadcast: broadcastOperation,
  reshape: reshapeOperation,
  transpose: transposeOperation,
  slice: sliceOperation,
  pad: padOperation,
  concat: concatOperation,
  dot: dotOperation,
  take: takeOperation,
  scatterAdd: scatterAddOperation,
  conv2d: conv2dOperation,
  conv2dInput: conv2dInputOperation,
  conv2dKernel: conv2dKernelOperation,
  maxPool2d: maxPool2dOperation,
  argmaxPool2d: argmaxPool2dOperation,
  unpool2d: unpool2dOperation,
  pickPool2d: pickPool2dOperation,
  sumPool2d: sumPool2dOperation,
  spreadPool2d: spreadPool2dOperation,
};

/** The record of one operation, for code that treats all operations alike. */
export const operationOf = (name: OperationName): Operation<OperationName> =>
  operations[name] as unknown as Operation<OperationName>;

export const isElementwise = (name: OperationName): name is keyof typeof elementwiseOperations =>
  name in elementwiseOperations;
