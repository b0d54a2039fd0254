/**
 * Loop kernels as WebAssembly: one function `() -> ()` each, all addresses constants of the plan.
 *
 * Each value of the body is computed in the outermost loop where it is known. Lanes run along the vector loop,
 * several vectors at a time (a strip); what is left at its end is a strip of its own, the last vector of it
 * partly filled, with the same arithmetic, so that an element's result does not depend on its place.
 */
import { bytesOf } from "../../../base/dtype.js";
import type { Access, Instruction, LoopKernel } from "../../../compile/plan.js";
import { type Code, type FunctionReference, i32, type Local, type ValueType } from "../wasm/index.js";
import type { Engine, Lanes, Place, Value } from "./engine.js";
import type { LoopTarget } from "./functions.js";
import { type Nest, normalizeNest } from "./nest.js";
import { scalarEngine } from "./scalar.js";
import { analyse, type Schedule } from "./schedule.js";
import { Scratch } from "./scratch.js";
import { vectorEngine } from "./vector.js";

export type KernelFunction = FunctionReference<Record<never, never>, "none">;

/** Adds `kernel` as a function, exported under `name` if there is one. */
export function emitLoop(target: LoopTarget, kernel: LoopKernel, name?: string): KernelFunction {
  return target.module.function(name, { parameters: {} }, (f) => {
    const scratch = new Scratch(f);
    const engine = (touchesFloat64(kernel, target) ? scalarEngine : vectorEngine)(target, scratch);
    const nest = normalizeNest(kernel, engine.width);
    new LoopEmitter(target, scratch, engine, nest).emit();
  });
}

function touchesFloat64(kernel: LoopKernel, { buffers }: LoopTarget): boolean {
  const accesses = [...kernel.stores, ...kernel.reductions].map(({ access }) => access);
  return (
    kernel.body.some(({ dtype }) => dtype === "float64") ||
    accesses.some(({ buffer }) => buffers[buffer].dtype === "float64")
  );
}

/** Vectors that are computed together: the lanes of each, and how many vectors come before the first. */
interface Strip {
  readonly lanes: readonly number[];
  readonly first: number;
}

/** All accesses with the same strides share one address, relative to where each begins. */
interface Stream {
  readonly strides: readonly number[];
  address: Code<"i32">;
}

class LoopEmitter {
  readonly #target: LoopTarget;
  readonly #scratch: Scratch;
  readonly #engine: Engine;
  readonly #nest: Nest;
  readonly #kernel: LoopKernel;
  readonly #schedule: Schedule;
  readonly #streams = new Map<string, Stream>();
  /** Value i for each vector of the strip, or one for all of them. */
  readonly #values: Value[][] = [];
  /** For a gather whose index is the same in all lanes: how far it moves the address. */
  readonly #moves = new Map<Instruction, Local<"i32">>();
  #strip: Strip = { lanes: [], first: 0 };
  #accumulators: Local<ValueType>[][] = [];

  constructor(target: LoopTarget, scratch: Scratch, engine: Engine, nest: Nest) {
    this.#target = target;
    this.#scratch = scratch;
    this.#engine = engine;
    this.#nest = nest;
    this.#kernel = nest.kernel;
    this.#schedule = analyse(nest, engine);
  }

