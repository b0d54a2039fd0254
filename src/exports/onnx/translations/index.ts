/** The table of all translations: exhaustive, so that the type checker names what is missing. */
import type { OperationName } from "../../../graph/index.js";
import { elementwiseTranslations } from "./elementwise.js";
import {
  constantTranslation,
  fullTranslation,
  iotaTranslation,
  rankTranslation,
  variableTranslation,
} from "./leaves.js";
import {
  broadcastTranslation,
  concatTranslation,
  padTranslation,
  reshapeTranslation,
  sliceTranslation,
  takeTranslation,
  transposeTranslation,
} from "./movement.js";
import { dotTranslation } from "./products.js";
import { argmaxTranslation, reductionTranslation } from "./reductions.js";
import { outsideInference, type Translation } from "./translation.js";
import {
  conv2dInputTranslation,
  conv2dTranslation,
  maxPool2dTranslation,
  sumPool2dTranslation,
} from "./windows.js";

const gradient = outsideInference("it belongs to gradients");

export const translations: { readonly [N in OperationName]: Translation<N> } = {
  ...elementwiseTranslations,
  variable: variableTranslation,
  constant: constantTranslation,
  full: fullTranslation,
  iota: iotaTranslation,
  rank: rankTranslation,
  allReduceSum: outsideInference("it belongs to ranks of one training"),
  sum: reductionTranslation("ReduceSum"),
  reduceMax: reductionTranslation("ReduceMax"),
  reduceMin: reductionTranslation("ReduceMin"),
  argmax: argmaxTranslation,
  broadcast: broadcastTranslation,
  reshape: reshapeTranslation,
  transpose: transposeTranslation,
  slice: sliceTranslation,
  pad: padTranslation,
  concat: concatTranslation,
  dot: dotTranslation,
  take: takeTranslation,
  scatterAdd: gradient,
  conv2d: conv2dTranslation,
  conv2dInput: conv2dInputTranslation,
  conv2dKernel: gradient,
  maxPool2d: maxPool2dTranslation,
  argmaxPool2d: gradient,
  unpool2d: gradient,
  pickPool2d: gradient,
  sumPool2d: sumPool2dTranslation,
  spreadPool2d: gradient,
};

/** The translation of one operation, for code that treats all alike. */
export const translationOf = (name: OperationName): Translation<OperationName> =>
  translations[name] as unknown as Translation<OperationName>;
