/**
 * The training of many lanes as one program: choose a batch, forward, backward, update, report; and an entry for each
 * split that evaluates it. Everything that a step needs is in the program's memory.
 */
import { SlalomError } from "../base/errors.js";
import type { Program, ProgramEntry } from "../compile/program.js";
import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { Dataset, Split, SplitName } from "../learn/datasets/dataset.js";
import {
  type Batch,
  type BuiltProblem,
  type Context,
  checkEvaluation,
  type Evaluation,
  type Parameters,
} from "../learn/problems/problem.js";
import { grad, withProductPrecision } from "../transform/index.js";
import { evaluationBatchSize, preparedBatch } from "./batches.js";
import { hasExactLoss, type LaneTraining, stepsPerEpoch } from "./configuration.js";
import { LaneVariables } from "./laneVariables.js";
import { type ModelVariable, modelVariables } from "./learned.js";
import { evaluateEntry, measureEntry, names, stepEntry } from "./names.js";
import { updatesOf } from "./update.js";

export interface LaneProgram {
  readonly program: Program;
  readonly built: BuiltProblem;
  /** What evaluations look at: parameters and states, or their averages. */
  readonly model: readonly ModelVariable[];
  /** Examples that one step of an evaluation looks at, for each split that the program can evaluate. */
  readonly evaluationBatch: Readonly<Partial<Record<SplitName, number>>>;
}

/**
 * The program for `lanes` lanes, whose batches are divided among `ranks` (1 by default); without data one rank does all.
 * Up to rounding, any number of ranks gives the same.
 * @throws SlalomError "shape" where the problem's loss or metrics have another shape than promised, "option" where a
 *   batch can't be divided
 */
export function laneProgram(training: LaneTraining, lanes: number, ranks = 1): LaneProgram {
  const builder = new Builder(training, lanes, training.dataset ? ranks : 1);
  return builder.build();
}

class Builder {
  private readonly variables: LaneVariables;
  private readonly built: BuiltProblem;
  private readonly model: readonly ModelVariable[];
  private readonly parameters: Parameters;
  /** What training changes without gradients. */
  private readonly state: Parameters;
  /** Parameters and states as evaluations look at them. */
  private readonly evaluatedValues: Parameters;
  private readonly evaluationBatch: Partial<Record<SplitName, number>> = {};

