/**
 * Residual networks for small images. He, Zhang, Ren, Sun: "Deep residual learning for image recognition", 2016,
 * section 4.2.
 */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { heNormal } from "../initializers/index.js";
import {
  activation,
  type BatchNormOptions,
  batchNorm,
  convolution,
  dense,
  globalAveragePool,
  type Layer,
  residual,
  sequential,
} from "../layers/index.js";
import type { Model } from "./model.js";

export interface ResnetOptions {
  /** Residual blocks at each of the three sizes; default 1 (8 layers). The paper has 3 to 18. */
  readonly blocks?: number;
  /** Filters at the first size, doubled at each following; default 16. */
  readonly width?: number;
  /** Of every batch normalisation: `{ synchronized: true }` for that of whole batches on several ranks. */
  readonly batchNorm?: BatchNormOptions;
}

/**
 * A convolution 3x3; three sizes of `blocks` residual blocks of two convolutions 3x3 each, with batch normalisation, the
 * second and third size begun with stride 2; the mean over the image; a dense layer. 6 blocks + 2 layers with weights.
 *
 * Differs from the paper's shortcuts without weights: where the size changes, ours is a 1 x 1 convolution (its option B).
 * @throws SlalomError "option" for unknown or impossible options
 * @example classificationProblem({ dataset, model: resnet({ blocks: 3 }) })
 */
export function resnet(options: ResnetOptions = {}): Model {
  checkKeys("resnet", options, ["blocks", "width", "batchNorm"]);
  const { blocks = 1, width = 16, batchNorm: normalisation } = options;
  if (![blocks, width].every((count) => Number.isInteger(count) && count >= 1)) {
    throw new SlalomError(
      "option",
      `resnet: received ${blocks} blocks of width ${width}; expected integers from 1.`,
    );
  }
  const normalised = (filters: number, kernel: number, stride: number): Layer[] => [
    convolution(filters, { kernel, stride, padding: "same", initializer: heNormal, bias: "none" }),
    batchNorm(normalisation),
  ];
  const block = (filters: number, stride: number): Layer[] => [
    residual(
      [...normalised(filters, 3, stride), activation("relu"), ...normalised(filters, 3, 1)],
      stride === 1 ? [] : normalised(filters, 1, stride),
    ),
    activation("relu"),
  ];
  const stages = [width, 2 * width, 4 * width].flatMap((filters, stage) =>
    Array.from({ length: blocks }, (_, i) => block(filters, stage > 0 && i === 0 ? 2 : 1)),
  );
  return {
    name: "resnet",
    title: `ResNet-${6 * blocks + 2}`,
    options: { blocks, width, ...(normalisation && { batchNorm: { ...normalisation } }) },
    takes: "images",
    build: (exampleShape, outputs) =>
      sequential([
        ...normalised(width, 3, 1),
        activation("relu"),
        ...stages.flat(),
        globalAveragePool(),
        dense(outputs),
      ]).build(exampleShape),
  };
}
