/**
 * Pooling over windows of images, channels last: x [N, H, W, C] to y [N, OH, OW, C]. Padding never counts: a maximum
 * and a sum are over the elements that exist.
 *
 * The greatest element is found once, as its place in the window (uint8); the gradient puts there what comes back.
 */
import { allocate, isFloat } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { formatType, type HostTensor, type Shape, sizeOf, type TensorType } from "../../base/shape.js";
import type { Batched, Node, PoolAttributes, Tensor } from "../tensor.js";
import { type DefinedOperation, defineOperation } from "./define.js";
import { alignAxis, reshapeTo } from "./movement.js";
import { formatWindow, isWindow, outputExtents } from "./window.js";

export const maxPool2dOperation: DefinedOperation<"maxPool2d"> = defineOperation("maxPool2d", {
  infer: ([x], attributes) => ({ shape: pooledShape("maxPool2d", x, attributes), dtype: x.dtype }),
  gradient: ({ inputs: [x], attributes }, g) => [
    unpool(g, argmaxPool2dOperation.apply([x], attributes), attributes, x.shape),
  ],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => maxPool2dOperation.apply(operands, node.attributes)),
  evaluate: ([x], attributes, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape));
    forEachWindow(x.shape, output.shape, attributes, (at, elements) => {
      data[at] = x.data[elements[greatest(x, elements)].position];
    });
    return data;
  },
});

export const argmaxPool2dOperation: DefinedOperation<"argmaxPool2d"> = defineOperation("argmaxPool2d", {
  infer: ([x], attributes) => {
    if (attributes.size[0] * attributes.size[1] > mostTaps)
      throw new SlalomError(
        "shape",
        `argmaxPool2d: a window of ${attributes.size.join("x")}; expected at most ${mostTaps} elements. Take a reduction over the whole image?`,
      );
    return { shape: pooledShape("argmaxPool2d", x, attributes), dtype: "uint8" };
  },
  gradient: () => [undefined],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => argmaxPool2dOperation.apply(operands, node.attributes)),
  evaluate: ([x], attributes, output) => {
    const data = allocate("uint8", sizeOf(output.shape));
    forEachWindow(x.shape, output.shape, attributes, (at, elements) => {
      data[at] = elements[greatest(x, elements)].tap;
    });
    return data;
  },
});

export const unpool2dOperation: DefinedOperation<"unpool2d"> = defineOperation("unpool2d", {
  infer: ([values, index], attributes) => {
    checkIndex("unpool2d", values, index);
    return { shape: unpooledShape("unpool2d", values, attributes), dtype: values.dtype };
  },
  gradient: ({ inputs: [, index], attributes: { input: _, ...attributes } }, g) => [
    pickPool2dOperation.apply([g, index], attributes),
    undefined,
  ],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => unpool2dOperation.apply(operands, node.attributes)),
  evaluate: ([values, index], attributes, output) => {
    const totals = new Float64Array(sizeOf(output.shape));
    forEachWindow(output.shape, values.shape, attributes, (at, elements) => {
      const named = elements.find(({ tap }) => tap === index.data[at]);
      if (named) totals[named.position] += values.data[at];
    });
    const data = allocate(output.dtype, totals.length);
    data.set(totals);
    return data;
  },
});

export const pickPool2dOperation: DefinedOperation<"pickPool2d"> = defineOperation("pickPool2d", {
  infer: ([x, index], attributes) => {
    const shape = pooledShape("pickPool2d", x, attributes);
    checkIndex("pickPool2d", { shape, dtype: x.dtype }, index);
    return { shape, dtype: x.dtype };
  },
  gradient: ({ inputs: [x, index], attributes }, g) => [unpool(g, index, attributes, x.shape), undefined],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => pickPool2dOperation.apply(operands, node.attributes)),
  evaluate: ([x, index], attributes, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape));
    forEachWindow(x.shape, output.shape, attributes, (at, elements) => {
      const named = elements.find(({ tap }) => tap === index.data[at]);
      data[at] = named ? x.data[named.position] : 0;
    });
    return data;
  },
});

export const sumPool2dOperation: DefinedOperation<"sumPool2d"> = defineOperation("sumPool2d", {
  infer: ([x], attributes) => ({ shape: pooledShape("sumPool2d", x, attributes), dtype: x.dtype }),
  gradient: ({ inputs: [x], attributes }, g) => [
    spreadPool2dOperation.apply([g], { ...attributes, input: [x.shape[1], x.shape[2]] }),
  ],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => sumPool2dOperation.apply(operands, node.attributes)),
  evaluate: ([x], attributes, output) => {
    const data = allocate(output.dtype, sizeOf(output.shape));
    forEachWindow(x.shape, output.shape, attributes, (at, elements) => {
      data[at] = elements.reduce((sum, { position }) => sum + x.data[position], 0);
    });
    return data;
  },
});

export const spreadPool2dOperation: DefinedOperation<"spreadPool2d"> = defineOperation("spreadPool2d", {
  infer: ([values], attributes) => ({
    shape: unpooledShape("spreadPool2d", values, attributes),
    dtype: values.dtype,
  }),
  gradient: ({ attributes: { input: _, ...attributes } }, g) => [sumPool2dOperation.apply([g], attributes)],
  batch: (node, inputs) =>
    asMoreImages(inputs, (operands) => spreadPool2dOperation.apply(operands, node.attributes)),
  evaluate: ([values], attributes, output) => {
    const totals = new Float64Array(sizeOf(output.shape));
    forEachWindow(output.shape, values.shape, attributes, (at, elements) => {
      for (const { position } of elements) totals[position] += values.data[at];
    });
    const data = allocate(output.dtype, totals.length);
    data.set(totals);
    return data;
  },
});

