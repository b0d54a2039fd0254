/**
 * A large product that one loop alone reads, such as the gradient of a weight matrix in its update: computed by strips
 * of rows, each of which the loop finds in the cache, instead of written to memory whole and read again.
 *
 * Where ranks add up such products of their own examples, each rank makes the sum itself, for its share of the rows,
 * from what all ranks multiply: as much arithmetic, and no product travels.
 */
import { bytesOf } from "../../base/dtype.js";
import { type Shape, sizeOf, stridesOf } from "../../base/shape.js";
import { kernelEffects } from "../kernelEffects.js";
import { withoutUnused } from "../loopParts.js";
import type { GemmKernel, Instruction, Kernel, LoopKernel, StripsKernel } from "../plan.js";

export interface StripOptions {
  readonly ranks: number;
  /** Whether a slot is memory that these kernels alone use and nothing outlives. */
  readonly isOwn: (slot: number) => boolean;
  /** Whether a slot exists once for all ranks. */
  readonly isShared: (slot: number) => boolean;
  /** A new slot of this shape for what another one holds. */
  readonly addSlot: (like: number, shape: Shape) => number;
}

/** Smaller products stay in a cache as they are. */
const smallestBytes = 1 << 20;
/** What a strip of the product takes: with as much of each operand of the loop it fits into a core's own cache. */
const stripBytes = 1 << 18;

export function inStrips(kernels: readonly Kernel[], options: StripOptions): Kernel[] {
  const result = [...kernels];
  for (const product of kernels) {
    if (product.kind !== "gemm" || !isLarge(product) || !options.isOwn(product.c.buffer)) continue;
    const readers = result.filter((other) => kernelEffects(other).reads.includes(product.c.buffer));
    const [loop] = readers;
    if (readers.length !== 1 || loop.kind !== "loop") continue;
    const [from, to] = [result.indexOf(product), result.indexOf(loop)];
    if (operandsChange(result.slice(from + 1, to + 1), product)) continue;
    const strips = stripsOf(product, loop, options);
    if (!strips) continue;
    result[to] = strips;
    result.splice(from, 1);
  }
  return result;
}

const isLarge = ({ m, n, k, dtype, accumulate }: GemmKernel): boolean =>
  !accumulate && m * n * bytesOf(dtype) >= smallestBytes && k < m && k < n;

/** Whether one of the kernels, the loop itself among them, writes what the product reads. */
const operandsChange = (between: readonly Kernel[], { a, b }: GemmKernel): boolean =>
  between.some((kernel) =>
    kernelEffects(kernel).writes.some((slot) => slot === a.buffer || slot === b.buffer),
  );

/** Both as one kernel; undefined where the loop does not walk the product's rows one after another. */
function stripsOf(product: GemmKernel, loop: LoopKernel, options: StripOptions): StripsKernel | undefined {
  const { ranks, isShared, addSlot } = options;
  const { extents } = loop;
  const dimension = extents.findIndex((extent) => extent > 1);
  const { m, n, c, batch, dtype } = product;
  const walks =
    batch.length === 0 &&
    c.offset === 0 &&
    c.leading === n &&
    loop.reductions.length === 0 &&
    dimension >= 0 &&
    m % extents[dimension] === 0 &&
    sizeOf(extents) === m * n;
  if (!walks) return undefined;
  if (ranks > 1 && !loop.stores.every(({ access }) => isShared(access.buffer))) return undefined;
  const rowBytes = (m / extents[dimension]) * n * bytesOf(dtype);
  const rows = Math.max(1, Math.floor(stripBytes / rowBytes));
  if (rows >= extents[dimension]) return undefined;
  const slot = addSlot(c.buffer, [(rows * m) / extents[dimension], n]);
  const reading = readingStrip(loop, product.c.buffer, slot, ranks);
  if (!reading) return undefined;
  const peers = Array.from({ length: ranks }, (_, peer) => (ranks === 1 ? {} : { peer }));
  return {
    kind: "strips",
    name: `${product.name}, ${loop.name}`,
    products: peers.map((peer, i) => ({
      ...product,
      a: { ...product.a, ...peer },
      b: { ...product.b, ...peer },
      c: { ...product.c, buffer: slot },
      accumulate: i > 0,
    })),
    loop: reading,
    dimension,
    rows,
  };
}

/** The loop with the strip's memory in place of the product's, or of its sum over all ranks. */
function readingStrip(loop: LoopKernel, from: number, to: number, ranks: number): LoopKernel | undefined {
  const strides = stridesOf(loop.extents);
  const isRead = (instruction: Instruction): boolean =>
    "access" in instruction && instruction.access.buffer === from;
  const reads = loop.body.flatMap((instruction, i) => (isRead(instruction) ? [i] : []));
  const isWhole = reads.every((i) => {
    const instruction = loop.body[i];
    if (instruction.op !== "load") return false;
    const { access } = instruction;
    return (
      access.offset === 0 &&
      strides.every((stride, d) => loop.extents[d] === 1 || access.strides[d] === stride)
    );
  });
  const total = isWhole ? sumOf(loop.body, reads, ranks) : undefined;
  if (total === undefined) return undefined;
  const { dtype } = loop.body[total];
  const body = loop.body.with(total, { op: "load", dtype, access: { buffer: to, offset: 0, strides } });
  return withoutUnused({ ...loop, body });
}

/** The instruction that adds up what all ranks hold, of which nothing else reads a part; the read itself for one rank. */
function sumOf(body: readonly Instruction[], reads: readonly number[], ranks: number): number | undefined {
  if (reads.length !== ranks) return undefined;
  let [total, ...others] = reads;
  while (others.length > 0) {
    const next = body.findIndex(
      (instruction) => instruction.op === "add" && instruction.inputs.includes(total),
    );
    const instruction = body[next];
    if (instruction?.op !== "add") return undefined;
    const other = instruction.inputs.find((input) => input !== total)!;
    const isSoleUse = [total, other].every((part) => usesOf(body, part) === 1);
    if (!others.includes(other) || !isSoleUse) return undefined;
    others = others.filter((read) => read !== other);
    total = next;
  }
  return total;
}

const usesOf = (body: readonly Instruction[], value: number): number =>
  body.filter((instruction) => "inputs" in instruction && instruction.inputs.includes(value)).length;
