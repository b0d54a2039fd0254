/** Images read between their pixels: bilinear interpolation, zeros outside. */
import {
  add,
  broadcastTo,
  cast,
  clip,
  floor,
  iota,
  mul,
  pad,
  reshape,
  sub,
  type Tensor,
  take,
} from "../../graph/index.js";

/**
 * The images at given places: weights of the four neighbours fall linearly with the distance; outside lies 0.
 * @param images [batch, height, width, channels]
 * @param rows [batch, height, width], in pixels from the centre of the first row; of the images' dtype
 * @param columns as `rows`, from the first column
 */
export function sampleBilinear(images: Tensor, rows: Tensor, columns: Tensor): Tensor {
  const [batch, height, width, channels] = images.shape;
  // One row of zeros before and two behind: every clipped place has its four neighbours.
  const padded = pad(images, [
    [0, 0],
    [1, 2],
    [1, 2],
    [0, 0],
  ]);
  const stride = width + 3;
  const pixels = reshape(padded, [batch * (height + 3) * stride, channels]);
  const row = clip(rows, -1, height);
  const column = clip(columns, -1, width);
  const [above, left] = [floor(row), floor(column)];
  const [below, right] = [sub(row, above), sub(column, left)].map((share) =>
    reshape(share, [...share.shape, 1]),
  );
  const place = add(
    add(mul(cast(above, "int32"), stride), cast(left, "int32")),
    add(mul(iota([batch, height, width], 0), (height + 3) * stride), stride + 1),
  );
  const at = (offset: number): Tensor => take(pixels, add(place, offset));
  const between = (a: Tensor, b: Tensor, share: Tensor): Tensor =>
    add(a, mul(sub(b, a), broadcastTo(share, a.shape)));
  return between(between(at(0), at(1), right), between(at(stride), at(stride + 1), right), below);
}
