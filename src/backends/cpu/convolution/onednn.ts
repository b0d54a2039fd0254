/**
 * Convolutions by oneDNN, float32, in plain channels-last layout. Filters are reordered, from and to whatever its kernels
 * want: with filters in our own layout it falls back to loops a thousand times slower, and reordering takes 10 us where
 * the convolution of 205 kB of filters takes 3,700. In bfloat16 both operands are rounded by such reorders.
 */
import { majorOf, openOneDnnLibrary } from "../gemm/onednn.js";
import { argumentOf, Dnnl, type ElementType, type Layout, type Pointer } from "../onednn/dnnl.js";
import { madeOnce } from "../onednn/places.js";
import type { WasmMemory } from "../wasm/index.js";
import { guarded } from "./guard.js";
import { im2colConvolution } from "./im2col.js";
import type { ConvolutionCall, ConvolutionDirection, ConvolutionLibrary, ConvolutionSpec } from "./types.js";

/** @throws SlalomError "library" or the loader's error where the file can't be used */
export function openOneDnnConvolution(path: string): ConvolutionLibrary {
  const { library, version } = openOneDnnLibrary(path);
  const fallback = im2colConvolution();
  return {
    name: "onednn",
    title: "oneDNN",
    version,
    path,
    workspaceBytes: fallback.workspaceBytes,
    bind(memory, workspaceOffset, gemm) {
      // Most programs have no convolutions: nothing is made before the first.
      let dnnl: Dnnl | undefined;
      const base = BigInt(library.addressOf(memory));
      const others = fallback.bind(memory, workspaceOffset, gemm);
      return {
        prepare(spec) {
          if (spec.dtype !== "float32") return others.prepare(spec);
          dnnl ??= new Dnnl(library, majorOf(version));
          return prepare(dnnl, base, memory, spec) ?? others.prepare(spec);
        },
        release() {
          dnnl?.release();
          others.release();
        },
      };
    },
  };
}

/** The call; undefined where oneDNN has no such convolution, or no kernel for it. */
function prepare(
  dnnl: Dnnl,
  base: bigint,
  memory: WasmMemory,
  spec: ConvolutionSpec,
): ConvolutionCall | undefined {
  const { direction, bias = false, relu = false } = spec;
  const { result, operands } = partsOf[direction];
  const layouts = layoutsOf(spec);
  const typeOf = (part: Part): ElementType =>
    spec.precision === "bfloat16" && operands.includes(part) ? "bfloat16" : "float32";
  const wish = (part: Part): Layout => ({
    ...layouts[part],
    type: typeOf(part),
    ...(part === "weights" && { strides: "any" }),
  });
  const wishes = eachPart((part) => dnnl.descriptor(wish(part)));
  const ours = eachPart((part) => dnnl.descriptor(layouts[part]));
  const biasDescriptor = bias ? dnnl.descriptor({ extents: [spec.filters], strides: [1] }) : 0n;
  const description = dnnl.convolution(
    direction,
    {
      ...wishes,
      bias: biasDescriptor,
      strides: spec.stride,
      dilations: spec.dilation.map((step) => step - 1),
      paddingBefore: spec.padding.map(([before]) => before),
      paddingAfter: spec.padding.map(([, after]) => after),
    },
    {
      relu,
      // The forward convolution has no parts of two kinds.
      hint: spec.precision && eachPart((part) => dnnl.descriptor({ ...wish(part), type: spec.precision })),
    },
  );
  // Its plain loops are a thousand times slower than products of patches.
  if (description === undefined || dnnl.implementationOf(description).startsWith("ref")) return undefined;
  const theirs = { ...wishes, weights: dnnl.weightsOf(description, direction) };
  const primitive = dnnl.primitive(description);
  /** Of parts that are not taken as they lie: the library's own memory, and the copy from or to ours. */
  const moved = new Map<Part, Moved>(
    parts.flatMap((part) => {
      if (dnnl.same(theirs[part], ours[part])) return [];
      const [from, to] = part === result ? [theirs[part], ours[part]] : [ours[part], theirs[part]];
      return [[part, { own: dnnl.memory(theirs[part], "own"), copy: dnnl.reorder(from, to) }]];
    }),
  );
  /** In a plan one place serves all calls. */
  const call = madeOnce((...[x, w, y, b]: [x: number, w: number, y: number, bias: number]) => {
    const at = (descriptor: Pointer, offset: number): Pointer =>
      dnnl.memory(descriptor, base + BigInt(offset));
    const offsets = { source: x, weights: w, destination: y };
    const given = eachPart((part) => at(ours[part], offsets[part]));
    const run = dnnl.execution(primitive, [
      ...parts.map((part) => [argumentsOf[direction][part], moved.get(part)?.own ?? given[part]] as const),
      ...(bias ? [[argumentOf.bias, at(biasDescriptor, b)] as const] : []),
    ]);
    const copying = (part: Part, { own, copy }: Moved): (() => void) =>
      dnnl.execution(copy, [
        [argumentOf.source, part === result ? own : given[part]],
        [argumentOf.destination, part === result ? given[part] : own],
      ]);
    const copies = [...moved].map(([part, how]) => ({ part, run: copying(part, how) }));
    const before = copies.filter(({ part }) => part !== result).map((copy) => copy.run);
    const after = copies.filter(({ part }) => part === result).map((copy) => copy.run);
    return inTurn([...before, run, ...after]);
  });
  return guarded(spec, memory.buffer.byteLength, (x, w, y, b = 0) => call(x, w, y, b));
}

