/** The examples that a program looks at: a step's batch or a part of it, and splits in evaluation; each rank its share. */
import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { Dataset, SplitName } from "../learn/datasets/dataset.js";
import { preparedBatch } from "../learn/problems/batch.js";
import type { Batch } from "../learn/problems/problem.js";
import { type BatchSizes, batchSizes } from "./batchSizes.js";
import { type LaneTraining, stepsPerEpoch } from "./configuration.js";
import type { LaneVariables } from "./laneVariables.js";
import { names } from "./names.js";

/** This rank's examples, and which of them exist; absent: all. */
export interface Chosen {
  readonly batch: Batch;
  readonly present?: Tensor;
}

/** Of the training split. */
export interface TrainingBatch extends Chosen {
  /** int32 scalar: the place of the first of these in the whole batch, or epoch; absent: 0. */
  readonly firstExample?: Tensor;
}

export interface StepBatch extends TrainingBatch {
  /** How many examples the whole batch has, on all ranks. */
  readonly examples: Tensor | number;
}

export class Examples {
  readonly sizes: BatchSizes;

  constructor(
    private readonly training: LaneTraining,
    private readonly dataset: Dataset,
    private readonly variables: LaneVariables,
    private readonly ranks: number,
  ) {
    this.sizes = batchSizes(training, dataset.train.count, ranks);
  }

  /** Whether a batch is taken in parts, one after another. */
  get areParts(): boolean {
    return this.sizes.part < this.sizes.batch;
  }

  /** @param part int32 scalar: which part of the step's batch, where it is taken in parts */
  ofStep(step: Tensor, part: Tensor | undefined): StepBatch {
    const { first, examples } = this.batchOf(step);
    const offset = part && g.mul(part, this.sizes.part);
    const isShort = typeof examples !== "number";
    const epoch = g.floorDivide(step, stepsPerEpoch(this.dataset.train.count, this.sizes.batch));
    return {
      ...this.ofTraining(epoch, offset ? g.add(first, offset) : first, isShort),
      examples,
      ...this.firstExample(offset),
    };
  }

  /**
   * The share of a step's batch that a part of it has on all ranks, or this rank where it is taken whole; that of one
   * example for a rank that has none.
   */
  shareOf(step: Tensor, part: Tensor | undefined, dtype: g.DType): Tensor | number {
    const { examples } = this.batchOf(step);
    const [size, number] = part ? [this.sizes.part, part] : [this.sizes.own, g.rank()];
    if (typeof examples === "number") return size / examples;
    const own = g.maximum(g.minimum(g.sub(examples, g.mul(number, size)), size), 1);
    return g.div(g.cast(own, dtype), g.cast(examples, dtype));
  }

  /** The place of a step's batch in its epoch, and how many examples it has on all ranks: a last one may be short. */
  private batchOf(step: Tensor): { first: Tensor; examples: Tensor | number } {
    const { count } = this.dataset.train;
    const size = this.sizes.batch;
    const first = g.mul(g.remainder(step, stepsPerEpoch(count, size)), size);
    return { first, examples: count % size === 0 ? size : g.minimum(g.sub(count, first), size) };
  }

  /** @param part int32 scalar: which part of the epoch that the step is in */
  ofEpoch(step: Tensor, part: Tensor): TrainingBatch {
    const { count } = this.dataset.train;
    const perEpoch = stepsPerEpoch(count, this.sizes.batch);
    const first = g.mul(part, this.sizes.part);
    return {
      ...this.ofTraining(g.floorDivide(step, perEpoch), first, count % this.sizes.part !== 0),
      ...this.firstExample(first),
    };
  }

  /** Examples of a split, `size` of them on all ranks from a place on. */
  ofSplit(split: SplitName, first: Tensor, size: number): Chosen {
    const { count } = this.dataset[split]!;
    const places = this.ownPlaces(first, size);
    return {
      batch: this.at(split, g.minimum(places, count - 1)),
      ...(count % size !== 0 && { present: g.less(places, count) }),
    };
  }

  /** Of this rank's share of what begins at `offset`, 0 where absent. */
  private firstExample(offset: Tensor | undefined): Pick<TrainingBatch, "firstExample"> {
    const share = this.ranks > 1 ? g.mul(g.rank(), this.sizes.own) : undefined;
    const firstExample = offset && share ? g.add(offset, share) : (offset ?? share);
    return firstExample ? { firstExample } : {};
  }

  /** A part's share of examples from a place in an epoch's order on. */
  private ofTraining(epoch: Tensor, first: Tensor, isShort: boolean): Chosen {
    const { shuffle, batchSize } = this.training;
    const { count } = this.dataset.train;
    const isWhole = batchSize === "full";
    if (isWhole && this.ranks === 1 && !this.areParts) return { batch: this.whole("train") };
    const places = this.ownPlaces(first, this.sizes.part);
    const inside = isShort ? g.minimum(places, count - 1) : places;
    const key = this.variables.shared(names.orderKey, [2], "int32");
    const indices = shuffle && !isWhole ? g.permutationAt(g.foldInTensor(key, epoch), inside, count) : inside;
    return { batch: this.at("train", indices), ...(isShort && { present: g.less(places, count) }) };
  }

  /** This rank's of the `size` places from `first` on. */
  private ownPlaces(first: Tensor, size: number): Tensor {
    const own = size / this.ranks;
    const start = this.ranks === 1 ? first : g.add(first, g.mul(g.rank(), own));
    return g.add(start, g.iota([own]));
  }

  private at(split: SplitName, indices: Tensor): Batch {
    const { inputs, targets } = this.variablesOf(split);
    return this.prepared(g.take(inputs, indices), g.take(targets, indices));
  }

  private whole(split: SplitName): Batch {
    const { inputs, targets } = this.variablesOf(split);
    return this.prepared(inputs, targets);
  }

  private prepared(inputs: Tensor, targets: Tensor): Batch {
    return preparedBatch(this.dataset, inputs, targets, this.training.dtype);
  }

  private variablesOf(split: SplitName): Batch {
    const { inputs, targets } = this.dataset[split]!;
    return {
      inputs: this.variables.shared(names.inputs(split), inputs.shape, inputs.dtype),
      targets: this.variables.shared(names.targets(split), targets.shape, targets.dtype),
    };
  }
}
