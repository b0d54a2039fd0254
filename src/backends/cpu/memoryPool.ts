/** Memories of released programs, kept for the next one: asking the system for new pages costs more than reusing. */
import { createSharedMemory, type WasmMemory } from "./wasm/index.js";

export class MemoryPool {
  private readonly free: WasmMemory[] = [];

  /** A memory of at least `bytes`, all zero. */
  take(bytes: number): WasmMemory {
    const fits = this.free
      .filter(
        (memory) =>
          memory.buffer.byteLength >= bytes && memory.buffer.byteLength <= bytes * wasteLimit + pageBytes,
      )
      .sort((a, b) => a.buffer.byteLength - b.buffer.byteLength)[0];
    if (!fits) return createSharedMemory(Math.ceil(bytes / pageBytes));
    this.free.splice(this.free.indexOf(fits), 1);
    new Uint8Array(fits.buffer).fill(0);
    return fits;
  }

  giveBack(memory: WasmMemory): void {
    this.free.push(memory);
    // More than two lie idle only when programs shrink; the oldest are left to the garbage collector.
    if (this.free.length > 2) this.free.shift();
  }
}

const pageBytes = 65536;
/** A memory that is more times larger than asked for is left for a program that needs it. */
const wasteLimit = 2;