/** The tensors of a convolution as oneDNN names them. */
const parts = ["source", "weights", "destination"] as const;
type Part = (typeof parts)[number];

interface Moved {
  readonly own: Pointer;
  /** A reorder. */
  readonly copy: Pointer;
}

const eachPart = <T>(make: (part: Part) => T): Record<Part, T> =>
  Object.fromEntries(parts.map((part) => [part, make(part)])) as Record<Part, T>;

/** What each direction computes, and from what. */
const partsOf: Readonly<
  Record<ConvolutionDirection, { readonly result: Part; readonly operands: readonly Part[] }>
> = {
  forward: { result: "destination", operands: ["source", "weights"] },
  input: { result: "source", operands: ["destination", "weights"] },
  kernel: { result: "weights", operands: ["source", "destination"] },
};

const argumentsOf: Readonly<Record<ConvolutionDirection, Readonly<Record<Part, number>>>> = {
  forward: {
    source: argumentOf.source,
    weights: argumentOf.weights,
    destination: argumentOf.destination,
  },
  input: {
    source: argumentOf.sourceGradient,
    weights: argumentOf.weights,
    destination: argumentOf.destinationGradient,
  },
  kernel: {
    source: argumentOf.source,
    weights: argumentOf.weightsGradient,
    destination: argumentOf.destinationGradient,
  },
};

/** One function for all. */
function inTurn(calls: readonly (() => void)[]): () => void {
  if (calls.length === 1) return calls[0];
  return () => {
    for (const call of calls) call();
  };
}

/** oneDNN names extents with channels second; strides say where they lie. */
function layoutsOf(spec: ConvolutionSpec): Readonly<Record<Part, Layout & { strides: readonly number[] }>> {
  const { images, height, width, channels, filters, kernelHeight, kernelWidth, groups } = spec;
  const channelsLast = (count: number, rows: number, columns: number, depth: number) => ({
    extents: [count, depth, rows, columns],
    strides: [rows * columns * depth, 1, columns * depth, depth],
  });
  const weights = channelsLast(filters / groups, kernelHeight, kernelWidth, channels / groups);
  return {
    source: channelsLast(images, height, width, channels),
    destination: channelsLast(images, spec.outputHeight, spec.outputWidth, filters),
    weights:
      groups === 1
        ? weights
        : {
            extents: [groups, ...weights.extents],
            strides: [(filters / groups) * weights.strides[0], ...weights.strides],
          },
  };
}
