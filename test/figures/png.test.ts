/** PNG of small images: read back by another decoder. */
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodePng } from "../../src/figures/index.js";

describe("encodePng", () => {
  test.each([1, 3] as const)("an image of %i channels is read back pixel by pixel", async (channels) => {
    const pixels = Uint8Array.from({ length: 5 * 4 * channels }, (_, i) => (i * 37) % 256);
    const png = encodePng({ width: 5, height: 4, channels, pixels });
    const { data, info } = await sharp(png)
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([5, 4, channels]);
    expect([...data]).toEqual([...pixels]);
  });

  test("another count of bytes is refused", () => {
    expect(() => encodePng({ width: 2, height: 2, channels: 3, pixels: new Uint8Array(4) })).toThrow(
      "4 bytes for an image of 2 x 2 with 3 channels; expected 12.",
    );
  });
});
