/**
 * The sums of a program beside its kernels. Each rank has a stream for them: it leaves that of the kernels where a sum is
 * complete, and comes back where it is needed, so that a device computes while its sums travel.
 */
import { invariant } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import type { AllReduceKernel } from "../../compile/plan.js";
import type { Handle } from "./driver.js";
import type { Handles } from "./handles.js";
import type { RankProgram } from "./rankProgram.js";
import type { DeviceSums, SummedArray } from "./sums.js";

export class TravellingSums {
  private readonly travels: readonly Travel[];

  /** @param handles gives back the streams and events */
  constructor(
    private readonly ranks: readonly RankProgram[],
    private readonly open: () => DeviceSums,
    handles: Handles,
  ) {
    this.travels = ranks.map(({ context, plan }) => {
      const stream = handles.own(context.createStream(), (one) => context.destroyStream(one));
      const event = (): Handle => handles.own(context.createEvent(), (one) => context.destroyEvent(one));
      return {
        stream,
        complete: event(),
        arrived: new Map(sumsIn(plan).map((sum) => [keyOf(sum), event()])),
      };
    });
  }

  get sums(): DeviceSums {
    return this.open();
  }

  /**
   * Makes each sum of temporaries once, outside of a capture, when they mean nothing: what carries sums connects and loads
   * at their first use.
   */
  tryOut(): void {
    const { plan } = this.ranks[0];
    const mean = (buffer: number): boolean => plan.buffers[buffer].role !== "temporary";
    for (const sum of sumsIn(plan)) {
      if (sum.buffers.some(mean)) continue;
      this.begin(sum);
      this.finish(sum);
    }
  }

  /**
   * Its buffers are complete where the ranks' streams are now.
   * @param mark called for each rank, with the stream that the sum travels in, where it sets out and where it arrives
   */
  begin(sum: AllReduceKernel, mark: (rank: number, stream: Handle) => void = () => {}): void {
    for (const [i, { context, stream }] of this.ranks.entries()) {
      const travel = this.travels[i];
      context.record(travel.complete, stream);
      context.holdUntil(travel.stream, travel.complete);
      mark(i, travel.stream);
    }
    this.sums.enqueue(
      this.ranks.map((rank, i) => ({
        context: rank.context,
        stream: this.travels[i].stream,
        arrays: arraysOf(sum, rank),
      })),
    );
    for (const [i, { context }] of this.ranks.entries()) {
      const { stream } = this.travels[i];
      mark(i, stream);
      context.record(this.arrivalOf(sum, i), stream);
    }
  }

  /** What comes next in the ranks' streams may use its buffers. */
  finish(sum: AllReduceKernel): void {
    for (const [i, { context, stream }] of this.ranks.entries())
      context.holdUntil(stream, this.arrivalOf(sum, i));
  }

  private arrivalOf(sum: AllReduceKernel, rank: number): Handle {
    const event = this.travels[rank].arrived.get(keyOf(sum));
    invariant(event, "a sum is one of the plan's");
    return event;
  }
}

/** How the sums of one rank travel. */
interface Travel {
  readonly stream: Handle;
  readonly complete: Handle;
  /** By `keyOf` of the sum. */
  readonly arrived: ReadonlyMap<string, Handle>;
}

/** The beginning and the end of a sum name the same buffers. */
const keyOf = ({ buffers }: AllReduceKernel): string => buffers.join();

/** Every sum of a plan, once. */
function sumsIn({ entries }: RankProgram["plan"]): AllReduceKernel[] {
  const sums = new Map<string, AllReduceKernel>();
  for (const { kernels } of Object.values(entries)) {
    for (const kernel of kernels) if (kernel.kind === "beginAllReduce") sums.set(keyOf(kernel), kernel);
  }
  return [...sums.values()];
}

/** What a rank adds; arrays without elements stay at home. */
function arraysOf({ buffers }: AllReduceKernel, { plan, memory }: RankProgram): SummedArray[] {
  return buffers.flatMap((number): SummedArray[] => {
    const { offset, shape, dtype } = plan.buffers[number];
    const count = sizeOf(shape);
    return count === 0 ? [] : [{ address: memory + BigInt(offset), dtype, count }];
  });
}
