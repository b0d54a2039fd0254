/**
 * The null backend: plans a program and runs nothing. Tests of the compiler and of the loop around it use it
 * anywhere; variables hold what was written, traces are zeros.
 */
import { allocate, type TypedArray } from "../../base/dtype.js";
import { unknownName } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { type Backend, checkSteps, checkValues, type Executable } from "../../compile/backend.js";
import type { Plan } from "../../compile/plan.js";
import { planProgram } from "../../compile/planProgram.js";
import type { Program } from "../../compile/program.js";

/** `onPlan` sees every plan that is made: how often a study compiles, for instance. */
export const nullBackend = (onPlan: (plan: Plan) => void = () => {}): Backend => ({
  name: "null",
  description: "null (compiles, runs nothing)",
  compile: (program) => {
    const plan = planProgram(program, { check: true });
    onPlan(plan);
    return new NullExecutable(program, plan);
  },
});

class NullExecutable implements Executable {
  private readonly written = new Map<string, TypedArray>();
  private lastSteps = 0;

  constructor(
    private readonly program: Program,
    private readonly plan: Plan,
  ) {}

  get bytes(): number {
    return this.plan.arenaBytes;
  }

  run(entry: string, steps = 1): void {
    if (!this.program.entries[entry]) throw unknownName("entry", entry, Object.keys(this.program.entries));
    checkSteps(steps, this.program.traceCapacity);
    this.lastSteps = steps;
  }

  read(name: string): TypedArray {
    const node = this.variable(name);
    return this.written.get(name)?.slice() ?? allocate(node.dtype, sizeOf(node.shape));
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const node = this.variable(name);
    checkValues(name, node, values.length);
    const data = allocate(node.dtype, values.length);
    data.set(values);
    this.written.set(name, data);
  }

  trace(entry: string, trace: string): TypedArray {
    const node = this.program.entries[entry]?.traces[trace];
    if (!node) throw unknownName("trace", trace, Object.keys(this.program.entries[entry]?.traces ?? {}));
    return allocate(node.dtype, this.lastSteps * sizeOf(node.shape));
  }

  release(): void {
    this.written.clear();
  }

  private variable(name: string) {
    const node = this.program.variables[name];
    if (!node) throw unknownName("variable", name, Object.keys(this.program.variables));
    return node;
  }
}
