/** Gradients of three layers, summed over ranks while the backward pass goes on; and those of one rank alone. */
import type { Backend } from "../../src/compile/backend.js";
import type { Program } from "../../src/compile/program.js";
import * as g from "../../src/graph/index.js";
import { grad } from "../../src/transform/index.js";

/** The first two matrices are so large that they travel alone, in several pieces. */
const sizes = [300, 900, 1000, 3];
const rows = 4;

/** The gradients that each of `ranks` ranks has, added in their order. */
export function summedOn(backend: Backend, ranks: number): Float32Array[] {
  return gradientsOn(backend, {
    rank: g.cast(g.rank(), "float32"),
    summed: g.allReduceSum,
    ranks,
  });
}

/** The gradients of one of the ranks. */
export function ownOn(backend: Backend, rank: number): Float32Array[] {
  return gradientsOn(backend, { rank: g.constant(rank), summed: (x) => x, ranks: 1 });
}

interface Setting {
  readonly rank: g.Tensor;
  readonly summed: (gradient: g.Tensor) => g.Tensor;
  readonly ranks: number;
}

function gradientsOn(backend: Backend, setting: Setting): Float32Array[] {
  const program = programOf(setting);
  const executable = backend.compile(program);
  for (const [name, { shape }] of Object.entries(program.variables)) {
    if (!name.startsWith("w")) continue;
    const count = shape.reduce((product, extent) => product * extent, 1);
    executable.write(
      name,
      Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.37) / 8),
    );
  }
  executable.run("step", 1);
  const gradients = Object.keys(program.entries.step.updates).map(
    (name) => executable.read(name) as Float32Array,
  );
  executable.release();
  return gradients;
}

function programOf({ rank, summed, ranks }: Setting): Program {
  const x = g.sin(g.add(g.iota([rows, sizes[0]], 1, "float32"), rank));
  let y: g.Tensor = x;
  const weights: Record<string, g.Tensor> = {};
  const results: Record<string, g.Tensor> = {};
  for (const [layer, width] of sizes.slice(1).entries()) {
    const w = g.variable(`w${layer}`, [sizes[layer], width]);
    weights[`w${layer}`] = w;
    results[`gradient${layer}`] = g.variable(`gradient${layer}`, [sizes[layer], width]);
    y = g.tanh(g.matmul(y, w));
  }
  const gradients = grad(g.sum(g.mul(y, y)), Object.values(weights));
  const updates = Object.fromEntries(Object.keys(results).map((name, i) => [name, summed(gradients[i])]));
  return {
    name: "gradients",
    variables: { ...weights, ...results },
    entries: { step: { updates, traces: {} } },
    traceCapacity: 1,
    ranks,
  };
}
