/** Locals by need: those of a scope are used again after it, so that long bodies stay small. */
import type { Code, FunctionBuilder, Label, Local, ValueType } from "../wasm/index.js";

type Pool = { readonly [T in ValueType]: Local<T>[] };

export class Scratch {
  readonly function: FunctionBuilder;
  readonly #free: Pool = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #frames: Local[][] = [[]];

  constructor(f: FunctionBuilder) {
    this.function = f;
  }

  /** Runs `body`; what it keeps in locals is gone after it. */
  scope<R>(body: () => R): R {
    this.#frames.push([]);
    const result = body();
    for (const local of this.#frames.pop()!) (this.#free[local.type] as Local[]).push(local);
    return result;
  }

  local<T extends ValueType>(type: T): Local<T> {
    const free = this.#free[type] as Local<T>[];
    const local = free.pop() ?? this.function.local(type);
    this.#frames.at(-1)!.push(local);
    return local;
  }

  /** Computes `value` here, once, and keeps it. */
  let<T extends ValueType>(value: Code<T>): Local<T> {
    const local = this.local(value.type);
    this.function.set(local, value);
    return local;
  }

  /** Code that may be used several times: `value` itself where it is a local, else a new local. */
  reusable<T extends ValueType>(value: Code<T>): Code<T> {
    return "index" in value ? value : this.let(value);
  }

  /** A loop that runs at least once and again as long as `condition` holds at its end. */
  repeat(body: () => void, condition: () => Code<"i32">): void {
    this.function.loop((again: Label) => {
      this.scope(body);
      this.function.branchIf(again, condition());
    });
  }
}
