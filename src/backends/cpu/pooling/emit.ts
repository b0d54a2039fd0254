/**
 * Pooling as WebAssembly: window by window, channels innermost, four at a time. Where windows lie inside the image their
 * taps are unrolled; where padding cuts them each position has bounds of its own.
 */
import { bytesOf } from "../../../base/dtype.js";
import type { PoolKernel } from "../../../compile/plan.js";
import type { KernelFunction, LoopTarget } from "../loops/index.js";
import {
  type Code,
  type FunctionBuilder,
  i32,
  type Local,
  memory,
  type Operand,
  select,
  type ValueType,
} from "../wasm/index.js";
import { type PoolEngine, scalarEngines, type Tap, vectorEngine } from "./engine.js";

/** Adds `kernel` as a function, exported under `name` if there is one. */
export function emitPool(target: LoopTarget, kernel: PoolKernel, name?: string): KernelFunction {
  const { images, channels, outputHeight, outputWidth, height, width, dtype, attributes, mode } = kernel;
  const { stride, padding } = attributes;
  const bytes = bytesOf(dtype);
  const pixelBytes = channels * bytes;
  const writesImages = mode === "unpool" || mode === "spread";
  const offsetOf = (buffer: number | undefined): number =>
    buffer === undefined ? 0 : target.buffers[buffer].offset;
  const [imagesBuffer, pooledBuffer] = writesImages
    ? [kernel.target, kernel.source]
    : [kernel.source, kernel.target];
  return target.module.function(name, { parameters: {} }, (f) => {
    if (writesImages && !tiles(kernel))
      f.do(memory.fill(offsetOf(imagesBuffer), 0, images * height * width * pixelBytes));
    const pooled = f.let(i32.const(offsetOf(pooledBuffer)));
    const index = f.let(i32.const(offsetOf(kernel.index)));
    f.for({ to: images }, (image) => {
      f.for({ to: outputHeight }, (row) => {
        const top = f.let(i32.sub(i32.mul(row, stride[0]), padding[0][0]));
        f.for({ to: outputWidth }, (column) => {
          const left = f.let(i32.sub(i32.mul(column, stride[1]), padding[1][0]));
          const pixel = i32.add(i32.mul(i32.add(i32.mul(image, height), top), width), left);
          const corner = f.let(i32.add(i32.mul(pixel, pixelBytes), offsetOf(imagesBuffer)));
          const window: Window = { corner, pooled, index, taps: tapsOf(f, kernel, top, left) };
          emitChannels(f, kernel, window);
          f.add(pooled, pixelBytes);
          f.add(index, channels);
        });
      });
    });
  });
}

/** Whether windows cover every element exactly once: none need be cleared before. */
function tiles({ height, width, outputHeight, outputWidth, attributes }: PoolKernel): boolean {
  const { size, stride, padding } = attributes;
  return (
    padding.flat().every((amount) => amount === 0) &&
    size.every((extent, axis) => extent === stride[axis]) &&
    outputHeight * size[0] === height &&
    outputWidth * size[1] === width
  );
}

/** One position of the window, as addresses in bytes. */
interface Window {
  /** Of the first tap, which may lie in the padding. */
  readonly corner: Local<"i32">;
  readonly pooled: Local<"i32">;
  readonly index: Local<"i32">;
  readonly taps: Taps;
}

/** The taps of a window that lie in the image. */
interface Taps {
  /** Byte distance from the corner to the first tap, and its number. */
  readonly first: { readonly distance: Operand<"i32">; readonly tap: Tap };
  /** Emits `body` for each tap: at `address + offsetBytes`, if `address` is that of the corner. */
  each(address: Local<"i32">, body: (at: Local<"i32">, offsetBytes: number, tap: Tap) => void): void;
}

