/** The body of a function, written statement by statement; reads top to bottom like the code it becomes. */
import { invariant } from "../../../base/errors.js";
import {
  append,
  type Bytes,
  type Code,
  emptyBlockType,
  type Operand,
  operandBytes,
  type ResultType,
  type Statement,
  unsignedLeb,
  type ValueType,
  valueTypeByte,
} from "./code.js";
import { i32 } from "./scalar.js";

/** A local variable or parameter; as code it reads itself. */
export interface Local<T extends ValueType = ValueType> extends Code<T> {
  readonly index: number;
}

/** Where `branch` goes: the end of a block or the start of a loop. */
export interface Label {
  readonly depth: number;
}

/** Parameters by name, in the order of the signature. */
export type Parameters = { readonly [name: string]: ValueType };

export type ParameterLocals<P extends Parameters> = { readonly [N in keyof P]: Local<P[N]> };

/** A function that can be called; imported or defined. */
export interface FunctionReference<P extends Parameters = Parameters, R extends ResultType = ResultType> {
  readonly index: number;
  readonly parameters: P;
  readonly result: R;
}

/** A call as code: `call(gemm, { a, b, c })`; arguments by name. */
export function call<P extends Parameters, R extends ResultType>(
  target: FunctionReference<P, R>,
  args: { readonly [N in keyof P]: Operand<P[N]> },
): Code<R> {
  const bytes = Object.keys(target.parameters).map((name) =>
    operandBytes(target.parameters[name], args[name] as Operand<ValueType>),
  );
  return { type: target.result, bytes: [bytes, 0x10, unsignedLeb(target.index)] };
}

export class FunctionBuilder<P extends Parameters = Parameters> {
  readonly parameters: ParameterLocals<P>;
  readonly #parameterCount: number;
  readonly #localTypes: ValueType[] = [];
  readonly #code: number[] = [];
  /** Number of enclosing blocks; the function body itself is block 0. */
  #depth = 0;

  constructor(parameters: P) {
    const names = Object.keys(parameters);
    this.#parameterCount = names.length;
    const locals = names.map((name, index) => [name, localOf(parameters[name], index)]);
    this.parameters = Object.fromEntries(locals) as ParameterLocals<P>;
  }

  /** A new local variable, zero at the start of the function. */
  local<T extends ValueType>(type: T): Local<T> {
    this.#localTypes.push(type);
    return localOf(type, this.#parameterCount + this.#localTypes.length - 1);
  }

  /** `count` new local variables. */
  locals<T extends ValueType>(type: T, count: number): Local<T>[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** Computes `value` once, here, and keeps it in a new local. */
  let<T extends ValueType>(value: Code<T>): Local<T> {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  set<T extends ValueType>(local: Local<T>, value: Operand<T>): void {
    this.#emit(operandBytes(local.type, value), [0x21], unsignedLeb(local.index));
  }

  /** `local += amount` for addresses and counters. */
  add(local: Local<"i32">, amount: Operand<"i32">): void {
    this.set(local, i32.add(local, amount));
  }

  /** Sets the local and is its value: an expression, not a statement. */
  tee<T extends ValueType>(local: Local<T>, value: Operand<T>): Code<T> {
    return {
      type: local.type,
      bytes: [operandBytes(local.type, value), 0x22, unsignedLeb(local.index)],
    };
  }

  /** Runs statements: stores, fills, calls without result. */
  do(...statements: Statement[]): void {
    for (const statement of statements) this.#emit(statement.bytes);
  }

  /** Computes a value for its effects and forgets it. */
  drop(value: Code<ValueType>): void {
    this.#emit(value.bytes, [0x1a]);
  }

  /** A block; branching to its label leaves it. */
  block(body: (end: Label) => void): void {
    this.#nest(0x02, body);
  }

  /** A loop; branching to its label starts it again, reaching its end leaves it. */
  loop(body: (again: Label) => void): void {
    this.#nest(0x03, body);
  }

  if(condition: Operand<"i32">, then: () => void, otherwise?: () => void): void {
    this.#emit(operandBytes("i32", condition));
    this.#nest(0x04, () => {
      then();
      if (otherwise === undefined) return;
      this.#emit([0x05]);
      otherwise();
    });
  }

  /**
   * Counts a new i32 local from `from` (0) while it is below `to`, by `step` (1).
   *
   * The comparison is unsigned, so addresses work beyond 2 GiB; `to` is evaluated once per round: give
   * a local or a number. May run zero times.
   */
  for(
    range: { from?: Operand<"i32">; to: Operand<"i32">; step?: Operand<"i32"> },
    body: (index: Local<"i32">) => void,
  ): void {
    const index = this.local("i32");
    this.set(index, range.from ?? 0);
    this.while(i32.lt_u(index, range.to), () => {
      body(index);
      this.add(index, range.step ?? 1);
    });
  }

  /** Runs `body` as long as `condition` holds; tests at the bottom, so one branch per round. */
  while(condition: Code<"i32">, body: () => void): void {
    this.if(condition, () => {
      this.loop((again) => {
        body();
        this.branchIf(again, condition);
      });
    });
  }

  branch(label: Label): void {
    this.#emit([0x0c], unsignedLeb(this.#depth - label.depth));
  }

  branchIf(label: Label, condition: Operand<"i32">): void {
    this.#emit(operandBytes("i32", condition), [0x0d], unsignedLeb(this.#depth - label.depth));
  }

  /** Leaves the function, with its result where it has one. */
  return(value?: Code<ValueType>): void {
    this.#emit(value?.bytes ?? [], [0x0f]);
  }

  /** Traps when it is reached. */
  unreachable(): void {
    this.#emit([0x00]);
  }

  /** Leaves `value` as the result at the end of the body. */
  result(value: Code<ValueType>): void {
    this.#emit(value.bytes);
  }

  /** The finished body as the code section holds it: runs of equal local types, code, end. */
  bytes(): number[] {
    invariant(this.#depth === 0, "wasm: function finished inside a block");
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#localTypes) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const body = unsignedLeb(runs.length);
    for (const { type, count } of runs) body.push(...unsignedLeb(count), valueTypeByte[type]);
    append(body, this.#code);
    body.push(0x0b);
    return body;
  }

  #nest(opcode: number, body: (label: Label) => void): void {
    this.#emit([opcode, emptyBlockType]);
    this.#depth++;
    body({ depth: this.#depth });
    this.#depth--;
    this.#emit([0x0b]);
  }

  #emit(...parts: Bytes): void {
    append(this.#code, parts);
  }
}

function localOf<T extends ValueType>(type: T, index: number): Local<T> {
  return { type, index, bytes: [0x20, ...unsignedLeb(index)] };
}
