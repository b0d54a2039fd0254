/** Small images as PNG, so that an SVG can hold them. PNG specification, third edition, W3C 2025. */
import { deflateSync } from "node:zlib";
import { SlalomError } from "../base/errors.js";

/** Pixels row by row from the top, channels last: 1 (grey) or 3 (red, green, blue) bytes each. */
export interface PixelImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** The image as a PNG file. Throws a data error where the count of bytes is another than the image has. */
export function encodePng({ width, height, channels, pixels }: PixelImage): Uint8Array {
  if (pixels.length !== width * height * channels) {
    throw new SlalomError(
      "data",
      `encodePng: ${pixels.length} bytes for an image of ${width} x ${height} with ${channels} channel${channels === 1 ? "" : "s"}; expected ${width * height * channels}.`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits a sample; colour type 0 is grey, 2 is colour.
  header.set([8, channels === 1 ? 0 : 2, 0, 0, 0], 8);
  // Each row begins with the number of its filter: 0, none.
  const row = width * channels;
  const rows = new Uint8Array(height * (row + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** The image as a link that holds it, for `<image href>`. */
export const dataUri = (image: PixelImage): string =>
  `data:image/png;base64,${Buffer.from(encodePng(image)).toString("base64")}`;

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Length, name, data, checksum of name and data. */
function chunk(name: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(Buffer.from(name, "latin1"), 4);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc32(bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** The checksum of the specification's annex D, bit by bit: the images are small. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
