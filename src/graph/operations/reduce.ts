/** Reductions that pick: greatest, least, and where the greatest is. The sum is in `broadcast.ts`. */
import { SlalomError } from "../../base/errors.js";
import { formatType, sizeOf } from "../../base/shape.js";
import type { Node, Operation, Tensor } from "../tensor.js";
import { batchReduction, broadcastAlong, reduceStrided, sumOver } from "./broadcast.js";
import { type DefinedOperation, defineOperation } from "./define.js";
import { cast, div, equal, mul } from "./elementwise.js";

type Extremum = "reduceMax" | "reduceMin";

const extremum = <N extends Extremum>(
  name: N,
  combine: (a: number, b: number) => number,
  initial: number,
) => {
  const record: Operation<Extremum> = {
    infer: ([x], { axes }) => {
      if (axes.some((axis) => x.shape[axis] === 0))
        throw new SlalomError("shape", `${name}: no elements along axes [${axes}] of ${formatType(x)}.`);
      return { shape: x.shape.filter((_, axis) => !axes.includes(axis)), dtype: x.dtype };
    },
    gradient: (node, g) => [sharedAmongTies(node as unknown as Node<Extremum>, g)],
    batch: ({ attributes: { axes } }, [x]) =>
      batchReduction(x, axes, (tensor, shifted) => operations()[name].apply([tensor], { axes: shifted })),
    evaluate: ([x], { axes }, output) => reduceStrided(x, axes, output, combine, initial),
  };
  return defineOperation(name, record as unknown as Operation<N>);
};

/** The gradient goes to the elements that equal the extremum, in equal shares. */
function sharedAmongTies(node: Node<Extremum>, g: Tensor): Tensor {
  const [x] = node.inputs;
  const { axes } = node.attributes;
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const y = node as unknown as Tensor;
  const mask = cast(equal(x, broadcastAlong(y, x.shape, kept)), x.dtype);
  return mul(mask, broadcastAlong(div(g, sumOver(mask, axes)), x.shape, kept));
}

export const reduceMaxOperation = extremum("reduceMax", Math.max, -Infinity);
export const reduceMinOperation = extremum("reduceMin", Math.min, Infinity);
const operations = () => ({ reduceMax: reduceMaxOperation, reduceMin: reduceMinOperation });

/** The first index of the greatest element along `axis`; a NaN counts as greatest. */
export const argmaxOperation: DefinedOperation<"argmax"> = defineOperation("argmax", {
  infer: ([x], { axis }) => {
    if (x.shape[axis] === 0)
      throw new SlalomError("shape", `argmax: no elements along axis ${axis} of ${formatType(x)}.`);
    return { shape: x.shape.toSpliced(axis, 1), dtype: "int32" };
  },
  gradient: () => [undefined],
  batch: ({ attributes: { axis } }, [x]) => {
    const shifted = axis >= x.axis! ? axis + 1 : axis;
    return {
      tensor: argmaxOperation.apply([x.tensor], { axis: shifted }),
      axis: shifted < x.axis! ? x.axis! - 1 : x.axis,
    };
  },
  evaluate: ([x], { axis }, output) => {
    const data = new Int32Array(sizeOf(output.shape));
    const stride = sizeOf(x.shape.slice(axis + 1));
    const extent = x.shape[axis];
    for (let i = 0; i < data.length; i++) {
      const base = Math.floor(i / stride) * stride * extent + (i % stride);
      for (let k = 1; k < extent; k++) {
        const best = x.data[base + data[i] * stride];
        const value = x.data[base + k * stride];
        if (value > best || (Number.isNaN(value) && !Number.isNaN(best))) data[i] = k;
      }
    }
    return data;
  },
});
