/** What one core reaches: each given product with every library that works here, and copies in main memory. */
import { createInterface } from "node:readline";
import { allGemm, createSharedMemory } from "../slalom.js";
import type { Product } from "../specification.js";

const matrixBytes = 8 << 20;
const copyBytes = 32 << 20;
const square: Product = { m: 512, n: 512, k: 512, transA: false, transB: false, count: 1 };

/** One argument: a JSON list of products. Measures again for each line that comes in. */
export async function main([argument]: readonly string[]): Promise<void> {
  const products: Product[] = JSON.parse(argument);
  const { libraries } = allGemm();
  const workspace = Math.max(...libraries.map(({ workspaceBytes }) => workspaceBytes));
  const memory = createSharedMemory(Math.ceil((3 * matrixBytes + workspace) / 65536));
  const values = new Float32Array(memory.buffer, 0, (2 * matrixBytes) / 4);
  for (let i = 0; i < values.length; i++) values[i] = ((i * 7) % 17) / 8 - 1;
  const bound = libraries.map((library) => library.bind(memory, 3 * matrixBytes));
  const calls = [square, ...products].map(({ m, n, k, transA, transB }) => ({
    flops: 2 * m * n * k,
    calls: bound.map((one) => one.prepare({ dtype: "float32", m, n, k, transA, transB })),
  }));
  const from = new Uint8Array(copyBytes).fill(1);
  const to = new Uint8Array(copyBytes).fill(2);
  process.stdout.write('{"ready":true}\n');
  for await (const _ of createInterface({ input: process.stdin })) {
    const [peak, ...own] = calls.map(({ flops, calls }) =>
      Math.max(
        ...calls.map((call) => flops / (bestMs(8, () => call(0, matrixBytes, 2 * matrixBytes)) * 1e6)),
      ),
    );
    const gigabytesPerS = (2 * copyBytes) / (bestMs(60, () => to.set(from)) * 1e6);
    process.stdout.write(
      `${JSON.stringify({ gflops: Math.max(peak, ...own), productGflops: own, gigabytesPerS })}\n`,
    );
  }
}

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
