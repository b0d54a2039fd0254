/** A WebAssembly module built in memory: imports, functions and exports become the binary format. */
import { invariant } from "../../../base/errors.js";
import { append, nameBytes, type ResultType, unsignedLeb, type ValueType, valueTypeByte } from "./code.js";
import {
  FunctionBuilder,
  type FunctionReference,
  type ParameterLocals,
  type Parameters,
} from "./function.js";

/** Parameters by name and the type of the result ("none" by default). */
export interface Signature<P extends Parameters, R extends ResultType> {
  readonly parameters: P;
  readonly result?: R;
}

/** Where an import comes from: `imports[module][name]` at instantiation. */
export interface ImportName {
  readonly module: string;
  readonly name: string;
}

/** Pages are 64 KiB. A shared memory needs its maximum here and must be created with the same one or less. */
export interface MemoryLimits {
  readonly initialPages: number;
  readonly maximumPages: number;
  readonly shared: boolean;
}

/**
 * Builds one module. Imports come first, functions after them; a function can call what stands before it.
 *
 * ```ts
 * const module = new ModuleBuilder();
 * module.importMemory({ module: "env", name: "memory" }, { initialPages: 1, maximumPages: 16, shared: true });
 * module.function("scale", { parameters: { x: "i32", bytes: "i32", factor: "f32" } }, (f, { x, bytes, factor }) => {
 *   const factors = f.let(f32x4.splat(factor));
 *   const end = f.let(i32.add(x, bytes));
 *   f.while(i32.lt_u(x, end), () => {
 *     f.do(v128.store(x, f32x4.mul(v128.load(x), factors)));
 *     f.add(x, 16);
 *   });
 * });
 * const bytes = module.bytes();
 * ```
 */
export class ModuleBuilder {
  readonly #types: number[][] = [];
  readonly #typeIndex = new Map<string, number>();
  readonly #imports: number[][] = [];
  readonly #functionTypes: number[] = [];
  readonly #bodies: number[][] = [];
  readonly #exports: number[][] = [];
  #importedFunctions = 0;

  importMemory(from: ImportName, limits: MemoryLimits): void {
    const flags = limits.shared ? 0x03 : 0x01;
    const { initialPages, maximumPages } = limits;
    this.#imports.push([
      ...nameBytes(from.module),
      ...nameBytes(from.name),
      0x02,
      flags,
      ...unsignedLeb(initialPages),
      ...unsignedLeb(maximumPages),
    ]);
  }

  importFunction<const P extends Parameters, R extends ResultType = "none">(
    from: ImportName,
    signature: Signature<P, R>,
  ): FunctionReference<P, R> {
    invariant(
      this.#bodies.length === 0,
      `wasm: import ${from.module}.${from.name} after a function was defined`,
    );
    const type = this.#type(signature);
    this.#imports.push([...nameBytes(from.module), ...nameBytes(from.name), 0x00, ...unsignedLeb(type)]);
    return this.#reference(this.#importedFunctions++, signature);
  }

  /** Defines a function and exports it under `name`; with `name` undefined only other functions call it. */
  function<const P extends Parameters, R extends ResultType = "none">(
    name: string | undefined,
    signature: Signature<P, R>,
    body: (f: FunctionBuilder<P>, parameters: ParameterLocals<P>) => void,
  ): FunctionReference<P, R> {
    const builder = new FunctionBuilder(signature.parameters);
    body(builder, builder.parameters);
    const index = this.#importedFunctions + this.#bodies.length;
    this.#functionTypes.push(this.#type(signature));
    this.#bodies.push(builder.bytes());
    if (name !== undefined) this.#exports.push([...nameBytes(name), 0x00, ...unsignedLeb(index)]);
    return this.#reference(index, signature);
  }

  /** The module in the binary format, ready to compile. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    section(out, 1, this.#types);
    section(out, 2, this.#imports);
    section(out, 3, this.#functionTypes.map(unsignedLeb));
    section(out, 7, this.#exports);
    section(
      out,
      10,
      this.#bodies.map((body) => {
        const sized = unsignedLeb(body.length);
        append(sized, body);
        return sized;
      }),
    );
    return new Uint8Array(out);
  }

  #type(signature: Signature<Parameters, ResultType>): number {
    const parameters: ValueType[] = Object.values(signature.parameters);
    const results = signature.result === undefined || signature.result === "none" ? [] : [signature.result];
    const bytes = [
      0x60,
      ...unsignedLeb(parameters.length),
      ...parameters.map((type) => valueTypeByte[type]),
      ...unsignedLeb(results.length),
      ...results.map((type) => valueTypeByte[type]),
    ];
    const key = bytes.join(" ");
    const known = this.#typeIndex.get(key);
    if (known !== undefined) return known;
    this.#types.push(bytes);
    this.#typeIndex.set(key, this.#types.length - 1);
    return this.#types.length - 1;
  }

  #reference<P extends Parameters, R extends ResultType>(
    index: number,
    signature: Signature<P, R>,
  ): FunctionReference<P, R> {
    return { index, parameters: signature.parameters, result: signature.result ?? ("none" as R) };
  }
}

/** Appends a section: id, size, count, entries; an empty one is left out. */
function section(out: number[], id: number, entries: readonly (readonly number[])[]): void {
  if (entries.length === 0) return;
  const content = unsignedLeb(entries.length);
  for (const entry of entries) append(content, entry);
  out.push(id, ...unsignedLeb(content.length));
  append(out, content);
}
