/**
 * What convolutions and products in bfloat16 need of oneDNN's C interface, of versions 2 and 3 alike. All pointers are
 * numbers: handles of the library, and addresses of bytes that this class keeps alive.
 *
 * Version 2 describes an operation by a structure that its own functions fill in; version 3 makes descriptors opaque.
 */
import { SlalomError } from "../../../base/errors.js";
import type { NativeFunction, NativeLibrary } from "../../../native/library.js";

/** A handle or an address. */
export type Pointer = bigint;

/** A tensor's extents in oneDNN's order, and where its elements lie; "any": as the library likes it. */
export interface Layout {
  readonly extents: readonly number[];
  readonly strides: readonly number[] | "any";
  /** Default: float32. */
  readonly type?: ElementType;
}

export type ElementType = "float32" | "bfloat16";

export interface ConvolutionGeometry {
  readonly source: Pointer;
  readonly weights: Pointer;
  /** 0: none. */
  readonly bias: Pointer;
  readonly destination: Pointer;
  readonly strides: readonly number[];
  /** 0: taps are neighbours. */
  readonly dilations: readonly number[];
  readonly paddingBefore: readonly number[];
  readonly paddingAfter: readonly number[];
}

/** Arguments of a primitive, by oneDNN's numbers. */
export const argumentOf = {
  source: 1,
  destination: 17,
  weights: 33,
  bias: 41,
  sourceGradient: 129,
  destinationGradient: 145,
  weightsGradient: 161,
} as const;

/** Enumerators of the C interface. */
const elementTypes: Readonly<Record<ElementType, number>> = { float32: 3, bfloat16: 2 };
const anyFormat = 1;
const forwardTraining = 64;
const direct = 1;
const reluOf = { 2: 31, 3: 32 } as const;
const queryImplementation = 8;
const queryWeights = 131;
const queryWeightsGradient = 132;
const cpu = 1;
const inOrder = 1;
const allocate = 0xffffffffffffffffn;

/** sizeof(dnnl_memory_desc_t), sizeof(dnnl_convolution_desc_t) and more than sizeof(dnnl_matmul_desc_t) of version 2. */
const memoryDescriptorBytes = 696;
const convolutionDescriptorBytes = 5976;
const productDescriptorBytes = 4096;

export class Dnnl {
  private readonly functions = new Map<string, NativeFunction>();
  /** Bytes that the library reads by address as long as this lives. */
  private readonly kept: Uint8Array[] = [];
  private readonly handles: { readonly destroy: string; readonly handle: Pointer }[] = [];
  private readonly scratch = new BigUint64Array(64);
  private readonly scratchAddress: bigint;
  private readonly engine: Pointer;
  private readonly stream: Pointer;

  constructor(
    private readonly library: NativeLibrary,
    private readonly major: 2 | 3,
  ) {
    this.scratchAddress = library.addressOfBytes(this.scratch);
    this.engine = this.made("dnnl_engine_destroy", "dnnl_engine_create", "uint64, int, size_t", cpu, 0);
    this.stream = this.made(
      "dnnl_stream_destroy",
      "dnnl_stream_create",
      "uint64, uint64, uint",
      this.engine,
      inOrder,
    );
  }

  descriptor({ extents, strides, type = "float32" }: Layout): Pointer {
    const dims = this.integers(extents);
    const elementType = elementTypes[type];
    const [name, last] =
      strides === "any" ? (["tag", anyFormat] as const) : (["strides", this.integers(strides)] as const);
    const kind = strides === "any" ? "int" : "uint64";
    if (this.major === 3) {
      return this.made(
        "dnnl_memory_desc_destroy",
        `dnnl_memory_desc_create_with_${name}`,
        `uint64, int, uint64, int, ${kind}`,
        extents.length,
        dims,
        elementType,
        last,
      );
    }
    const descriptor = this.bytes(memoryDescriptorBytes);
    this.call(
      `dnnl_memory_desc_init_by_${name}`,
      `uint64, int, uint64, int, ${kind}`,
      descriptor,
      extents.length,
      dims,
      elementType,
      last,
    );
    return descriptor;
  }

  /**
   * The description of a convolution; undefined where the library has none of the kind.
   * @param hint tensors of the forward convolution that a backward one belongs to, where they differ from its own
   */
  convolution(
    direction: "forward" | "input" | "kernel",
    geometry: ConvolutionGeometry,
    { relu, hint }: { readonly relu: boolean; readonly hint?: Partial<ConvolutionGeometry> },
  ): Pointer | undefined {
    const attributes = relu ? this.reluAttributes() : 0n;
    return this.ifAny(() => {
      if (direction === "forward") return this.describe("forward", geometry, attributes, 0n);
      const forward = this.describe("forward", { ...geometry, ...hint, bias: 0n }, attributes, 0n);
      return this.describe(direction, geometry, attributes, forward);
    });
  }

