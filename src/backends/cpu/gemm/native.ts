/** Opening C libraries through koffi, and the address of a WebAssembly memory. */
import { createRequire } from "node:module";
import { SlalomError } from "../../../base/errors.js";
import type { WasmMemory } from "../wasm/index.js";

/** A C function; pointers are plain numbers, so nothing is allocated per call. */
export type NativeFunction = (...args: (number | bigint | object | null)[]) => unknown;

export interface NativeLibrary {
  readonly path: string;
  /** The function of a C prototype such as `int f(int x)`; throws where the library has none. */
  func(prototype: string): NativeFunction;
  /** The same, or undefined where the library has none. */
  optional(prototype: string): NativeFunction | undefined;
  /** Reads `count` 32-bit integers at a pointer that a function returned. */
  readInts(pointer: unknown, count: number): Int32Array;
  /** Address of the first byte of a memory; it stays, as the memory never grows. */
  addressOf(memory: WasmMemory): number;
}

/** What we use of koffi. */
interface Koffi {
  load(path: string): { func(prototype: string): NativeFunction };
  decode(pointer: unknown, type: string): Int32Array;
  address(view: Uint8Array): bigint;
}

/**
 * Opens a shared library by name (found as the system's loader finds it) or by path.
 *
 * @throws Whatever koffi or the loader says, also when koffi itself is absent on this platform.
 */
export function openLibrary(path: string): NativeLibrary {
  const koffi = loadKoffi();
  const library = koffi.load(path);
  return {
    path,
    func: (prototype) => library.func(prototype),
    optional(prototype) {
      try {
        return library.func(prototype);
      } catch {
        return undefined;
      }
    },
    readInts: (pointer, count) => koffi.decode(pointer, `int [${count}]`),
    addressOf: (memory) => Number(koffi.address(new Uint8Array(memory.buffer))),
  };
}

/** Required lazily: importing this module must not load an addon, and must work where there is none. */
function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (cause) {
    throw new SlalomError("library", `koffi, which calls C libraries, does not load: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** The first line of an error. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}