  emit(): void {
    for (const instruction of this.#kernel.body) {
      if (instruction.op === "load" || instruction.op === "gather")
        this.#stream(this.#byteStrides(instruction.access));
      if (instruction.op === "index") this.#stream(instruction.strides);
    }
    for (const { access } of [...this.#kernel.stores, ...this.#kernel.reductions]) {
      this.#stream(this.#byteStrides(access));
    }
    this.#level(0);
  }

  /** Everything inside of `level` loops. */
  #level(level: number): void {
    const folds = level === this.#nest.outerLoops && this.#kernel.reductions.length > 0;
    if (folds) this.#startFolds();
    this.#computeSame(level);
    if (level > this.#nest.vectorLoop) this.#computeStrip(level);
    if (level < this.#kernel.extents.length) this.#loop(level);
    if (folds) this.#finishFolds();
  }

  /** Values and stores of this level that are the same in all lanes. */
  #computeSame(level: number): void {
    const { same, levels, storeLevels, storeSame } = this.#schedule;
    this.#kernel.body.forEach((_, i) => {
      if (same[i] && levels[i] === level) this.#define(i, 0, "same");
    });
    const stores = this.#kernel.stores.filter((_, s) => storeSame[s] && storeLevels[s] === level);
    this.#storeAll(stores, 0, "same");
  }

  /** Values, folds and stores of this level that differ between lanes, vector by vector. */
  #computeStrip(level: number): void {
    const { same, levels, storeLevels, storeSame } = this.#schedule;
    const innermost = level === this.#kernel.extents.length;
    const stores = this.#kernel.stores.filter((_, s) => !storeSame[s] && storeLevels[s] === level);
    this.#strip.lanes.forEach((lanes, k) => {
      const vector = () => {
        this.#kernel.body.forEach((_, i) => {
          if (!same[i] && levels[i] === level) this.#define(i, k, lanes);
        });
        if (innermost) this.#accumulate(k, lanes);
        this.#storeAll(stores, k, lanes);
      };
      if (innermost) this.#scratch.scope(vector);
      else vector();
    });
  }

  #define(i: number, k: number, lanes: Lanes): void {
    if (this.#schedule.absorbed.has(i)) return;
    const value = this.#compute(i, k, lanes);
    const final = this.#schedule.inline[i] ? value : { ...value, code: this.#scratch.reusable(value.code) };
    if (lanes === "same") this.#values[i] = [final];
    else {
      this.#values[i] ??= [];
      this.#values[i][k] = final;
    }
    if (this.#schedule.same[i]) this.#defineMoves(i, final);
  }

  /** Value `i` for vector `k` of the strip. */
  #value(i: number, k: number): Value {
    return this.#values[i][this.#schedule.same[i] ? 0 : k];
  }

  #compute(i: number, k: number, lanes: Lanes): Value {
    const instruction = this.#kernel.body[i];
    const engine = this.#engine;
    switch (instruction.op) {
      case "literal":
        return engine.literal(instruction.dtype, instruction.value);
      case "load":
        return engine.load(this.#dtypeOf(instruction.access), this.#place(instruction.access, k), lanes);
      case "index": {
        const stride = instruction.strides[this.#nest.vectorLoop];
        const before = this.#vectorsBefore(k) * stride - this.#lowest(instruction.strides);
        const moved = instruction.offset + before;
        const start = this.#stream(instruction.strides).address;
        const first = moved === 0 ? start : i32.add(start, moved);
        return engine.index(instruction.dtype, first, lanes === "same" ? 0 : stride);
      }
      case "gather":
        return this.#gather(instruction, k, lanes);
      default: {
        const product = this.#schedule.products[i];
        if (product) {
          const [a, b, c] = [...product.factors, product.addend].map((input) => this.#value(input, k));
          return engine.multiplyAdd(a, b, c, product.sign);
        }
        const inputs = instruction.inputs.map((input) => this.#value(input, k));
        return engine.apply(instruction, inputs, instruction.dtype, lanes);
      }
    }
  }

  #gather(instruction: Instruction & { op: "gather" }, k: number, lanes: Lanes): Value {
    const { access, extent, stride, index } = instruction;
    const dtype = this.#dtypeOf(access);
    const bytes = bytesOf(dtype);
    const first = this.#place(access, k);
    // Moves are never negative, an address being no signed number: they count from the lowest element.
    const below = stride < 0 ? (extent - 1) * stride * bytes : 0;
    const place = { ...first, offsetBytes: first.offsetBytes + below };
    const move = this.#moves.get(instruction);
    if (move) return this.#engine.load(dtype, { ...place, address: i32.add(place.address, move) }, lanes);
    const by = { index: this.#value(index, k), extent, strideBytes: stride * bytes };
    return this.#engine.gather(dtype, place, by, lanes);
  }

  /** The address part of every gather by value `i`, which is the same in all lanes. */
  #defineMoves(i: number, value: Value): void {
    const { function: f } = this.#scratch;
    for (const instruction of this.#kernel.body) {
      if (instruction.op !== "gather" || instruction.index !== i) continue;
      const bytes = bytesOf(this.#dtypeOf(instruction.access));
      const index = this.#scratch.let(this.#engine.integer(value));
      const last = instruction.extent - 1;
      f.if(i32.lt_s(index, 0), () => f.set(index, 0));
      f.if(i32.gt_s(index, last), () => f.set(index, last));
      const steps = instruction.stride < 0 ? i32.sub(last, index) : index;
      f.set(index, i32.mul(steps, Math.abs(instruction.stride) * bytes));
      this.#moves.set(instruction, index);
    }
  }

  #storeAll(stores: LoopKernel["stores"], k: number, lanes: Lanes): void {
    // All loads of an iteration come before its stores: a value may be stored where another one is read.
    const values = stores.map(({ value }) => {
      const stored = this.#value(value, k);
      return stores.length > 1 ? { ...stored, code: this.#scratch.reusable(stored.code) } : stored;
    });
    stores.forEach(({ access }, s) => {
      this.#engine.store(this.#place(access, k), this.#dtypeOf(access), values[s], lanes);
    });
  }

  /** Accumulators: one for each vector of the strip; in a folded vector loop as many as a strip can have. */
  #startFolds(): void {
    const count = this.#foldsLanes() ? this.#schedule.unroll : this.#strip.lanes.length;
    this.#accumulators = this.#kernel.reductions.map(({ combine, value }) =>
      Array.from({ length: count }, () => {
        const { dtype } = this.#kernel.body[value];
        return this.#scratch.let(this.#engine.identity(combine, dtype).code);
      }),
    );
  }

  #accumulate(k: number, lanes: number): void {
    this.#kernel.reductions.forEach(({ combine, value }, r) => {
      const engine = this.#engine;
      const current = this.#value(value, k);
      const accumulator = { dtype: current.dtype, code: this.#accumulators[r][k], mask: false };
      const partial = this.#foldsLanes() && lanes < engine.width;
      const added = partial
        ? engine.firstLanes(current, engine.identity(combine, current.dtype), lanes)
        : current;
      this.#scratch.function.set(this.#accumulators[r][k], engine.combine(combine, accumulator, added).code);
    });
  }

  #finishFolds(): void {
    this.#kernel.reductions.forEach(({ combine, value, access }, r) => {
      const { dtype } = this.#kernel.body[value];
      const parts = this.#accumulators[r].map((code): Value => ({ dtype, code, mask: false }));
      const target = this.#dtypeOf(access);
      if (this.#foldsLanes()) {
        const whole = parts.reduce((a, b) => this.#engine.combine(combine, a, b));
        const folded = this.#engine.fold(combine, { ...whole, code: this.#scratch.reusable(whole.code) });
        this.#engine.store(this.#place(access, 0), target, folded, "same");
      } else {
        parts.forEach((part, k) => {
          this.#engine.store(this.#place(access, k), target, part, this.#strip.lanes[k]);
        });
      }
    });
  }

  #foldsLanes(): boolean {
    return this.#kernel.reduced[this.#nest.vectorLoop];
  }

  #loop(d: number): void {
    if (d === this.#nest.vectorLoop) this.#vectorLoop(d);
    else this.#repeat(d, this.#kernel.extents[d], 1, () => this.#level(d + 1));
  }

  /** Full strips, then one strip with what is left. */
  #vectorLoop(d: number): void {
    const { width } = this.#engine;
    const { unroll } = this.#schedule;
    const extent = this.#kernel.extents[d];
    const vectors = Math.floor(extent / width);
    const strips = Math.floor(vectors / unroll);
    const rest = Array.from({ length: vectors % unroll }, () => width);
    if (extent % width > 0) rest.push(extent % width);
    const strip = (lanes: readonly number[], first: number) => {
      const outside = this.#strip;
      this.#strip = { lanes, first };
      this.#scratch.scope(() => this.#level(d + 1));
      this.#strip = outside;
    };
    const full = Array.from({ length: unroll }, () => width);
    if (strips === 1) strip(full, 0);
    if (strips > 1) {
      this.#repeat(
        d,
        strips,
        unroll * width,
        () => strip(full, 0),
        () => {
          if (rest.length > 0) strip(rest, 0);
        },
      );
    } else if (rest.length > 0) strip(rest, strips * unroll);
  }

  /** Runs `body` `count` times, `step` indices of loop `d` apart; `after` sees the addresses behind the last. */
  #repeat(d: number, count: number, step: number, body: () => void, after: () => void = () => {}): void {
    const { function: f } = this.#scratch;
    this.#scratch.scope(() => {
      const moving = [...this.#streams.values()].filter(({ strides }) => strides[d] !== 0);
      const outside = moving.map(({ address }) => address);
      const locals = moving.map((stream) => this.#scratch.let(stream.address));
      // A stream that moves forward counts the rounds as well.
      const leading = moving.findIndex(({ strides }) => strides[d] > 0);
      const counter = leading < 0 ? this.#scratch.let(i32.const(0)) : locals[leading];
      const advance = leading < 0 ? 1 : moving[leading].strides[d] * step;
      const start = leading < 0 ? i32.const(0) : outside[leading];
      const end = this.#scratch.let(i32.add(start, count * advance));
      moving.forEach((stream, s) => {
        stream.address = locals[s];
      });
      this.#scratch.repeat(
        () => {
          body();
          moving.forEach(({ strides }, s) => {
            f.add(locals[s], strides[d] * step);
          });
          if (leading < 0) f.add(counter, 1);
        },
        () => i32.ne(counter, end),
      );
      after();
      moving.forEach((stream, s) => {
        stream.address = outside[s];
      });
    });
  }

  /** Elements of the vector loop before vector `k` of the strip. */
  #vectorsBefore(k: number): number {
    return (this.#strip.first + k) * this.#engine.width;
  }

  #place(access: Access, k: number): Place {
    const bytes = bytesOf(this.#dtypeOf(access));
    const strides = this.#byteStrides(access);
    const strideBytes = strides[this.#nest.vectorLoop];
    const start = this.#target.buffers[access.buffer].offset + access.offset * bytes;
    const offsetBytes = start - this.#lowest(strides) + this.#vectorsBefore(k) * strideBytes;
    return { address: this.#stream(strides).address, offsetBytes, strideBytes };
  }

  #byteStrides({ buffer, strides }: Access): readonly number[] {
    const bytes = bytesOf(this.#target.buffers[buffer].dtype);
    return strides.map((stride) => stride * bytes);
  }

  #dtypeOf(access: Access) {
    return this.#target.buffers[access.buffer].dtype;
  }

  #stream(strides: readonly number[]): Stream {
    const key = strides.join();
    const known = this.#streams.get(key);
    if (known) return known;
    const stream = { strides, address: i32.const(this.#lowest(strides)) };
    this.#streams.set(key, stream);
    return stream;
  }

  /** How far negative strides reach below the first element, as a positive number: where a stream starts. */
  #lowest(strides: readonly number[]): number {
    return strides.reduce((sum, s, d) => (s < 0 ? sum - s * (this.#kernel.extents[d] - 1) : sum), 0);
  }
}