  constructor(
    private readonly training: LaneTraining,
    private readonly lanes: number,
    private readonly ranks: number,
  ) {
    this.variables = new LaneVariables(lanes);
    this.built = training.problem.build(training.dataset);
    this.model = modelVariables(this.built, training.choice);
    const variable = (name: string, { shape }: { readonly shape: g.Shape }): Tensor =>
      this.variables.perLane(name, shape, training.dtype);
    const variablesOf = (specs: BuiltProblem["parameters"], nameOf: (name: string) => string): Parameters =>
      Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, variable(nameOf(name), spec)]));
    this.parameters = variablesOf(this.built.parameters, names.parameter);
    this.state = variablesOf(this.built.state ?? {}, names.state);
    this.evaluatedValues = Object.fromEntries(
      this.model.map((one) => [one.name, variable(one.variable, one)]),
    );
  }

  build(): LaneProgram {
    const { training, built, variables } = this;
    const { dataset } = training;
    const step = variables.shared(names.step, [], "int32");
    if (dataset) this.addSplit("train", dataset.train);
    const entries: Record<string, ProgramEntry> = { [stepEntry]: this.stepEntry(step) };
    if (!dataset || training.batchSize === "full")
      entries[measureEntry] = {
        updates: {},
        traces: {
          loss: this.overRanks(this.trainingMeans(step, this.evaluatedValues).loss),
          ...this.recordedParameters(),
        },
      };
    if (dataset) {
      const position = variables.shared(names.position, [], "int32");
      // Losses of batches tell the loss at no parameters: the last ones are evaluated on all of the training split.
      const atEnd: readonly SplitName[] = hasExactLoss(training) ? [] : ["train"];
      for (const split of new Set([...training.evaluate, ...(training.evaluateAtEnd ?? []), ...atEnd])) {
        if (!dataset[split])
          throw new SlalomError(
            "data",
            `data set "${dataset.name}" has no ${split} split to evaluate; expected one. Split the training data?`,
          );
        if (split !== "train") this.addSplit(split, dataset[split]);
        entries[evaluateEntry(split)] = this.evaluation(split, dataset[split], position);
      }
    }
    const program: Program = {
      name: `${training.problem.name} ${training.choice.optimizer.id} x${this.lanes}`,
      variables: variables.all,
      entries: Object.fromEntries(
        Object.entries(entries).map(([name, entry]) => [
          name,
          withPrecision(variables.forAllLanes(entry), training.precision),
        ]),
      ),
      traceCapacity: Math.max(1, Math.min(training.steps, traceCapacity)),
      ranks: this.ranks,
    };
    return { program, built, model: this.model, evaluationBatch: this.evaluationBatch };
  }

  /** One update of all lanes. */
  private stepEntry(step: Tensor): ProgramEntry {
    const { training, variables, parameters } = this;
    const state: Record<string, Tensor> = {};
    const { loss, metrics } = this.trainingMeans(
      step,
      { ...parameters, ...this.state },
      // Statistics of a batch are of each rank's part of it; what is remembered is their mean.
      (name, value) => {
        state[name] = g.div(this.overRanks(g.stopGradient(value)), this.ranks);
      },
    );
    const gradients = grad(loss, Object.values(parameters)).map((gradient) => this.overRanks(gradient));
    const updates = updatesOf({
      training,
      variables,
      parameters,
      gradients: Object.fromEntries(Object.keys(parameters).map((name, i) => [name, gradients[i]])),
      state,
      step,
    });
    const means = Object.entries({ loss, ...(training.trainMetrics && metrics) });
    const traces = Object.fromEntries(means.map(([name, part]) => [name, this.overRanks(part)]));
    return { updates, traces: { ...traces, ...this.recordedParameters() } };
  }

  /** The sum of what each rank has of `x`. */
  private overRanks(x: Tensor): Tensor {
    return this.ranks === 1 ? x : g.allReduceSum(x);
  }

  /** This rank's of the `size` places from `first` on. */
  private ownPlaces(first: Tensor, size: number): Tensor {
    const own = size / this.ranks;
    const start = this.ranks === 1 ? first : g.add(first, g.mul(g.rank(), own));
    return g.add(start, g.iota([own]));
  }

  /** The parameters before the update, where rows hold them. */
  private recordedParameters(): Record<string, Tensor> {
    if (!this.training.recordParameters) return {};
    return Object.fromEntries(
      Object.entries(this.parameters).map(([name, tensor]) => [names.parameter(name), tensor]),
    );
  }

  /**
   * The loss that training descends, of one lane, over the step's batch or of the whole problem; and mean metrics. Of
   * each this rank's part: the sum of all ranks' parts is the loss.
   */
  private trainingMeans(
    step: Tensor,
    values: Parameters,
    keep: Context["keep"] = () => {},
  ): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> } {
    const { training, ranks } = this;
    const { dataset, problem } = training;
    const context: Context = {
      training: true,
      key: g.foldInTensor(this.variables.shared(names.modelKey, [2], "int32"), step),
      keep,
    };
    if (!dataset) return this.evaluated(values, undefined, context, undefined);
    const size = this.batchExamples(dataset);
    this.checkStatistics(dataset.train.count, size);
    const { batch, present, examples } = this.stepBatch(step, dataset, size);
    const { loss, metrics } = this.evaluated(
      values,
      batch,
      {
        ...context,
        ...(present && { present }),
        ...(ranks > 1 && { firstExample: g.mul(g.rank(), size / ranks) }),
      },
      size / ranks,
    );
    const total = (each: Tensor): Tensor => g.sum(present ? g.where(present, each, 0) : each);
    const mean = (each: Tensor): Tensor =>
      g.div(total(each), typeof examples === "number" ? examples : g.cast(examples, each.dtype));
    return {
      loss: problem.reduction === "sum" ? total(loss) : mean(loss),
      metrics: Object.fromEntries(Object.entries(metrics).map(([name, each]) => [name, mean(each)])),
    };
  }

  /** Throws where a rank would take batch statistics of no example: its part of the short last batch is empty. */
  private checkStatistics(count: number, size: number): void {
    const { ranks } = this;
    const rest = count % size;
    if (rest === 0 || rest > size - size / ranks || Object.keys(this.state).length === 0) return;
    throw new SlalomError(
      "option",
      `training: the last batch has ${rest} examples of ${size}, which leaves one of ${ranks} ranks without any, and the model takes statistics of batches; expected examples for each. Take a batch size that divides ${count}, or one rank.`,
    );
  }

  /** Examples of a step's batch; where that is the whole split it is filled up to what ranks can divide. */
  private batchExamples(dataset: Dataset): number {
    const { ranks } = this;
    const { batchSize } = this.training;
    const { count } = dataset.train;
    if (batchSize === "full" || batchSize >= count) return Math.ceil(count / ranks) * ranks;
    if (batchSize % ranks === 0) return batchSize;
    const below = Math.floor(batchSize / ranks) * ranks;
    const possible = below === 0 ? `${ranks}` : `${below} or ${below + ranks}`;
    throw new SlalomError(
      "option",
      `training: a batch of ${batchSize} examples on ${ranks} ranks; expected a multiple of ${ranks}, such as ${possible}. Take another batch size, or other ranks.`,
    );
  }

  private evaluated(
    values: Parameters,
    batch: Batch | undefined,
    context: Context,
    size: number | undefined,
  ): Evaluation {
    const evaluation = this.built.evaluate(values, batch, context);
    return checkEvaluation(this.training.problem.name, this.built, evaluation, size);
  }

  /**
   * This rank's part of a step's batch: its places in the epoch's order, which of them exist in a short last batch, and
   * how many exist on all ranks.
   */
  private stepBatch(
    step: Tensor,
    dataset: Dataset,
    size: number,
  ): { batch: Batch; present?: Tensor; examples: Tensor | number } {
    const { batchSize, shuffle } = this.training;
    const { count } = dataset.train;
    const isWhole = batchSize === "full";
    if (isWhole && this.ranks === 1) return { batch: this.wholeBatch("train", dataset), examples: count };
    const perEpoch = stepsPerEpoch(count, size);
    const first = g.mul(g.remainder(step, perEpoch), size);
    const places = this.ownPlaces(first, size);
    const epoch = g.floorDivide(step, perEpoch);
    const isShort = count % size !== 0;
    const inside = isShort ? g.minimum(places, count - 1) : places;
    const indices =
      shuffle && !isWhole
        ? g.permutationAt(
            g.foldInTensor(this.variables.shared(names.orderKey, [2], "int32"), epoch),
            inside,
            count,
          )
        : inside;
    return {
      batch: this.batchAt("train", dataset, indices),
      ...(isShort && { present: g.less(places, count) }),
      examples: isShort ? g.minimum(g.sub(count, first), size) : size,
    };
  }

  private evaluation(split: SplitName, { count }: Split, position: Tensor): ProgramEntry {
    const { dataset, dtype } = this.training;
    const size = Math.ceil(evaluationBatchSize(count) / this.ranks) * this.ranks;
    this.evaluationBatch[split] = size;
    const places = this.ownPlaces(g.mul(position, size), size);
    const batch = this.batchAt(split, dataset!, g.minimum(places, count - 1));
    const context = { training: false, key: this.variables.shared(names.modelKey, [2], "int32") };
    const { loss, metrics } = this.evaluated(this.evaluatedValues, batch, context, size / this.ranks);
    const updates: Record<string, Tensor> = { [names.position]: g.add(position, 1) };
    for (const [name, values] of Object.entries({ loss, ...metrics })) {
      const kept = count % size === 0 ? values : g.where(g.less(places, count), values, 0);
      const total = this.variables.perLane(names.total(name), [], dtype);
      updates[names.total(name)] = g.add(total, this.overRanks(g.cast(g.sum(kept), dtype)));
    }
    return { updates, traces: {} };
  }

  private addSplit(name: SplitName, { inputs, targets }: Split): void {
    this.variables.shared(names.inputs(name), inputs.shape, inputs.dtype);
    this.variables.shared(names.targets(name), targets.shape, targets.dtype);
  }

  private wholeBatch(split: SplitName, dataset: Dataset): Batch {
    const [inputs, targets] = [names.inputs(split), names.targets(split)].map(
      (name) => this.variables.all[name],
    );
    return preparedBatch(dataset, inputs, targets, this.training.dtype);
  }

  private batchAt(split: SplitName, dataset: Dataset, indices: Tensor): Batch {
    const [inputs, targets] = [names.inputs(split), names.targets(split)].map((name) =>
      g.take(this.variables.all[name], indices),
    );
    return preparedBatch(dataset, inputs, targets, this.training.dtype);
  }
}

/** The entry with its products in that precision. */
function withPrecision(
  { updates, traces }: ProgramEntry,
  precision: LaneTraining["precision"],
): ProgramEntry {
  if (precision === undefined) return { updates, traces };
  const names = [...Object.keys(updates), ...Object.keys(traces)];
  const outputs = withProductPrecision([...Object.values(updates), ...Object.values(traces)], precision);
  const rounding = names.map((name, i): [string, Tensor] => [name, outputs[i]]);
  const count = Object.keys(updates).length;
  return {
    updates: Object.fromEntries(rounding.slice(0, count)),
    traces: Object.fromEntries(rounding.slice(count)),
  };
}

/** The most steps of one call: enough that leaving the program costs nothing, few enough to answer Ctrl-C. */
const traceCapacity = 2048;
