/**
 * Convolutions by oneDNN, float32, in plain channels-last layout. Only the filters are reordered, from and to whatever
 * its kernels want: with filters in our own layout it falls back to loops a thousand times slower, and reordering takes
 * 10 us where the convolution of 205 kB of filters takes 3,700.
 */
import { openOneDnnLibrary } from "../gemm/onednn.js";
import type { WasmMemory } from "../wasm/index.js";
import { argumentOf, Dnnl, type Layout, type Pointer } from "./dnnl.js";
import { guarded } from "./guard.js";
import { im2colConvolution } from "./im2col.js";
import type { ConvolutionCall, ConvolutionLibrary, ConvolutionSpec } from "./types.js";

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
          dnnl ??= new Dnnl(library, version.startsWith("2.") ? 2 : 3);
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
  const layouts = layoutsOf(spec);
  const source = dnnl.descriptor(layouts.source);
  const destination = dnnl.descriptor(layouts.destination);
  const ours = dnnl.descriptor(layouts.weights);
  const biasDescriptor = bias ? dnnl.descriptor({ extents: [spec.filters], strides: [1] }) : 0n;
  const description = dnnl.convolution(
    direction,
    {
      source,
      weights: dnnl.descriptor({ ...layouts.weights, strides: "any" }),
      bias: biasDescriptor,
      destination,
      strides: spec.stride,
      dilations: spec.dilation.map((step) => step - 1),
      paddingBefore: spec.padding.map(([before]) => before),
      paddingAfter: spec.padding.map(([, after]) => after),
    },
    { relu },
  );
  // Its plain loops are a thousand times slower than products of patches.
  if (description === undefined || dnnl.implementationOf(description).startsWith("ref")) return undefined;
  const theirs = dnnl.weightsOf(description, direction);
  const primitive = dnnl.primitive(description);
  const isSame = dnnl.same(theirs, ours);
  const reordered = isSame ? undefined : dnnl.memory(theirs, "own");
  const reorder =
    reordered && (direction === "kernel" ? dnnl.reorder(theirs, ours) : dnnl.reorder(ours, theirs));

  /** All calls of one set of places; in a plan there is one. */
  const make = (x: number, w: number, y: number, b: number): (() => void) => {
    const at = (descriptor: Pointer, offset: number): Pointer =>
      dnnl.memory(descriptor, base + BigInt(offset));
    const weights = at(ours, w);
    const tensors = { source: at(source, x), weights: reordered ?? weights, destination: at(destination, y) };
    const biases: [number, Pointer][] = bias ? [[argumentOf.bias, at(biasDescriptor, b)]] : [];
    const run = dnnl.execution(primitive, [...argumentsOf(direction, tensors), ...biases]);
    if (reorder === undefined || reordered === undefined) return run;
    const [from, to] = direction === "kernel" ? [reordered, weights] : [weights, reordered];
    const copy = dnnl.execution(reorder, [
      [argumentOf.source, from],
      [argumentOf.destination, to],
    ]);
    return direction === "kernel"
      ? () => {
          run();
          copy();
        }
      : () => {
          copy();
          run();
        };
  };
  const made = new Map<string, () => void>();
  return guarded(spec, memory.buffer.byteLength, (x, w, y, b = 0) => {
    const key = `${x},${w},${y},${b}`;
    let call = made.get(key);
    if (call === undefined) {
      call = make(x, w, y, b);
      made.set(key, call);
    }
    call();
  });
}

type Tensors = Readonly<Record<"source" | "weights" | "destination", Pointer>>;

function argumentsOf(
  direction: ConvolutionSpec["direction"],
  { source, weights, destination }: Tensors,
): [number, Pointer][] {
  const a = argumentOf;
  switch (direction) {
    case "forward":
      return [
        [a.source, source],
        [a.weights, weights],
        [a.destination, destination],
      ];
    case "input":
      return [
        [a.destinationGradient, destination],
        [a.weights, weights],
        [a.sourceGradient, source],
      ];
    case "kernel":
      return [
        [a.source, source],
        [a.destinationGradient, destination],
        [a.weightsGradient, weights],
      ];
  }
}

/** oneDNN names extents with channels second; strides say where they lie. */
function layoutsOf(
  spec: ConvolutionSpec,
): Readonly<Record<"source" | "weights" | "destination", Layout & { strides: readonly number[] }>> {
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
