/** Shift, rotation and scale of images, alone or as one transformation that samples the image once. */
import { checkKeys } from "../../base/errors.js";
import {
  add,
  cast,
  cos,
  div,
  iota,
  mul,
  type RandomKey,
  randomUniform,
  reshape,
  sin,
  sub,
  type Tensor,
} from "../../graph/index.js";
import { partKey } from "../layers/layer.js";
import { type Augmentation, requireBetween } from "./augmentation.js";
import { sampleBilinear } from "./sampling.js";

export interface AffineOptions {
  /** The most pixels by which an image moves along each axis; default 0. */
  readonly shift?: number;
  /** The largest angle in degrees, either way; default 0. */
  readonly rotation?: number;
  /** The largest change of size, as a share: 0.1 draws factors from 0.9 to 1.1; default 0. */
  readonly scale?: number;
}

/**
 * Every image is scaled and rotated about its centre, then shifted: each amount uniform within its bounds.
 *
 * Pixels are interpolated bilinearly; what comes from outside is 0. One sampling does all three, so it is cheaper and
 * blurs less than `rotation` followed by `shift`.
 * @throws SlalomError "option" for amounts that are negative, angles above 180, scales from 1
 * @example affine({ shift: 2, rotation: 10, scale: 0.1 })
 */
export function affine(options: AffineOptions): Augmentation {
  checkKeys("affine", options, ["shift", "rotation", "scale"]);
  const { shift: pixels = 0, rotation: degrees = 0, scale = 0 } = options;
  requireBetween("affine, shift in pixels", pixels, 0, 1e6);
  requireBetween("affine, rotation in degrees", degrees, 0, 180);
  requireBetween("affine, scale", scale, 0, 0.99);
  return {
    name: "affine",
    options: { shift: pixels, rotation: degrees, scale },
    apply(images, key, first) {
      const draw = (n: number, bound: number): Tensor => symmetric(partKey(key, n), images, bound, first);
      return transformImages(images, {
        rows: draw(0, pixels),
        columns: draw(1, pixels),
        angle: draw(2, (degrees * Math.PI) / 180),
        size: add(draw(3, scale), 1),
      });
    },
  };
}

/**
 * Every image moved by up to `pixels` along each axis.
 * @example shift(2)
 */
export const shift = (pixels: number): Augmentation => affine({ shift: pixels });

/**
 * Every image turned by up to `degrees`, either way, about its centre.
 * @example rotation(10)
 */
export const rotation = (degrees: number): Augmentation => affine({ rotation: degrees });

/**
 * Every image made larger or smaller by up to a share, about its centre.
 * @example scaling(0.1)
 */
export const scaling = (share: number): Augmentation => affine({ scale: share });

/** One number an image, [batch], of the images' dtype. */
export interface Transformation {
  /** Pixels downward. */
  readonly rows: Tensor;
  /** Pixels to the right. */
  readonly columns: Tensor;
  /** Radians, counter-clockwise as the image is seen. */
  readonly angle: Tensor;
  /** Factor above 0. */
  readonly size: Tensor;
}

/** The images [batch, height, width, channels], scaled and rotated about their centres, then shifted. */
export function transformImages(images: Tensor, { rows, columns, angle, size }: Transformation): Tensor {
  const [batch, height, width] = images.shape;
  const ofImage = (values: Tensor): Tensor => reshape(values, [batch, 1, 1]);
  const places = (axis: number, centre: number): Tensor =>
    sub(cast(iota([1, height, width], axis), images.dtype), centre);
  const [middleRow, middleColumn] = [(height - 1) / 2, (width - 1) / 2];
  // Where each pixel of the result comes from: the inverse of the transformation.
  const row = sub(places(1, middleRow), ofImage(rows));
  const column = sub(places(2, middleColumn), ofImage(columns));
  const cosine = ofImage(div(cos(angle), size));
  const sine = ofImage(div(sin(angle), size));
  return sampleBilinear(
    images,
    add(add(mul(cosine, row), mul(sine, column)), middleRow),
    add(sub(mul(cosine, column), mul(sine, row)), middleColumn),
  );
}

/** [batch], uniform within the bound on both sides of 0. */
function symmetric(key: RandomKey, images: Tensor, bound: number, first: Tensor | undefined): Tensor {
  const uniform = cast(randomUniform(key, [images.shape[0]], first), images.dtype);
  return mul(sub(uniform, 0.5), 2 * bound);
}
