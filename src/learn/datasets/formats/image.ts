/** Image files as pixels, through sharp: PNG, JPEG, WebP, GIF (its first picture), TIFF and AVIF. */
import { SlalomError } from "../../../base/errors.js";

export interface ImageForm {
  /** 3: red, green, blue. 1: grey, by luminance where the file has colours. */
  readonly channels: 1 | 3;
  /** Pixels of the result; the file's own without it. */
  readonly size?: { readonly height: number; readonly width: number };
  readonly fit: ImageFit;
}

/**
 * How another shape becomes the wanted one. "crop": scaled to cover it, the rest cut off on both sides. "pad": scaled
 * to fit into it, the rest black. "stretch": each axis by itself.
 */
export type ImageFit = keyof typeof fits;

export interface Image {
  readonly height: number;
  readonly width: number;
  /** [height, width, channels], 0 to 255. */
  readonly pixels: Uint8Array;
}

/** Endings of the files that can be read, in small letters. */
export const imageEndings: readonly string[] = [
  ...["png", "jpg", "jpeg", "webp", "gif", "tif", "tiff", "avif"],
];

/**
 * The image as it is meant to be looked at: turned as its EXIF data say, in sRGB, transparency over black. Sixteen
 * bits are cut to eight. Throws "data" naming the file and the reason where it can't be decoded whole.
 */
export async function readImage(file: string, { channels, size, fit }: ImageForm): Promise<Image> {
  const { default: sharp } = await import("sharp"); // loaded by whoever reads images, not by every study
  try {
    const upright = sharp(file).autoOrient().flatten({ background: "black" });
    const sized =
      size === undefined ? upright : upright.resize({ ...size, fit: fits[fit], background: "black" });
    const { data, info } = await sized
      .toColourspace(channels === 1 ? "b-w" : "srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { height: info.height, width: info.width, pixels: data };
  } catch (cause) {
    const [said] = (cause as Error).message.split("\n");
    // The decoder's own words may be lost where others decode at the same time.
    const reason = said.includes("failOn") ? "its data are damaged or end early" : said;
    throw new SlalomError(
      "data",
      `cannot read image "${file}": ${reason}. Expected a whole PNG, JPEG, WebP, GIF, TIFF or AVIF. Replace or remove it.`,
      { cause },
    );
  }
}

export const fits = { crop: "cover", pad: "contain", stretch: "fill" } as const;
