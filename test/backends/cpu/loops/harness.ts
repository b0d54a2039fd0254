/** Runs loop kernels twice: as emitted WebAssembly, and by plain loops over the operations' reference evaluations. */
import {
  createLoopTarget,
  emitLoop,
  emitScatterAdd,
  mathImports,
} from "../../../../src/backends/cpu/loops/index.js";
import {
  compileModule,
  createSharedMemory,
  detectFeatures,
  instantiate,
  ModuleBuilder,
  type WasmFeatures,
} from "../../../../src/backends/cpu/wasm/index.js";
import {
  allocate,
  bytesOf,
  type DType,
  dtypes,
  roundTo,
  type TypedArray,
} from "../../../../src/base/dtype.js";
import type { TensorType } from "../../../../src/base/shape.js";
import type {
  Access,
  ElementwiseInstruction,
  LoopKernel,
  PlanBuffer,
  ScatterAddKernel,
} from "../../../../src/compile/plan.js";
import { elementwiseOperations } from "../../../../src/graph/operations/elementwise.js";
import type { Operation } from "../../../../src/graph/tensor.js";

/** With relaxed SIMD where the runtime has it, and without. */
export const featureSets: readonly WasmFeatures[] = [detectFeatures(), { relaxedSimd: false }];

/** Buffers one after another, each with its initial values. */
export class Arena {
  readonly buffers: PlanBuffer[] = [];
  readonly contents: TypedArray[] = [];
  #bytes = 64;

  add(dtype: DType, values: ArrayLike<number>): number {
    const data = allocate(dtype, values.length);
    data.set(values);
    const name = `buffer${this.buffers.length}`;
    this.buffers.push({
      name,
      role: "temporary",
      scope: "private",
      shape: [values.length],
      dtype,
      offset: this.#bytes,
    });
    this.contents.push(data);
    this.#bytes += Math.ceil((values.length * bytesOf(dtype)) / 64) * 64 + 64;
    return this.buffers.length - 1;
  }

  get bytes(): number {
    return this.#bytes;
  }
}

/** Compiles a kernel over the arena's memory; `run` runs it, `read` copies a buffer. */
export function compileKernel(arena: Arena, kernel: LoopKernel | ScatterAddKernel, features: WasmFeatures) {
  const pages = Math.ceil(arena.bytes / 65536);
  const memory = createSharedMemory(pages);
  const module = new ModuleBuilder();
  const limits = { initialPages: pages, maximumPages: pages, shared: true };
  module.importMemory({ module: "env", name: "memory" }, limits);
  const target = createLoopTarget(module, arena.buffers, features);
  if (kernel.kind === "loop") emitLoop(target, kernel, "run");
  else emitScatterAdd(target, kernel, "run");
  const bytes = module.bytes();
  const { run } = instantiate(compileModule(bytes), { env: { memory }, math: mathImports });
  const view = (buffer: number): TypedArray => {
    const { dtype, shape, offset } = arena.buffers[buffer];
    return new dtypes[dtype].array(memory.buffer, offset, shape[0]);
  };
  arena.contents.forEach((data, buffer) => {
    view(buffer).set(data);
  });
  return { run, read: (buffer: number): TypedArray => view(buffer).slice(), bytes: bytes.length };
}

/** All buffers after one run of the emitted kernel. */
export function runEmitted(
  arena: Arena,
  kernel: LoopKernel | ScatterAddKernel,
  features: WasmFeatures,
): TypedArray[] {
  const { run, read } = compileKernel(arena, kernel, features);
  run();
  return arena.buffers.map((_, buffer) => read(buffer));
}

