/** The part of the host's WebAssembly interface that we use, typed (Node's types do not declare it). */
import { SlalomError } from "../../../base/errors.js";

/** A linear memory; one that is shared is seen by all worker threads it is sent to. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
}

/** A compiled module; can be sent to worker threads. */
export type WasmModule = object;

/** A host function for an import; its parameters are those of the imported signature. */
export type WasmFunction = (...args: never[]) => unknown;

/** `imports[module][name]`. */
export interface WasmImports {
  readonly [module: string]: { readonly [name: string]: WasmFunction | WasmMemory };
}

/** Exported functions by name. */
export type WasmExports = { readonly [name: string]: (...args: (number | bigint)[]) => number };

interface Host {
  Memory: new (descriptor: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
  Module: new (bytes: Uint8Array) => WasmModule;
  Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: WasmExports };
  validate(bytes: Uint8Array): boolean;
}

/** A shared memory of fixed size: growing would detach every view that C libraries were given. */
export function createSharedMemory(pages: number): WasmMemory {
  try {
    return new (host().Memory)({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    const mebibytes = Math.round(pages / 16);
    const message = `memory: the system refuses ${mebibytes} MiB in one piece; expected at most 4096 MiB and free address space. Use fewer lanes or a smaller batch.`;
    throw new SlalomError("device", message, { cause });
  }
}

export function validateModule(bytes: Uint8Array): boolean {
  return host().validate(bytes);
}

export function compileModule(bytes: Uint8Array): WasmModule {
  return new (host().Module)(bytes);
}

export function instantiate(module: WasmModule, imports: WasmImports): WasmExports {
  return new (host().Instance)(module, imports).exports;
}

function host(): Host {
  return (globalThis as unknown as { WebAssembly: Host }).WebAssembly;
}
