/**
 * The reference backend: every operation by its own plain loops, straight from the graph. Slow, and the oracle
 * that every other backend is held against.
 */
import { allocate, bytesOf, type TypedArray } from "../../base/dtype.js";
import { unknownName } from "../../base/errors.js";
import { type HostTensor, sizeOf } from "../../base/shape.js";
import { type Backend, checkSteps, checkValues, type Executable } from "../../compile/backend.js";
import { checkProgram, type Program } from "../../compile/program.js";
import { evaluate } from "../../graph/evaluate.js";
import type { Tensor } from "../../graph/tensor.js";

export const referenceBackend = (): Backend => ({
  name: "reference",
  description: "reference (plain loops)",
  compile: (program) => new ReferenceExecutable(program),
});

class ReferenceExecutable implements Executable {
  private readonly values = new Map<Tensor, HostTensor>();
  private readonly traces = new Map<string, TypedArray>();

  constructor(private readonly program: Program) {
    checkProgram(program);
    for (const node of Object.values(program.variables)) {
      this.values.set(node, {
        shape: node.shape,
        dtype: node.dtype,
        data: allocate(node.dtype, sizeOf(node.shape)),
      });
    }
  }

  get bytes(): number {
    return [...this.values.values()].reduce(
      (sum, value) => sum + value.data.length * bytesOf(value.dtype),
      0,
    );
  }

  run(entryName: string, steps = 1): void {
    const entry = this.program.entries[entryName];
    if (!entry) throw unknownName("entry", entryName, Object.keys(this.program.entries));
    checkSteps(steps, this.program.traceCapacity);
    const updates = Object.entries(entry.updates);
    const traces = Object.entries(entry.traces);
    const recorded = traces.map(([, node]) => allocate(node.dtype, steps * sizeOf(node.shape)));
    for (let step = 0; step < steps; step++) {
      const results = evaluate(
        [...updates, ...traces].map(([, node]) => node),
        this.values,
      );
      updates.forEach(([name], i) => {
        this.values.set(this.program.variables[name], results[i]);
      });
      traces.forEach(([, node], i) => {
        recorded[i].set(results[updates.length + i].data, step * sizeOf(node.shape));
      });
    }
    traces.forEach(([name], i) => {
      this.traces.set(`${entryName}/${name}`, recorded[i]);
    });
  }

  read(name: string): TypedArray {
    return this.values.get(this.variable(name))!.data.slice();
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const node = this.variable(name);
    checkValues(name, node, values.length);
    const data = allocate(node.dtype, values.length);
    data.set(values);
    this.values.set(node, { shape: node.shape, dtype: node.dtype, data });
  }

  trace(entry: string, trace: string): TypedArray {
    const recorded = this.traces.get(`${entry}/${trace}`);
    if (!recorded) throw unknownName("trace", `${entry}/${trace}`, [...this.traces.keys()]);
    return recorded;
  }

  release(): void {
    this.values.clear();
    this.traces.clear();
  }

  private variable(name: string): Tensor {
    const node = this.program.variables[name];
    if (!node) throw unknownName("variable", name, Object.keys(this.program.variables));
    return node;
  }
}
