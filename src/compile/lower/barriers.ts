/**
 * Where ranks meet. Kernels are put into phases: within one no rank touches what another one writes; between two
 * stands a barrier. Steps follow one another, so the last phase meets the first one of the next step as well. What stands
 * behind a journey to other processes waits for its beginning, though it needs nothing of it: it is there to hide it. The
 * end of one that the step before began waits for all that stands before it, which hides that one.
 */
import { beginsExchange, isExchange, kernelEffects, peerAccesses } from "../kernelEffects.js";
import type { Instruction, Kernel, LoopKernel } from "../plan.js";

export interface Arranged {
  readonly kernels: readonly Kernel[];
  /** For each kernel the first and the last one that some rank may be at while another is at it. */
  readonly phases: readonly Phase[];
  /** A rank runs the kernels of a phase in no order itself: what no other rank sees is subject to phases too. */
  readonly unordered?: boolean;
}

export interface Phase {
  readonly first: number;
  readonly last: number;
}

const barrier: Kernel = { kind: "barrier", name: "barrier" };

export interface Meetings {
  /** Whether a slot exists once for all of them. */
  readonly isShared: (slot: number) => boolean;
  /** Whether it lies in memory where all of them have their temporaries. */
  readonly isJoint: (slot: number) => boolean;
}

/** The kernels of one step, in as few phases as their order in `kernels` allows. */
export function arrangeForRanks(kernels: readonly Kernel[], { isShared, isJoint }: Meetings): Arranged {
  const parts = kernels.flatMap((kernel) => separated(kernel, isShared));
  const effects = parts.map((kernel) => ({ ...kernelEffects(kernel), peers: peerAccesses(kernel) }));
  const phases: number[] = [];
  let begun = 0;
  parts.forEach((part, j) => {
    const { reads, writes, peers } = effects[j];
    let phase = isOfStepBefore(part) ? Math.max(begun, ...phases) : begun;
    for (let i = 0; i < j; i++) {
      const before = effects[i];
      const conflicts = [
        ...reads.filter((slot) => before.writes.includes(slot)),
        ...writes.filter((slot) => before.reads.includes(slot) || before.writes.includes(slot)),
      ];
      if (conflicts.length === 0) continue;
      // One thread of the process begins and finishes all journeys: it does not meet itself.
      const crosses =
        !(isExchange(parts[i]) && isExchange(part)) &&
        conflicts.some((slot) => isShared(slot) || peers.includes(slot) || before.peers.includes(slot));
      phase = Math.max(phase, phases[i] + (crosses ? 1 : 0));
    }
    phases.push(phase);
    if (beginsExchange(part)) begun = phase;
  });
  const count = Math.max(0, ...phases) + 1;
  const meets = (phase: number): boolean =>
    effects.some(
      ({ reads, writes, peers }, i) =>
        phases[i] === phase &&
        (peers.length > 0 || writes.some(isShared) || [...reads, ...writes].some(isJoint)),
    );
  const arranged: Kernel[] = [];
  const spans: Phase[] = [];
  for (let phase = 0; phase < count; phase++) {
    const own = parts.filter((_, i) => phases[i] === phase);
    const closes = phase < count - 1 || meets(phase) || meets(0);
    const phaseKernels = [...own, ...(closes ? [barrier] : [])];
    const span = { first: arranged.length, last: arranged.length + phaseKernels.length - 1 };
    arranged.push(...phaseKernels);
    spans.push(...phaseKernels.map(() => span));
  }
  return { kernels: arranged, phases: spans };
}

const isOfStepBefore = (kernel: Kernel): boolean =>
  kernel.kind === "finishAllGather" && kernel.ofStepBefore === true;

/**
 * A loop that stores to shared and to private memory as two loops, as every rank runs the whole of one and a share of
 * the other. The private one comes first: it may read what the other overwrites.
 */
function separated(kernel: Kernel, isShared: (slot: number) => boolean): Kernel[] {
  if (kernel.kind !== "loop") return [kernel];
  const { writes } = kernelEffects(kernel);
  if (writes.every(isShared) || !writes.some(isShared)) return [kernel];
  return [false, true].map((shared) => {
    const stores = kernel.stores.filter(({ access }) => isShared(access.buffer) === shared);
    const reductions = kernel.reductions.filter(({ access }) => isShared(access.buffer) === shared);
    return withoutUnused({
      ...kernel,
      stores,
      reductions,
      reduced: reductions.length > 0 ? kernel.reduced : kernel.reduced.map(() => false),
    });
  });
}

/** The loop without instructions whose values nobody uses. */
function withoutUnused(kernel: LoopKernel): LoopKernel {
  const used = new Set([...kernel.stores, ...kernel.reductions].map(({ value }) => value));
  for (let i = kernel.body.length - 1; i >= 0; i--) {
    if (used.has(i)) for (const input of operandsOf(kernel.body[i])) used.add(input);
  }
  const numbers = new Map([...used].sort((a, b) => a - b).map((old, i) => [old, i]));
  const renumbered = <V extends { readonly value: number }>(part: V): V => ({
    ...part,
    value: numbers.get(part.value)!,
  });
  return {
    ...kernel,
    body: kernel.body.flatMap((instruction, i) =>
      used.has(i) ? [withOperands(instruction, (input) => numbers.get(input)!)] : [],
    ),
    stores: kernel.stores.map(renumbered),
    reductions: kernel.reductions.map(renumbered),
  };
}

const operandsOf = (instruction: Instruction): readonly number[] =>
  "inputs" in instruction ? instruction.inputs : instruction.op === "gather" ? [instruction.index] : [];

function withOperands(instruction: Instruction, renumber: (input: number) => number): Instruction {
  if ("inputs" in instruction) return { ...instruction, inputs: instruction.inputs.map(renumber) };
  return instruction.op === "gather" ? { ...instruction, index: renumber(instruction.index) } : instruction;
}
