/**
 * Sums over ranks that share one device, each with memory and streams of its own. Nothing is gained by that: it shows
 * without a second GPU that ranks train what one trains.
 */
import { invariant } from "../../base/errors.js";
import type { CudaDevice } from "./device.js";
import type { Handle } from "./driver.js";
import { Handles } from "./handles.js";
import type { DeviceSums, RankSum, SummedArray } from "./sums.js";

export const mostLogicalRanks = 8;

const kernelOf = { float32: "sumRanksFloat", float64: "sumRanksDouble" } as const;
const threads = 256;

/** For each element: the values of all ranks, added in their order; then the sum at each. */
export function logicalSumsSource(ranks: number): string {
  const all = Array.from({ length: ranks }, (_, rank) => `rank${rank}`);
  const kernel = (type: string, name: string): string =>
    `extern "C" __global__ void __launch_bounds__(${threads}) ${name}(
    unsigned long long count, ${all.map((rank) => `${type}* ${rank}`).join(", ")}) {
  const unsigned long long i = (unsigned long long)blockIdx.x * ${threads}u + threadIdx.x;
  if (i >= count) return;
  const ${type} sum = ${all.map((rank) => `${rank}[i]`).join(" + ")};
${all.map((rank) => `  ${rank}[i] = sum;`).join("\n")}
}`;
  return [kernel("float", kernelOf.float32), kernel("double", kernelOf.float64)].join("\n\n");
}

/** @throws SlalomError "device" where the device refuses */
export function openLogicalSums(device: CudaDevice, ranks: number): DeviceSums {
  return new LogicalSums(device, ranks);
}

class LogicalSums implements DeviceSums {
  private readonly handles = new Handles();
  private readonly kernels: Readonly<Record<keyof typeof kernelOf, Handle>>;
  /** Recorded where the arrays of a rank are complete; the first one's, where the sums are. */
  private readonly events: readonly Handle[];

  constructor(
    private readonly device: CudaDevice,
    ranks: number,
  ) {
    const { context, compile } = device;
    const { handles } = this;
    const image = compile(logicalSumsSource(ranks), "sums over logical ranks");
    [this.kernels, this.events] = handles.orReleased(() => {
      const module = handles.own(context.loadModule(image), (one) => context.unloadModule(one));
      const kernel = (name: string): Handle => context.kernel(module, name, 0);
      return [
        { float32: kernel(kernelOf.float32), float64: kernel(kernelOf.float64) },
        Array.from({ length: ranks }, () =>
          handles.own(context.createEvent(), (one) => context.destroyEvent(one)),
        ),
      ];
    });
  }

  enqueue(ranks: readonly RankSum[]): void {
    const { context } = this.device;
    const [{ stream, arrays }, ...others] = ranks;
    const [sums, ...complete] = this.events;
    for (const [i, other] of others.entries()) {
      context.record(complete[i], other.stream);
      context.holdUntil(stream, complete[i]);
    }
    for (const [i, array] of arrays.entries())
      this.launch(
        array,
        ranks.map((rank) => rank.arrays[i].address),
        stream,
      );
    context.record(sums, stream);
    for (const other of others) context.holdUntil(other.stream, sums);
  }

  check(): void {}

  /** Nothing waits for another device: what was begun ends. */
  abort(): void {}

  release(): void {
    this.handles.release();
  }

  private launch({ dtype, count }: SummedArray, addresses: readonly Handle[], stream: Handle): void {
    invariant(dtype === "float32" || dtype === "float64", "ranks sum numbers with a fraction");
    const shape = { grid: Math.ceil(count / threads), block: threads, sharedBytes: 0 };
    this.device.context.launch(this.kernels[dtype], shape, stream, [BigInt(count), ...addresses]);
  }
}
