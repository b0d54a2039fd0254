/**
 * Products and convolutions of plans by themselves: as a plan of their own, in which each is an entry, on buffers that lie
 * as theirs do. So equal kernels of any plans are one and the same here, and can be told apart, compiled and timed.
 */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import { kernelEffects, withPlaces } from "../../compile/kernelEffects.js";
import type { ConvolutionKernel, GemmKernel, Plan, PlanBuffer } from "../../compile/plan.js";
import { type Launch, noLibraries } from "./commands.js";
import { emitCuda, endTitle } from "./kernels/index.js";
import { alignedBytes, alignment } from "./memory.js";
import type { ProductPrecision } from "./products.js";

export type RoutedKernel = GemmKernel | ConvolutionKernel;

/** A kernel, and the plan that it is from. */
export interface PlannedKernel {
  readonly kernel: RoutedKernel;
  readonly plan: Plan;
}

export interface LoneKernels {
  /** Of one rank; each kernel is an entry, `entryOf` its place in the list. */
  readonly plan: Plan;
  readonly kernels: readonly RoutedKernel[];
}

/** Names of functions in the source begin with it. */
const entryOf = (place: number): string => `kernel${place}_`;

/** One entry runs at a time, so all kernels share the memory. */
export function loneKernels(planned: readonly PlannedKernel[]): LoneKernels {
  const buffers: PlanBuffer[] = [];
  let arenaBytes = 0;
  const kernels = planned.map(({ kernel, plan }) => {
    const { reads, writes } = kernelEffects(kernel);
    const numbers = new Map<number, number>();
    let end = 0;
    for (const buffer of [...reads, ...writes]) {
      if (numbers.has(buffer)) continue;
      numbers.set(buffer, buffers.length);
      const { shape, dtype, offset } = plan.buffers[buffer];
      // Some algorithms want addresses that are multiples of more than a plan's are.
      const place = end + (offset % alignment);
      buffers.push({
        name: `b${numbers.size - 1}`,
        ...{ role: "temporary", scope: "shared" },
        ...{ shape, dtype, offset: place },
      });
      end = alignedBytes(place + sizeOf(shape) * bytesOf(dtype));
    }
    arenaBytes = Math.max(arenaBytes, end);
    const moved = withPlaces(kernel, (place) => ({ ...place, buffer: numbers.get(place.buffer)! }));
    return { ...(moved as RoutedKernel), name: kernel.kind };
  });
  const entries = kernels.map((kernel, i) => [entryOf(i), { kernels: [kernel], traces: [] }] as const);
  return {
    plan: {
      name: "routes",
      ...{ ranks: 1, processes: 1, privateBytes: 0, constants: [] },
      ...{ arenaBytes, buffers },
      entries: Object.fromEntries(entries),
    },
    kernels,
  };
}

/** How our own kernels compute them: the source, and the launches of each. */
export interface OwnKernels {
  readonly source: string;
  /** Of the plan, and scratch memory. */
  readonly arenaBytes: number;
  readonly launches: readonly (readonly Launch[])[];
}

/** @param precision of products of float32 that the plan does not round */
export function ownKernelsFor(
  { plan, kernels }: LoneKernels,
  precision: ProductPrecision = "float32",
): OwnKernels {
  const { source, arenaBytes, entries } = emitCuda(plan, noLibraries, precision);
  return {
    source,
    arenaBytes,
    launches: kernels.map(
      (_, i) =>
        entries[entryOf(i)].commands.filter(
          (command) => command.kind === "launch" && command.parts.some(({ title }) => title !== endTitle),
        ) as Launch[],
    ),
  };
}