/** All buffers after one run by plain loops; sums are taken in float64. */
export function interpret(arena: Arena, kernel: LoopKernel): TypedArray[] {
  const after = arena.contents.map((data) => data.slice());
  const count = kernel.extents.reduce((product, extent) => product * extent, 1);
  const indices = Array.from({ length: count }, (_, i) => unravel(i, kernel.extents));
  const at = ({ offset, strides }: { offset: number; strides: readonly number[] }, i: number): number =>
    strides.reduce((position, stride, d) => position + stride * indices[i][d], offset);
  const values: TypedArray[] = [];
  for (const instruction of kernel.body) {
    const data = allocate(instruction.dtype, count);
    for (let i = 0; i < count; i++) {
      if (instruction.op === "literal") data[i] = instruction.value;
      else if (instruction.op === "index") data[i] = at(instruction, i);
      else if (instruction.op === "load")
        data[i] = element(arena, instruction.access, at(instruction.access, i));
      else if (instruction.op === "gather") {
        const index = Math.min(Math.max(values[instruction.index][i], 0), instruction.extent - 1);
        data[i] = element(arena, instruction.access, at(instruction.access, i) + index * instruction.stride);
      }
    }
    values.push("inputs" in instruction ? evaluate(instruction, values, count) : data);
  }
  for (const { value, access } of kernel.stores) {
    for (let i = 0; i < count; i++) after[access.buffer][at(access, i)] = values[value][i];
  }
  for (const { value, combine, access } of kernel.reductions) {
    const totals = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const place = at(access, i);
      const x = values[value][i];
      totals.set(place, combiners[combine](totals.get(place) ?? identities[combine], x));
    }
    const { dtype } = arena.buffers[access.buffer];
    for (const [place, total] of totals) after[access.buffer][place] = roundTo(dtype, total);
  }
  return after;
}

const identities = { sum: 0, max: Number.NEGATIVE_INFINITY, min: Number.POSITIVE_INFINITY };
const combiners = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min };

/** An instruction on all iterations at once. */
export function evaluate(
  { op, inputs, attributes, dtype }: ElementwiseInstruction & { readonly dtype: DType },
  values: readonly TypedArray[],
  count: number,
): TypedArray {
  const operation = elementwiseOperations[op] as unknown as Operation<typeof op>;
  const tensors = inputs.map((input) => ({ data: values[input], ...typeOf(values[input], count) }));
  return operation.evaluate(tensors, attributes, { shape: [count], dtype });
}

function typeOf(data: TypedArray, count: number): TensorType {
  const dtype = (Object.keys(dtypes) as DType[]).find((name) => data instanceof dtypes[name].array)!;
  return { shape: [count], dtype };
}

function element(arena: Arena, { buffer }: Access, position: number): number {
  const value = arena.contents[buffer][position];
  if (value === undefined) throw new RangeError(`buffer ${buffer} has no element ${position}`);
  return value;
}

function unravel(i: number, extents: readonly number[]): number[] {
  let rest = i;
  return extents.toReversed().reduce<number[]>((index, extent) => {
    index.unshift(rest % extent);
    rest = Math.floor(rest / extent);
    return index;
  }, []);
}

/** A kernel of one operation over contiguous buffers, result in the last buffer. */
export function elementwiseKernel(
  arena: Arena,
  instruction: ElementwiseInstruction & { readonly dtype: DType },
  operands: readonly TypedArray[],
): LoopKernel {
  const count = operands[0].length;
  const access = (buffer: number): Access => ({ buffer, offset: 0, strides: [1] });
  const loads = operands.map((data) => {
    const dtype = typeOf(data, count).dtype;
    return { op: "load", dtype, access: access(arena.add(dtype, data)) } as const;
  });
  const result = arena.add(instruction.dtype, new Float64Array(count));
  return {
    kind: "loop",
    name: instruction.op,
    extents: [count],
    reduced: [false],
    body: [...loads, { ...instruction, inputs: loads.map((_, i) => i) }],
    stores: [{ value: loads.length, access: access(result) }],
    reductions: [],
  };
}

/** Distance in units in the last place of the exact value, given in float64. */
export function errorInUlp(actual: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (Object.is(actual, rounded) || (Number.isNaN(actual) && Number.isNaN(rounded))) {
    if (!Number.isFinite(exact) || exact === 0) return 0;
  }
  if (Number.isNaN(actual) !== Number.isNaN(exact)) return Number.POSITIVE_INFINITY;
  if (!Number.isFinite(actual) || !Number.isFinite(rounded))
    return actual === rounded ? 0 : Number.POSITIVE_INFINITY;
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(exact))), -126);
  return Math.abs(actual - exact) / 2 ** (exponent - 23);
}
