/** Copies a block of a matrix to another distance between its rows. */
import { compileModule, i32, instantiate, ModuleBuilder, v128, type WasmMemory } from "../wasm/index.js";

export type CopyRows = (
  from: number,
  fromRow: number,
  rows: number,
  columns: number,
  to: number,
  toRow: number,
) => void;

/** `rows` rows of `columns` bytes (a multiple of 4) from one row distance to another, all in bytes. */
export function emitCopyRows(module: ModuleBuilder, name: string | undefined) {
  const parameters = {
    from: "i32",
    fromRow: "i32",
    rows: "i32",
    columns: "i32",
    to: "i32",
    toRow: "i32",
  } as const;
  return module.function(name, { parameters }, (f, p) => {
    f.while(p.rows, () => {
      const source = f.let(p.from);
      const target = f.let(p.to);
      const whole = f.let(i32.add(source, i32.and(p.columns, -16)));
      const end = f.let(i32.add(source, p.columns));
      f.while(i32.lt_u(source, whole), () => {
        f.do(v128.store(target, v128.load(source)));
        f.add(source, 16);
        f.add(target, 16);
      });
      f.while(i32.lt_u(source, end), () => {
        f.do(i32.store(target, i32.load(source)));
        f.add(source, 4);
        f.add(target, 4);
      });
      f.add(p.from, p.fromRow);
      f.add(p.to, p.toRow);
      f.add(p.rows, -1);
    });
  });
}

/** The copy as a function over `memory`. */
export function instantiateCopyRows(memory: WasmMemory): CopyRows {
  const module = new ModuleBuilder();
  const shared = memory.buffer instanceof SharedArrayBuffer;
  module.importMemory({ module: "env", name: "memory" }, { initialPages: 0, maximumPages: 65536, shared });
  emitCopyRows(module, "copy");
  return instantiate(compileModule(module.bytes()), { env: { memory } }).copy as unknown as CopyRows;
}