/** An index into a window is one byte. */
const mostTaps = 256;

const unpool = (g: Tensor, index: Tensor, attributes: PoolAttributes, input: Shape): Tensor =>
  unpool2dOperation.apply([g, index], { ...attributes, input: [input[1], input[2]] });

function pooledShape(name: string, x: TensorType, attributes: PoolAttributes): Shape {
  const { size, padding } = attributes;
  const positions: Shape =
    x.shape.length === 4 ? outputExtents([x.shape[1], x.shape[2]], size, attributes) : [0, 0];
  const sound =
    isFloat(x.dtype) &&
    isWindow(attributes) &&
    positions.every((count) => count >= 1) &&
    x.shape.every((extent) => extent >= 1) &&
    // Every window then holds an element that exists.
    padding.every((widths, axis) => widths.every((width) => width < size[axis]));
  if (sound) return [x.shape[0], ...positions, x.shape[3]];
  throw new SlalomError(
    "shape",
    `${name}: ${formatType(x)}, window ${size.join("x")}, ${formatWindow(attributes)}; expected float images [N, H, W, C], a window that fits into them and padding narrower than the window.`,
  );
}

function unpooledShape(
  name: string,
  values: TensorType,
  attributes: PoolAttributes & { readonly input: readonly [number, number] },
): Shape {
  const [images, height, width, channels] = values.shape;
  const shape = [images, ...attributes.input, channels];
  const pooled =
    values.shape.length === 4 ? pooledShape(name, { shape, dtype: values.dtype }, attributes) : [];
  if (pooled[1] === height && pooled[2] === width) return shape;
  throw new SlalomError(
    "shape",
    `${name}: ${formatType(values)} for images of ${attributes.input.join("x")}; expected [N, ${pooled.slice(1, 3).join(", ")}, C], one value for each position of the window.`,
  );
}

function checkIndex(name: string, values: TensorType, index: TensorType): void {
  if (index.dtype === "uint8" && index.shape.join() === values.shape.join()) return;
  throw new SlalomError(
    "shape",
    `${name}: index ${formatType(index)} for ${formatType(values)}; expected u8 of the same shape, as argmaxPool2d gives it.`,
  );
}

/** Lanes are more images. */
function asMoreImages(inputs: readonly Batched[], apply: (operands: readonly Tensor[]) => Tensor): Batched {
  const { tensor, axis } = inputs.find((input) => input.axis !== undefined)!;
  const lanes = tensor.shape[axis!];
  const joined = apply(
    inputs.map((input) => {
      const outside = alignAxis(input, 0, lanes);
      return reshapeTo(outside, [lanes * outside.shape[1], ...outside.shape.slice(2)]);
    }),
  );
  return { tensor: reshapeTo(joined, [lanes, joined.shape[0] / lanes, ...joined.shape.slice(1)]), axis: 0 };
}

/** An element of a window: its place in the window and in the images. */
interface WindowElement {
  readonly tap: number;
  readonly position: number;
}

/** Which of a window's elements is greatest: the first of equals, the first that is no number before all. */
function greatest(x: HostTensor, elements: readonly WindowElement[]): number {
  let best = 0;
  for (let i = 0; i < elements.length; i++) {
    const value = x.data[elements[i].position];
    if (Number.isNaN(value)) return i;
    if (value > x.data[elements[best].position]) best = i;
  }
  return best;
}

/** Every position of the window in images of shape `input`, with the elements that it covers there. */
function forEachWindow(
  input: Shape,
  output: Shape,
  { size, stride, padding }: PoolAttributes,
  visit: (at: number, elements: readonly WindowElement[]) => void,
): void {
  const [, height, width, channels] = input;
  const [images, rows, columns] = output;
  const elementsAt = (image: number, row: number, column: number, channel: number): WindowElement[] => {
    const elements: WindowElement[] = [];
    for (let i = 0; i < size[0]; i++) {
      for (let j = 0; j < size[1]; j++) {
        const y = row * stride[0] - padding[0][0] + i;
        const x = column * stride[1] - padding[1][0] + j;
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        elements.push({
          tap: i * size[1] + j,
          position: ((image * height + y) * width + x) * channels + channel,
        });
      }
    }
    return elements;
  };
  let at = 0;
  for (let image = 0; image < images; image++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        for (let channel = 0; channel < channels; channel++)
          visit(at++, elementsAt(image, row, column, channel));
}

export type PoolName =
  | "maxPool2d"
  | "argmaxPool2d"
  | "unpool2d"
  | "pickPool2d"
  | "sumPool2d"
  | "spreadPool2d";

/** The shapes of a pooling node: its images and its windows' values, whichever of them is computed. */
export function poolShapes(node: Node<PoolName>): { images: Shape; pooled: Shape } {
  const [first] = node.inputs;
  return node.op === "unpool2d" || node.op === "spreadPool2d"
    ? { images: node.shape, pooled: first.shape }
    : { images: first.shape, pooled: node.shape };
}
