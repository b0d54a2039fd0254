/**
 * What one core reaches: each given product and convolution with every library that works here, and copies in main
 * memory.
 */
import { createInterface } from "node:readline";
import { allGemm, type ConvolutionSpec, createSharedMemory, selectConvolution } from "../slalom.js";
import type { Product } from "../specification.js";

const copyBytes = 32 << 20;
const square: Product = { m: 512, n: 512, k: 512, transA: false, transB: false, count: 1 };

/** One argument: a JSON list of products. Measures again for each line that comes in. */
export async function main([argument]: readonly string[]): Promise<void> {
  const products: Product[] = [square, ...JSON.parse(argument)];
  const calls = prepareAll(products);
  const from = new Uint8Array(copyBytes).fill(1);
  const to = new Uint8Array(copyBytes).fill(2);
  process.stdout.write('{"ready":true}\n');
  for await (const _ of createInterface({ input: process.stdin })) {
    const [peak, ...own] = products.map(({ m, n, k }, i) =>
      Math.max(...calls[i].map((call) => (2 * m * n * k) / (bestMs(8, call) * 1e6))),
    );
    const gigabytesPerS = (2 * copyBytes) / (bestMs(60, () => to.set(from)) * 1e6);
    process.stdout.write(
      `${JSON.stringify({ gflops: Math.max(peak, ...own), productGflops: own, gigabytesPerS })}\n`,
    );
  }
}

/** For each product the ways to compute it: as a product by each library, and as the convolution that it is. */
function prepareAll(products: readonly Product[]): (() => void)[][] {
  const { libraries } = allGemm();
  const specs = products.flatMap(({ convolution }) => convolution ?? []);
  const convolutions = libraries.map(selectConvolution);
  const sizes = products.map(operandSizes);
  const most = (operand: 0 | 1 | 2): number => aligned(4 * Math.max(...sizes.map((size) => size[operand])));
  const a = 0;
  const b = a + most(0);
  const c = b + most(1);
  const gemmWorkspace = c + most(2);
  const convolutionWorkspace =
    gemmWorkspace + aligned(Math.max(...libraries.map(({ workspaceBytes }) => workspaceBytes)));
  const end = convolutionWorkspace + Math.max(...convolutions.map((one) => one.workspaceBytes(specs)));
  const memory = createSharedMemory(Math.ceil(end / 65536));
  const values = new Float32Array(memory.buffer, 0, gemmWorkspace / 4);
  for (let i = 0; i < values.length; i++) values[i] = ((i * 7) % 17) / 8 - 1;
  const bound = libraries.map((library, i) => {
    const gemm = library.bind(memory, gemmWorkspace);
    return { gemm, convolution: convolutions[i].bind(memory, convolutionWorkspace, gemm) };
  });
  return products.map(({ m, n, k, transA, transB, convolution: spec }) =>
    bound.flatMap(({ gemm, convolution }) => {
      const product = gemm.prepare({ dtype: "float32", m, n, k, transA, transB });
      const convolved = spec && convolution.prepare(spec);
      return [() => product(a, b, c), ...(convolved ? [() => convolved(a, b, c)] : [])];
    }),
  );
}

/** Numbers of A, B and C, or of images, filters and outputs where these are more. */
function operandSizes({ m, n, k, convolution }: Product): [number, number, number] {
  const [x, w, y] = convolution ? tensorSizes(convolution) : [0, 0, 0];
  return [Math.max(m * k, x), Math.max(k * n, w), Math.max(m * n, y)];
}

const tensorSizes = (spec: ConvolutionSpec): [number, number, number] => [
  spec.images * spec.height * spec.width * spec.channels,
  (spec.filters * spec.kernelHeight * spec.kernelWidth * spec.channels) / spec.groups,
  spec.images * spec.outputHeight * spec.outputWidth * spec.filters,
];

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** The shortest time of runs that fill `budgetMs`; short ones are timed in groups of what takes a tenth of one. */
function bestMs(budgetMs: number, run: () => void): number {
  run();
  const once = timeMs(1, run);
  const group = Math.max(1, Math.min(200, Math.floor(budgetMs / 10 / Math.max(once, 1e-4))));
  const end = performance.now() + budgetMs;
  let best = Number.POSITIVE_INFINITY;
  do best = Math.min(best, timeMs(group, run));
  while (performance.now() < end);
  return best;
}

function timeMs(count: number, run: () => void): number {
  const start = performance.now();
  for (let i = 0; i < count; i++) run();
  return (performance.now() - start) / count;
}
