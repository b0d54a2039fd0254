/** What each library reaches here, for `slalom doctor`: seconds of arithmetic would be exact, a third of one does. */
import { createSharedMemory, type WasmMemory } from "../wasm/index.js";
import { allGemm, type GemmRejection, type SelectGemmOptions } from "./select.js";
import type { GemmLibrary, GemmLibraryName, GemmSpec } from "./types.js";

/** A shape and what it stands for. */
export interface GemmShape {
  readonly label: string;
  readonly spec: GemmSpec;
}

/** Billions of multiplications and additions a second, on one thread. */
export interface GemmRate {
  readonly label: string;
  readonly gflops: number;
}

export interface GemmLibraryProbe {
  readonly name: GemmLibraryName;
  readonly title: string;
  readonly version: string;
  readonly path: string;
  readonly rates: readonly GemmRate[];
}

export interface GemmProbe {
  /** What works here; the first is what "auto" takes. */
  readonly libraries: readonly GemmLibraryProbe[];
  readonly rejections: readonly GemmRejection[];
  /** Billions of bytes a second that one thread copies from and to main memory, both counted. */
  readonly bandwidthGBs: number;
}

/** A square product, and the three of a lane-batched softmax regression and one of a single lane. */
const probeShapes: readonly GemmShape[] = [
  { label: "512 x 512 x 512", spec: { dtype: "float32", m: 512, n: 512, k: 512 } },
  { label: "forward 100 x 340 x 784", spec: { dtype: "float32", m: 100, n: 340, k: 784 } },
  { label: "gradient 784 x 340 x 100", spec: { dtype: "float32", m: 784, n: 340, k: 100, transA: true } },
  { label: "one lane 100 x 10 x 784", spec: { dtype: "float32", m: 100, n: 10, k: 784 } },
];

/** Time to spend: this much per library and shape, this much on bandwidth. */
const millisecondsPerRate = 10;
const millisecondsForBandwidth = 40;
const matrixBytes = 4 * 1024 * 1024;
const copyBytes = 32 * 1024 * 1024;

/** Measures everything that works here, on the calling thread; about a third of a second. */
export function probeGemm(options: Omit<SelectGemmOptions, "library"> = {}): GemmProbe {
  const { libraries, rejections } = allGemm(options);
  const workspace = Math.max(...libraries.map((library) => library.workspaceBytes));
  const memory = createSharedMemory(Math.ceil((3 * matrixBytes + workspace) / 65536));
  fill(memory);
  return {
    libraries: libraries.map((library) => ({
      name: library.name,
      title: library.title,
      version: library.version,
      path: library.path,
      rates: ratesOf(library, memory),
    })),
    rejections,
    bandwidthGBs: measureBandwidth(),
  };
}

function ratesOf(library: GemmLibrary, memory: WasmMemory): GemmRate[] {
  const bound = library.bind(memory, 3 * matrixBytes);
  return probeShapes.map(({ label, spec }) => {
    const call = bound.prepare(spec);
    const bestMs = bestOf(millisecondsPerRate, () => call(0, matrixBytes, 2 * matrixBytes));
    return { label, gflops: (2 * spec.m * spec.n * spec.k) / (bestMs * 1e6) };
  });
}

/** Copies a buffer larger than most caches; memory that other programs use meanwhile makes it less. */
function measureBandwidth(): number {
  const from = new Uint8Array(copyBytes).fill(1);
  const to = new Uint8Array(copyBytes).fill(2);
  const bestMs = bestOf(millisecondsForBandwidth, () => to.set(from));
  return (2 * copyBytes) / (bestMs * 1e6);
}

/** The shortest of the runs that fit into the time, after one that warms up. */
function bestOf(budgetMs: number, run: () => void): number {
  run();
  const end = performance.now() + budgetMs;
  let best = Number.POSITIVE_INFINITY;
  do {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < end);
  return best;
}

/** Small values of both signs: zeros or denormal numbers would measure something else. */
function fill(memory: WasmMemory): void {
  const values = new Float32Array(memory.buffer, 0, (2 * matrixBytes) / 4);
  for (let i = 0; i < values.length; i++) values[i] = ((i * 7) % 17) / 8 - 1;
}