  /** The description of a matrix product a b, added to c if it accumulates; undefined where the library has none. */
  product(
    { a, b, c }: Readonly<Record<"a" | "b" | "c", Pointer>>,
    { accumulate }: { readonly accumulate: boolean },
  ): Pointer | undefined {
    return this.ifAny(() => {
      const attributes = accumulate ? this.sumAttributes() : 0n;
      if (this.major === 3) {
        return this.made(
          "dnnl_primitive_desc_destroy",
          "dnnl_matmul_primitive_desc_create",
          "uint64, uint64, uint64, uint64, uint64, uint64, uint64",
          this.engine,
          a,
          b,
          0n,
          c,
          attributes,
        );
      }
      const operation = this.bytes(productDescriptorBytes);
      this.call("dnnl_matmul_desc_init", "uint64, uint64, uint64, uint64, uint64", operation, a, b, 0n, c);
      return this.describeOperation(operation, attributes, 0n);
    });
  }

  /** The name of the kernels behind a description, such as "brgconv:avx512_core" or "ref:any". */
  implementationOf(description: Pointer): string {
    this.call(
      "dnnl_primitive_desc_query",
      "uint64, int, int, uint64",
      description,
      queryImplementation,
      0,
      this.scratchAddress,
    );
    return this.library.readText(this.scratch[0]);
  }

  /** How the convolution of that description wants its weights, or gives their gradient. */
  weightsOf(description: Pointer, direction: "forward" | "input" | "kernel"): Pointer {
    const query = direction === "kernel" ? queryWeightsGradient : queryWeights;
    const found = this.function("uint64 dnnl_primitive_desc_query_md(uint64, int, int)")(
      description,
      query,
      0,
    );
    return BigInt(found as number | bigint);
  }

  same(a: Pointer, b: Pointer): boolean {
    return this.function("int dnnl_memory_desc_equal(uint64, uint64)")(a, b) !== 0;
  }

  primitive(description: Pointer): Pointer {
    return this.made("dnnl_primitive_destroy", "dnnl_primitive_create", "uint64, uint64", description);
  }

  /** Copies from one layout to another. */
  reorder(from: Pointer, to: Pointer): Pointer {
    const description = this.made(
      "dnnl_primitive_desc_destroy",
      "dnnl_reorder_primitive_desc_create",
      "uint64, uint64, uint64, uint64, uint64, uint64",
      from,
      this.engine,
      to,
      this.engine,
      0n,
    );
    return this.primitive(description);
  }

  /** A tensor at `address`, or in memory of the library's own. */
  memory(descriptor: Pointer, address: bigint | "own"): Pointer {
    return this.made(
      "dnnl_memory_destroy",
      "dnnl_memory_create",
      "uint64, uint64, uint64, uint64",
      descriptor,
      this.engine,
      address === "own" ? allocate : address,
    );
  }

  /** A call of the primitive on these tensors; it ends when the work is done. */
  execution(
    primitive: Pointer,
    tensors: readonly (readonly [argument: number, memory: Pointer])[],
  ): () => void {
    // dnnl_exec_arg_t: int arg, and after four bytes of padding the handle.
    const args = new BigUint64Array(Math.max(16, tensors.length * 2));
    tensors.forEach(([argument, memory], i) => {
      args[2 * i] = BigInt(argument);
      args[2 * i + 1] = memory;
    });
    this.kept.push(new Uint8Array(args.buffer));
    const address = this.library.addressOfBytes(args);
    const execute = this.function("int dnnl_primitive_execute(uint64, uint64, int, uint64)");
    const { stream } = this;
    const count = tensors.length;
    return () => {
      const status = execute(primitive, stream, count, address);
      if (status !== 0) throw this.refused("dnnl_primitive_execute", status);
    };
  }

  /** Destroys every handle, the last made first. */
  release(): void {
    for (const { destroy, handle } of this.handles.splice(0).reverse())
      this.function(`int ${destroy}(uint64)`)(handle);
  }

