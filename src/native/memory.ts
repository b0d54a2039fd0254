/** Memory with a fixed address, for what C functions read and write through pointers. */
import type { NativeLibrary } from "./library.js";

/** Arrays of fewer bytes may move. */
const leastBytes = 128;

/** Keeps what it gives alive as long as it lives itself. */
export class NativeMemory {
  private readonly kept: Uint8Array[] = [];

  constructor(private readonly library: Pick<NativeLibrary, "addressOfBytes">) {}

  /** Zeroed bytes, of which a view may be made; aligned to 8. */
  bytes(count: number): { readonly buffer: ArrayBuffer; readonly address: bigint } {
    const bytes = new Uint8Array(new ArrayBuffer(Math.max(leastBytes, Math.ceil(count / 8) * 8)));
    this.kept.push(bytes);
    return { buffer: bytes.buffer, address: this.library.addressOfBytes(bytes) };
  }

  /** Address of the text, ended by a zero byte. */
  text(text: string): bigint {
    const encoded = new TextEncoder().encode(text);
    const { buffer, address } = this.bytes(encoded.length + 1);
    new Uint8Array(buffer).set(encoded);
    return address;
  }

  /** Address of words of 64 bits: addresses, sizes. */
  words(values: readonly bigint[]): bigint {
    const { buffer, address } = this.bytes(8 * values.length);
    new BigUint64Array(buffer).set(values);
    return address;
  }
}
