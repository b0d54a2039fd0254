/** What a step must at least compute and move, read from its plan; and the time that this machine needs for it. */
import { convolutionSpec, type Kernel, type Plan } from "./slalom.js";
import type { Product, Roofs, StepWork } from "./specification.js";

/** Products of an entry, and the least bytes: each variable that a step must touch once, each state twice. */
export function workOf(plan: Plan, entry: string, batchBytes: number): StepWork {
  const { kernels } = plan.entries[entry];
  const products = kernels.flatMap((kernel): Product[] =>
    kernel.kind === "convolution"
      ? [productOf(kernel)]
      : kernel.kind === "gemm"
        ? [
            {
              m: kernel.m,
              n: kernel.n,
              k: kernel.k,
              transA: kernel.a.transposed,
              transB: kernel.b.transposed,
              count: kernel.batch.reduce((a, b) => a * b, 1),
            },
          ]
        : [],
  );
  const states = plan.buffers.filter(({ name }) => name.startsWith("parameter/") || name.startsWith("slot/"));
  const stateBytes = states.reduce(
    (sum, { shape, dtype }) => sum + shape.reduce((a, b) => a * b, 1) * (dtype === "float64" ? 8 : 4),
    0,
  );
  return { products, bytes: batchBytes + 2 * stateBytes };
}

/** The product that a convolution is, of patches and filters: its arithmetic, whoever does it. */
function productOf(kernel: Kernel & { kind: "convolution" }): Product {
  const { computes, sizes, attributes, lanes } = kernel;
  const { images, outputHeight, outputWidth, filters, kernelHeight, kernelWidth, channels } = sizes;
  const positions = images * outputHeight * outputWidth;
  const taps = (kernelHeight * kernelWidth * channels) / attributes.groups;
  const [m, n, k] = {
    y: [positions, filters, taps],
    x: [positions, taps, filters],
    w: [filters, taps, positions],
  }[computes];
  const convolution = { ...convolutionSpec(kernel), bias: false, relu: false };
  return { m, n, k, transA: computes === "w", transB: computes === "y", count: lanes, convolution };
}

/** The work divided among `steps` counted steps. */
export const perStep = ({ products, bytes }: StepWork, steps: number): StepWork => ({
  products: products.map((product) => ({ ...product, count: product.count / steps })),
  bytes: bytes / steps,
});

/** The work of several entries together, each `times` over. */
export const sumOfWork = (parts: readonly { work: StepWork; times: number }[]): StepWork => ({
  products: parts.flatMap(({ work, times }) => perStep(work, 1 / times).products),
  bytes: parts.reduce((sum, { work, times }) => sum + work.bytes * times, 0),
});

export const flopsOf = ({ products }: StepWork): number =>
  products.reduce((sum, { m, n, k, count }) => sum + 2 * m * n * k * count, 0);

export interface Floor {
  /** Arithmetic at the best rate measured for any product or convolution, bytes at that of main memory. */
  readonly floorS: number;
  /** The products and convolutions alone, each at the best rate measured for its own shape. */
  readonly productsS: number;
}

export function floorOf(work: StepWork, { gflops, productGflops, gigabytesPerS }: Roofs): Floor {
  return {
    floorS: flopsOf(work) / (gflops * 1e9) + work.bytes / (gigabytesPerS * 1e9),
    productsS: work.products.reduce(
      (sum, { m, n, k, count }, i) => sum + (2 * m * n * k * count) / (productGflops[i] * 1e9),
      0,
    ),
  };
}
