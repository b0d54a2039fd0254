/** Geometry of a window that slides over images: what convolutions and pooling share. */
import type { Pair, WindowAttributes } from "../tensor.js";

/** Positions of a window of `size` taps, `dilation` apart, along a padded axis; none or less: it does not fit. */
export const windowPositions = (
  extent: number,
  size: number,
  { stride, padding: [low, high], dilation = 1 }: { stride: number; padding: Pair; dilation?: number },
): number => Math.floor((extent + low + high - dilation * (size - 1) - 1) / stride) + 1;

/** Rows and columns of positions of a window over images of `input` rows and columns. */
export const outputExtents = (
  input: Pair,
  size: Pair,
  { stride, padding, dilation = [1, 1] }: WindowAttributes & { readonly dilation?: Pair },
): Pair => {
  const along = (axis: 0 | 1) =>
    windowPositions(input[axis], size[axis], {
      stride: stride[axis],
      padding: padding[axis],
      dilation: dilation[axis],
    });
  return [along(0), along(1)];
};

/** Whether every number of the attributes is one that a window can have. */
export const isWindow = ({
  stride,
  padding,
  dilation = [1, 1],
}: WindowAttributes & { readonly dilation?: Pair }): boolean =>
  [...stride, ...dilation].every((step) => Number.isInteger(step) && step >= 1) &&
  padding.flat().every((width) => Number.isInteger(width) && width >= 0);

/** The window as error messages show it: "stride 2,2, padding 1,1/0,0". */
export const formatWindow = ({ stride, padding }: WindowAttributes): string =>
  `stride ${stride}, padding ${padding[0]}/${padding[1]}`;