function tapsOf(f: FunctionBuilder, kernel: PoolKernel, top: Local<"i32">, left: Local<"i32">): Taps {
  const { size, padding } = kernel.attributes;
  const rowBytes = kernel.width * kernel.channels * bytesOf(kernel.dtype);
  const pixelBytes = kernel.channels * bytesOf(kernel.dtype);
  if (padding.flat().every((amount) => amount === 0)) {
    return {
      first: { distance: 0, tap: 0 },
      each(address, body) {
        for (let i = 0; i < size[0]; i++)
          for (let j = 0; j < size[1]; j++) body(address, i * rowBytes + j * pixelBytes, i * size[1] + j);
      },
    };
  }
  const atLeast0 = (start: Code<"i32">): Code<"i32"> => select(i32.gt_s(start, 0), start, i32.const(0));
  const atMost = (end: Code<"i32">, most: number): Code<"i32"> =>
    select(i32.lt_s(end, most), end, i32.const(most));
  const from = [f.let(atLeast0(i32.sub(0, top))), f.let(atLeast0(i32.sub(0, left)))];
  const to = [
    f.let(atMost(i32.sub(kernel.height, top), size[0])),
    f.let(atMost(i32.sub(kernel.width, left), size[1])),
  ];
  const distance = (i: Code<"i32">, j: Code<"i32">): Code<"i32"> =>
    i32.add(i32.mul(i, rowBytes), i32.mul(j, pixelBytes));
  const number = (i: Code<"i32">, j: Code<"i32">): Code<"i32"> => i32.add(i32.mul(i, size[1]), j);
  return {
    first: { distance: f.let(distance(from[0], from[1])), tap: f.let(number(from[0], from[1])) },
    each(address, body) {
      f.for({ from: from[0], to: to[0] }, (i) => {
        f.for({ from: from[1], to: to[1] }, (j) => {
          body(f.let(i32.add(address, distance(i, j))), 0, f.let(number(i, j)));
        });
      });
    },
  };
}

/** All channels of one window: vectors first, what is left one by one. */
function emitChannels(f: FunctionBuilder, kernel: PoolKernel, window: Window): void {
  const { channels, dtype } = kernel;
  const inVectors = dtype === "float32" ? channels - (channels % vectorEngine.channels) : 0;
  if (inVectors > 0) emitRange(f, kernel, vectorEngine, window, 0, inVectors);
  if (inVectors === channels) return;
  if (dtype === "float32") emitRange(f, kernel, scalarEngines.float32, window, inVectors, channels);
  else emitRange(f, kernel, scalarEngines.float64, window, inVectors, channels);
}

function emitRange<V extends ValueType, I extends ValueType>(
  f: FunctionBuilder,
  kernel: PoolKernel,
  engine: PoolEngine<V, I>,
  window: Window,
  from: number,
  to: number,
): void {
  const bytes = bytesOf(kernel.dtype);
  f.for({ from, to, step: engine.channels }, (channel) => {
    const distance = f.let(i32.mul(channel, bytes));
    const corner = f.let(i32.add(window.corner, distance));
    const pooled = f.let(i32.add(window.pooled, distance));
    const index = f.let(i32.add(window.index, channel));
    emitWindow(f, kernel, engine, { ...window, corner, pooled, index });
  });
}

function emitWindow<V extends ValueType, I extends ValueType>(
  f: FunctionBuilder,
  kernel: PoolKernel,
  engine: PoolEngine<V, I>,
  { corner, pooled, index, taps }: Window,
): void {
  const put = (at: Local<"i32">, value: Code<V>, offsetBytes: number): void => {
    const whole = tiles(kernel) ? value : engine.add(engine.load(at, offsetBytes), value);
    f.do(engine.store(at, whole, offsetBytes));
  };
  switch (kernel.mode) {
    case "max": {
      const best = f.let(engine.load(i32.add(corner, taps.first.distance), 0));
      const place = f.let(engine.tap(taps.first.tap));
      taps.each(corner, (at, offsetBytes, tap) => {
        const candidate = f.let(engine.load(at, offsetBytes));
        const beats = f.let(engine.beats(candidate, best));
        if (kernel.index !== undefined)
          f.set(place, engine.choosePlace(beats, engine.tap(tap), place) as never);
        f.set(best, engine.choose(beats, candidate, best) as never);
      });
      if (kernel.target !== undefined) f.do(engine.store(pooled, best, 0));
      if (kernel.index !== undefined) f.do(engine.storePlace(index, place));
      return;
    }
    case "pick": {
      const place = f.let(engine.loadPlace(index));
      const picked = f.let(engine.zero());
      taps.each(corner, (at, offsetBytes, tap) => {
        const isIt = engine.equal(place, engine.tap(tap));
        f.set(picked, engine.choose(isIt, engine.load(at, offsetBytes), picked) as never);
      });
      f.do(engine.store(pooled, picked, 0));
      return;
    }
    case "unpool": {
      const place = f.let(engine.loadPlace(index));
      const value = f.let(engine.load(pooled, 0));
      taps.each(corner, (at, offsetBytes, tap) => {
        put(at, engine.only(engine.equal(place, engine.tap(tap)), value), offsetBytes);
      });
      return;
    }
    case "sum": {
      const total = f.let(engine.zero());
      taps.each(corner, (at, offsetBytes) => {
        f.set(total, engine.add(total, engine.load(at, offsetBytes)) as never);
      });
      f.do(engine.store(pooled, total, 0));
      return;
    }
    case "spread": {
      const value = f.let(engine.load(pooled, 0));
      taps.each(corner, (at, offsetBytes) => put(at, value, offsetBytes));
    }
  }
}
