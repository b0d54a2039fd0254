/**
 * TFRecord, the framing of event files: the length of each record, its check sum, the record, its check sum; all
 * little-endian. https://www.tensorflow.org/tutorials/load_data/tfrecord
 */
import { crc32c } from "./crc32c.js";

/** A record as it stands in a file. */
export function framed(record: Uint8Array): Uint8Array {
  const frame = new Uint8Array(8 + 4 + record.length + 4);
  const view = new DataView(frame.buffer);
  view.setBigUint64(0, BigInt(record.length), true);
  view.setUint32(8, masked(crc32c(frame.subarray(0, 8))), true);
  frame.set(record, 12);
  view.setUint32(12 + record.length, masked(crc32c(record)), true);
  return frame;
}

/** A check sum of data that hold check sums themselves is of little use unless these look different. */
const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
