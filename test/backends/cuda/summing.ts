/** A program whose ranks sum, with its kernels by hand: for devices that run on the host. */
import type { CudaCommand, EmitCuda } from "../../../src/backends/cuda/commands.js";
import type { Plan } from "../../../src/compile/plan.js";
import { planForRank } from "../../../src/compile/planForRank.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import type { Program } from "../../../src/compile/program.js";
import * as g from "../../../src/graph/index.js";
import type { FakeKernel } from "./fakeDriver.js";

const x = g.variable("x", [3]);
const sum = g.allReduceSum(g.mul(x, g.add(g.cast(g.rank(), "float32"), 1)));
/** x becomes the sum over ranks of (rank + 1) x: three times x on two of them. */
export const summing: Program = {
  name: "summing",
  variables: { x },
  entries: { step: { updates: { x: sum }, traces: { x: g.mul(sum, 2) } } },
  traceCapacity: 64,
  ranks: 2,
};

/** A kernel before the sum, one beside it, one behind it; what they do is in `kernelsOf`. */
export const emit: EmitCuda = (plan) => {
  const launch = (kernel: string): CudaCommand => ({
    kind: "launch",
    kernel,
    grid: 1,
    block: 32,
    sharedBytes: 0,
  });
  const commands = plan.entries.step.kernels.flatMap((kernel): CudaCommand[] => {
    if (kernel.kind === "beginAllReduce")
      return [launch("scale"), { kind: "beginSum", sum: kernel }, launch("beside")];
    return kernel.kind === "finishAllReduce" ? [{ kind: "finishSum", sum: kernel }] : [];
  });
  return {
    source: JSON.stringify(rankOf(plan)),
    arenaBytes: plan.arenaBytes,
    entries: { step: { commands: [...commands, { ...launch("end"), updates: true }] } },
  };
};

/** The number that the plan of a rank has in the place of its rank. */
function rankOf({ entries }: Plan): number {
  for (const kernel of entries.step.kernels) {
    if (kernel.kind !== "loop") continue;
    for (const instruction of kernel.body) if (instruction.op === "index") return instruction.offset;
  }
  return 0;
}

const { buffers, entries } = planForRank(planProgram(summing, { processes: 2 }), 0, 0);
const offsetOf = (name: string): number => buffers.find((buffer) => buffer.name === name)!.offset;
const [travelling] = entries.step.kernels.flatMap((kernel) =>
  kernel.kind === "beginAllReduce" ? [buffers[kernel.buffers[0]].offset] : [],
);

/** An element of x after so many steps on two ranks, each of which rounds. */
export const after = (steps: number, x = 1): number =>
  steps === 0 ? x : after(steps - 1, Math.fround(x + Math.fround(2 * x)));

export function kernelsOf(name: string, image: Uint8Array): FakeKernel | undefined {
  const rank = Number(new TextDecoder().decode(image));
  const floats = (view: DataView, offset: number): Float32Array =>
    new Float32Array(view.buffer, view.byteOffset + offset, 3);
  const kernels: Readonly<Record<string, FakeKernel>> = {
    scale: ([arena], at) => {
      const values = floats(at(arena), offsetOf("x"));
      floats(at(arena), travelling).set(values.map((value) => value * (rank + 1)));
    },
    end: ([arena, step], at) => {
      const done = at(step).getUint32(0, true);
      const sums = floats(at(arena), travelling);
      floats(at(arena), offsetOf("step/x") + 12 * done).set(sums.map((value) => 2 * value));
      floats(at(arena), offsetOf("x")).set(sums);
      at(step).setUint32(0, done + 1, true);
    },
  };
  return kernels[name];
}