  private describe(
    direction: "forward" | "input" | "kernel",
    { source, weights, bias, destination, ...window }: ConvolutionGeometry,
    attributes: Pointer,
    hint: Pointer,
  ): Pointer {
    const kind = { forward: "forward", input: "backward_data", kernel: "backward_weights" }[direction];
    const tensors =
      direction === "input" ? [source, weights, destination] : [source, weights, bias, destination];
    const tensorTypes = tensors.map(() => "uint64").join(", ");
    const windows = [window.strides, window.dilations, window.paddingBefore, window.paddingAfter].map(
      (values) => this.integers(values),
    );
    const windowTypes = "uint64, uint64, uint64, uint64";
    const [prop, propType] = direction === "forward" ? [[forwardTraining], "int, "] : [[], ""];
    if (this.major === 3) {
      const [hints, hintType] = direction === "forward" ? [[], ""] : [[hint], "uint64, "];
      return this.made(
        "dnnl_primitive_desc_destroy",
        `dnnl_convolution_${kind}_primitive_desc_create`,
        `uint64, uint64, ${propType}int, ${tensorTypes}, ${windowTypes}, ${hintType}uint64`,
        this.engine,
        ...prop,
        direct,
        ...tensors,
        ...windows,
        ...hints,
        attributes,
      );
    }
    const operation = this.bytes(convolutionDescriptorBytes);
    this.call(
      `dnnl_dilated_convolution_${kind}_desc_init`,
      `uint64, ${propType}int, ${tensorTypes}, ${windowTypes}`,
      operation,
      ...prop,
      direct,
      ...tensors,
      ...windows,
    );
    return this.describeOperation(operation, attributes, hint);
  }

  /** Of version 2. */
  private describeOperation(operation: Pointer, attributes: Pointer, hint: Pointer): Pointer {
    return this.made(
      "dnnl_primitive_desc_destroy",
      "dnnl_primitive_desc_create",
      "uint64, uint64, uint64, uint64, uint64",
      operation,
      attributes,
      this.engine,
      hint,
    );
  }

  /** What `describe` gives; undefined where the library refuses. */
  private ifAny(describe: () => Pointer): Pointer | undefined {
    try {
      return describe();
    } catch (error) {
      if (error instanceof SlalomError) return undefined;
      throw error;
    }
  }

  /** The result is added to what the destination holds. */
  private sumAttributes(): Pointer {
    const after = this.made("dnnl_post_ops_destroy", "dnnl_post_ops_create", "uint64");
    if (this.major === 2) this.call("dnnl_post_ops_append_sum", "uint64, float", after, 1);
    // Of version 3: no zero point, and the destination's own type.
    else this.call("dnnl_post_ops_append_sum", "uint64, float, int, int", after, 1, 0, 0);
    return this.attributesWith(after);
  }

  private reluAttributes(): Pointer {
    const after = this.made("dnnl_post_ops_destroy", "dnnl_post_ops_create", "uint64");
    if (this.major === 2)
      this.call(
        "dnnl_post_ops_append_eltwise",
        "uint64, float, int, float, float",
        after,
        1,
        reluOf[2],
        0,
        0,
      );
    else this.call("dnnl_post_ops_append_eltwise", "uint64, int, float, float", after, reluOf[3], 0, 0);
    return this.attributesWith(after);
  }

  private attributesWith(after: Pointer): Pointer {
    const attributes = this.made("dnnl_primitive_attr_destroy", "dnnl_primitive_attr_create", "uint64");
    this.call("dnnl_primitive_attr_set_post_ops", "uint64, uint64", attributes, after);
    return attributes;
  }

  /** Calls a function whose first parameter receives a new handle. */
  private made(destroy: string, name: string, types: string, ...args: (number | bigint)[]): Pointer {
    this.scratch[0] = 0n;
    this.call(name, types, this.scratchAddress, ...args);
    const handle = this.scratch[0];
    this.handles.push({ destroy, handle });
    return handle;
  }

  private call(name: string, types: string, ...args: (number | bigint)[]): void {
    const status = this.function(`int ${name}(${types})`)(...args);
    if (status !== 0) throw this.refused(name, status);
  }

  private function(prototype: string): NativeFunction {
    const found = this.functions.get(prototype) ?? this.library.func(prototype);
    this.functions.set(prototype, found);
    return found;
  }

  /** Zeroed bytes with a fixed address. */
  private bytes(count: number): Pointer {
    const bytes = new Uint8Array(count);
    this.kept.push(bytes);
    return this.library.addressOfBytes(bytes);
  }

  /** Twelve int64, as dnnl_dims_t has them. */
  private integers(values: readonly number[]): Pointer {
    const array = new BigInt64Array(12);
    values.forEach((value, i) => {
      array[i] = BigInt(value);
    });
    this.kept.push(new Uint8Array(array.buffer));
    return this.library.addressOfBytes(array);
  }

  private refused(name: string, status: unknown): SlalomError {
    return new SlalomError(
      "library",
      `oneDNN at ${this.library.path}: ${name} failed with status ${String(status)}.`,
    );
  }
}
