/** A C library of functions in TypeScript, called by prototypes as koffi would; pointers are addresses in its memory. */
import type { NativeFunction, NativeLibrary } from "../../../src/native/library.js";

export type CArgument = number | bigint | string;

/** Called with what the prototype names; a missing result is 0. */
export type CFunction = (...args: CArgument[]) => number | bigint | string | undefined;

export class FakeLibrary implements NativeLibrary {
  private readonly memory: { readonly address: bigint; readonly bytes: Uint8Array }[] = [];
  private nextAddress = 0x1000n;
  private readonly functions: Readonly<Record<string, CFunction>>;

  /** @param functions by name; what the library lacks is absent */
  constructor(
    readonly path: string,
    functions: (library: FakeLibrary) => Readonly<Record<string, CFunction>>,
  ) {
    this.functions = functions(this);
  }

  func(prototype: string): NativeFunction {
    const [, name, parameters] = /^\w+ (\w+)\((.*)\)$/.exec(prototype)!;
    const run = this.functions[name];
    if (run === undefined) throw new Error(`Cannot find function '${name}' in shared library`);
    const count = parameters === "" ? 0 : parameters.split(",").length;
    return (...args) => {
      if (args.length !== count)
        throw new Error(`${name} was called with ${args.length} arguments, not ${count}`);
      return run(...(args as CArgument[])) ?? 0;
    };
  }

  optional(prototype: string): NativeFunction | undefined {
    return this.functions[/ (\w+)\(/.exec(prototype)![1]] && this.func(prototype);
  }

  structure(): void {}

  symbol(): bigint | undefined {
    return undefined;
  }

  readInts(): Int32Array {
    throw new Error("no pointer of this library is read so");
  }

  readText(address: bigint): string {
    const view = this.view(address);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  addressOf(): number {
    throw new Error("no memory of this library is WebAssembly's");
  }

  addressOfBytes(view: ArrayBufferView): bigint {
    if (view.byteLength <= 64) throw new Error("so few bytes may move");
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const known = this.memory.find(
      (one) => one.bytes.buffer === bytes.buffer && one.bytes.byteOffset === bytes.byteOffset,
    );
    return known?.address ?? this.map(bytes);
  }

  /** The bytes from an address to the end of the memory that it lies in. */
  view(address: CArgument): DataView {
    const at = BigInt(address);
    const found = this.memory.find(
      ({ address: start, bytes }) => at >= start && at < start + BigInt(bytes.length),
    );
    if (!found) throw new Error(`${at} lies in no memory`);
    const skipped = Number(at - found.address);
    const { buffer, byteOffset, length } = found.bytes;
    return new DataView(buffer, byteOffset + skipped, length - skipped);
  }

  /** Text of the library's own. */
  text(text: string): bigint {
    return this.map(new TextEncoder().encode(`${text}\0`));
  }

  /** Bytes of the library's own: what a device would hold, for instance. */
  map(bytes: Uint8Array): bigint {
    const address = this.nextAddress;
    this.nextAddress += BigInt(Math.ceil((bytes.length + 1) / 4096) * 4096);
    this.memory.push({ address, bytes });
    return address;
  }

  /** Writes a handle or a size where a pointer leads. */
  setWord(pointer: CArgument, value: number | bigint): void {
    this.view(pointer).setBigUint64(0, BigInt(value), true);
  }

  setInt(pointer: CArgument, value: number): void {
    this.view(pointer).setInt32(0, value, true);
  }
}
