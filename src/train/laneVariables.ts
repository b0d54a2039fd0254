/** The variables of a program of lanes: graphs are of one lane, and become those of all by a batching transform. */
import type { Shape } from "../base/shape.js";
import type { ProgramEntry } from "../compile/program.js";
import type { Batched, DType, Tensor } from "../graph/index.js";
import { variable } from "../graph/index.js";
import { alignAxis } from "../graph/operations/movement.js";
import { batch } from "../transform/index.js";

export class LaneVariables {
  /** As the program holds them, by name. */
  readonly all: Record<string, Tensor> = {};
  private readonly batched = new Map<Tensor, Batched>();
  /** The one-lane variable by name. */
  private readonly ofOne = new Map<string, Tensor>();

  constructor(private readonly lanes: number) {}

  /** A variable of one lane in the graph, with a leading lane axis in the program. */
  perLane(name: string, shape: Shape, dtype: DType): Tensor {
    const known = this.ofOne.get(name);
    if (known) return known;
    const one = variable(name, shape, dtype);
    this.all[name] = variable(name, [this.lanes, ...shape], dtype);
    this.batched.set(one, { tensor: this.all[name], axis: 0 });
    this.ofOne.set(name, one);
    return one;
  }

  /** A variable that all lanes share. */
  shared(name: string, shape: Shape, dtype: DType): Tensor {
    this.all[name] ??= variable(name, shape, dtype);
    return this.all[name];
  }

  /** An entry of all lanes from that of one: what depends on a lane gets a leading lane axis. */
  forAllLanes({ updates, traces }: ProgramEntry): ProgramEntry {
    const outputs = [...Object.entries(updates), ...Object.entries(traces)];
    const batched = batch(
      outputs.map(([, tensor]) => tensor),
      this.batched,
    );
    const outward = outputs.map(([name], i): [string, Tensor] => {
      // The step counter and the like are one for all lanes.
      const isShared = i < Object.keys(updates).length && !this.ofOne.has(name);
      return [name, isShared ? batched[i].tensor : alignAxis(batched[i], 0, this.lanes)];
    });
    const count = Object.keys(updates).length;
    return {
      updates: Object.fromEntries(outward.slice(0, count)),
      traces: Object.fromEntries(outward.slice(count)),
    };
  }
}
