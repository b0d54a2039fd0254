/** The stages of a loop kernel. */
import { sizeOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { LoopKernel } from "../../../compile/plan.js";
import { emitElements } from "./elements.js";
import { mergedNest } from "./nest.js";
import type { Memory, Stage } from "./part.js";
import { emitReductions } from "./reductions.js";

/** None where there is nothing to do. */
export function emitLoop(kernel: LoopKernel, memory: Memory): Stage[] {
  const nest = mergedNest(kernel);
  if (nest.reductions.length > 0) return emitReductions(nest, memory);
  return sizeOf(nest.extents) === 0 ? [] : [{ parts: [emitElements(nest, memory)], ...kernelEffects(nest) }];
}
