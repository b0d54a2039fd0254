/** The check that keeps a wrong offset from reaching a C library: it would write anywhere in the process. */
import { bytesOf } from "../../../base/dtype.js";
import { SlalomError } from "../../../base/errors.js";
import type { ConvolutionCall, ConvolutionSpec } from "./types.js";

/** Elements of each tensor. */
export function elementsOf(spec: ConvolutionSpec): Readonly<Record<"x" | "w" | "y" | "bias", number>> {
  const { images, filters, channels, groups } = spec;
  return {
    x: images * spec.height * spec.width * channels,
    w: (filters * spec.kernelHeight * spec.kernelWidth * channels) / groups,
    y: images * spec.outputHeight * spec.outputWidth * filters,
    bias: spec.bias ? filters : 0,
  };
}

/** `call` with its offsets, which may come as signed 32-bit integers from WebAssembly, checked first. */
export function guarded(spec: ConvolutionSpec, memoryBytes: number, call: ConvolutionCall): ConvolutionCall {
  const elements = elementsOf(spec);
  const bytes = bytesOf(spec.dtype);
  const last = (name: keyof typeof elements): number => memoryBytes - elements[name] * bytes;
  const [lastX, lastW, lastY, lastBias] = [last("x"), last("w"), last("y"), last("bias")];
  return (x, w, y, bias = 0) => {
    const [atX, atW, atY, atBias] = [x >>> 0, w >>> 0, y >>> 0, bias >>> 0];
    if (atX > lastX || atW > lastW || atY > lastY || atBias > lastBias) {
      throw new SlalomError(
        "internal",
        `convolution at byte offsets ${atX}, ${atW}, ${atY}, ${atBias} reaches beyond the memory of ${memoryBytes} bytes (a bug in Slalom: please report it)`,
      );
    }
    call(atX, atW, atY, atBias);
  };
}
