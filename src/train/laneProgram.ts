/**
 * The training of many lanes as one program: choose a batch, forward, backward, update, report; and an entry for each
 * split that evaluates it. Everything that a step needs is in the program's memory. A batch that is taken in parts has
 * an entry that adds up what each part gives: the program's memory is that of a part.
 */
import { SlalomError } from "../base/errors.js";
import { type Program, type ProgramEntry, withOutputs } from "../compile/program.js";
import type { Tensor } from "../graph/index.js";
import * as g from "../graph/index.js";
import type { SplitName } from "../learn/datasets/dataset.js";
import { squaredNorm } from "../learn/optimizers/apply.js";
import {
  type Batch,
  type BuiltProblem,
  type Context,
  checkEvaluation,
  type Evaluation,
  type Parameters,
} from "../learn/problems/problem.js";
import { grad, withProductPrecision } from "../transform/index.js";
import { evaluationBatchSize } from "./batches.js";
import { checkStatistics, partsAt } from "./batchSizes.js";
import { hasExactLoss, type LaneTraining, runLength } from "./configuration.js";
import { Examples } from "./examples.js";
import { checkNoise, type GradientNoise, noiseOfStep, squareTraces } from "./gradientNoise.js";
import { LaneVariables } from "./laneVariables.js";
import { type ModelVariable, modelVariables } from "./learned.js";
import { accumulateEntry, evaluateEntry, measureEntry, names, statisticsEntry, stepEntry } from "./names.js";
import { updatesOf } from "./update.js";

export interface LaneProgram {
  readonly program: Program;
  readonly built: BuiltProblem;
  /** What evaluations look at: parameters and states, or their averages. */
  readonly model: readonly ModelVariable[];
  /** Examples that one step of an evaluation looks at, for each split that the program can evaluate. */
  readonly evaluationBatch: Readonly<Partial<Record<SplitName, number>>>;
  /**
   * How often `accumulateEntry` runs before a step, or `measureEntry` in place of once, for the batch of that step; absent
   * where batches are taken whole.
   */
  readonly partsAt?: (step: number) => number;
  /** What the `squareTraces` of a step tell of one lane, where they tell something; absent where nobody asks. */
  readonly noiseAt?: (
    step: number,
    squares: { readonly parts: number; readonly batch: number },
  ) => GradientNoise | undefined;
  /**
   * From which step on `statisticsEntry` runs before evaluations, and how often; absent where the average has the
   * statistics of its iterates.
   */
  readonly statistics?: { readonly from: number; readonly parts: number };
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

/** What a batch or a part of it gives to a step, of one lane, summed over ranks. */
interface Contribution {
  /** The loss that training descends, mean metrics, and the squared norms that tell of noise, by name. */
  readonly means: Readonly<Record<string, Tensor>>;
  /** By parameter. */
  readonly gradients: Parameters;
  /** New values of what training changes without gradients. */
  readonly state: Parameters;
}

class Builder {
  private readonly variables: LaneVariables;
  private readonly built: BuiltProblem;
  private readonly model: readonly ModelVariable[];
  private readonly examples: Examples | undefined;
  private readonly step: Tensor;
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
    const { dataset, problem, choice, dtype } = training;
    this.variables = new LaneVariables(lanes);
    this.built = problem.build(dataset);
    this.model = modelVariables(this.built, choice);
    const variable = (name: string, { shape }: { readonly shape: g.Shape }): Tensor =>
      this.variables.perLane(name, shape, dtype);
    const variablesOf = (specs: BuiltProblem["parameters"], nameOf: (name: string) => string): Parameters =>
      Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, variable(nameOf(name), spec)]));
    this.parameters = variablesOf(this.built.parameters, names.parameter);
    this.state = variablesOf(this.built.state ?? {}, names.state);
    this.evaluatedValues = Object.fromEntries(
      this.model.map((one) => [one.name, variable(one.variable, one)]),
    );
    this.step = this.variables.shared(names.step, [], "int32");
    if (dataset) this.examples = new Examples(training, dataset, this.variables, ranks);
    checkNoise(training, this.examples?.sizes);
    if (!dataset || !this.examples) return;
    checkStatistics(this.built, this.examples.sizes, { count: dataset.train.count, ranks });
  }

  build(): LaneProgram {
    const { training, built, variables, examples } = this;
    const { dataset } = training;
    const isExact = hasExactLoss(training);
    const statistics = this.statisticsRuns();
    const entries: Record<string, ProgramEntry> = {
      ...(examples?.areParts ? this.accumulatedSteps() : { [stepEntry]: this.stepOf(this.contribution()) }),
      ...(isExact && { [measureEntry]: this.measure() }),
      ...(examples && statistics && { [statisticsEntry]: this.statistics(examples) }),
    };
    // Losses of batches tell the loss at no parameters: the last ones are evaluated on all of the training split.
    const atEnd: readonly SplitName[] = isExact ? [] : ["train"];
    for (const split of new Set([...training.evaluate, ...(training.evaluateAtEnd ?? []), ...atEnd])) {
      if (!examples || !dataset?.[split])
        throw new SlalomError(
          "data",
          `data set "${dataset?.name}" has no ${split} split to evaluate; expected one. Split the training data?`,
        );
      entries[evaluateEntry(split)] = this.evaluation(split, dataset[split].count, examples);
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
    const { model, evaluationBatch } = this;
    return { program, built, model, evaluationBatch, ...this.ofParts(), ...(statistics && { statistics }) };
  }

  private ofParts(): Pick<LaneProgram, "partsAt" | "noiseAt"> {
    const { training, examples } = this;
    if (!examples) return {};
    const { sizes } = examples;
    const { count } = training.dataset!.train;
    return {
      ...(examples.areParts && { partsAt: (step) => partsAt(sizes, count, step) }),
      ...(training.gradientNoise && {
        noiseAt: (step, squares) => noiseOfStep(training, sizes, step, squares),
      }),
    };
  }

  private statisticsRuns(): LaneProgram["statistics"] {
    const { training, examples, state } = this;
    const from = training.choice.average?.statisticsFrom?.(runLength(training));
    if (from === undefined || !examples || Object.keys(state).length === 0) return undefined;
    return { from, parts: Math.ceil(training.dataset!.train.count / examples.sizes.part) };
  }

  /** One update of all lanes, by what its batch gives. */
  private stepOf({ means, gradients, state }: Contribution): ProgramEntry {
    const { training, variables, parameters, step } = this;
    return {
      updates: updatesOf({ training, variables, parameters, gradients, state, step }),
      traces: {
        ...means,
        ...(training.gradientNoise && { [squareTraces.batch]: squaredNorm(Object.values(gradients)) }),
        ...this.recordedParameters(),
      },
    };
  }

  /** A step that follows its parts: what they give is added up in variables of its own. */
  private accumulatedSteps(): Record<string, ProgramEntry> {
    const { variables } = this;
    const part = variables.shared(names.part, [], "int32");
    const { means, gradients, state } = this.contribution(part);
    const updates: Record<string, Tensor> = { [names.part]: g.add(part, 1) };
    const summed = (kind: string, values: Parameters): Record<string, Tensor> =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => {
          const { variable, sum } = this.accumulated(`${kind}/${name}`, value, part);
          updates[names.accumulated(`${kind}/${name}`)] = sum;
          return [name, variable];
        }),
      );
    const sums: Contribution = {
      means: summed("mean", means),
      gradients: summed("gradient", gradients),
      // Each part's follow from the states before the step: what is remembered is their mean.
      state: Object.fromEntries(
        Object.entries(summed("state", state)).map(([name, sum]) => [
          name,
          g.div(sum, g.cast(part, sum.dtype)),
        ]),
      ),
    };
    return { [accumulateEntry]: { updates, traces: {} }, [stepEntry]: this.stepOf(sums) };
  }

  /** A variable that sums what parts give, and its value after one more: the first begins anew. */
  private accumulated(name: string, value: Tensor, part: Tensor): { variable: Tensor; sum: Tensor } {
    const variable = this.variables.perLane(names.accumulated(name), value.shape, value.dtype);
    return { variable, sum: g.add(g.where(g.equal(part, 0), 0, variable), value) };
  }

  /** The training loss of the parameters that evaluations look at; in parts what they sum to so far. */
  private measure(): ProgramEntry {
    const parameters = this.recordedParameters();
    const part = this.examples?.areParts ? this.variables.shared(names.part, [], "int32") : undefined;
    const loss = this.overRanks(this.trainingMeans(this.evaluatedValues, { part }).loss);
    if (!part) return { updates: {}, traces: { loss, ...parameters } };
    const { sum } = this.accumulated("mean/loss", loss, part);
    return {
      updates: { [names.part]: g.add(part, 1), [names.accumulated("mean/loss")]: sum },
      traces: { loss: sum, ...parameters },
    };
  }

  /** The states of the average after one more part of an epoch: the mean of what all parts so far give. */
  private statistics(examples: Examples): ProgramEntry {
    const { variables, step, training } = this;
    const position = variables.shared(names.position, [], "int32");
    const updates: Record<string, Tensor> = { [names.position]: g.add(position, 1) };
    const { batch, ...which } = examples.ofEpoch(step, position);
    const context: Context = {
      ...this.trainingContext(),
      keep: (name, value) => {
        updates[names.average(name)] = this.remembered(name, value);
      },
      statisticsWeight: g.div(1, g.add(g.cast(position, training.dtype), 1)),
    };
    this.evaluated(this.evaluatedValues, batch, { ...context, ...which }, examples.sizes.own);
    return { updates, traces: {} };
  }

  private contribution(part?: Tensor): Contribution {
    const { parameters } = this;
    const state: Record<string, Tensor> = {};
    const { loss, metrics } = this.trainingMeans(
      { ...parameters, ...this.state },
      {
        part,
        keep: (name, value) => {
          state[name] = this.remembered(name, g.stopGradient(value));
        },
      },
    );
    const ofRank = grad(loss, Object.values(parameters));
    const gradients = ofRank.map((gradient) => this.overRanks(gradient));
    const means = Object.entries({ loss, ...(this.training.trainMetrics && metrics) });
    return {
      means: {
        ...Object.fromEntries(means.map(([name, ofRank]) => [name, this.overRanks(ofRank)])),
        ...(this.training.gradientNoise && {
          [squareTraces.parts]: part
            ? this.partSquare(gradients, part)
            : this.overRanks(this.partSquare(ofRank)),
        }),
      },
      gradients: Object.fromEntries(Object.keys(parameters).map((name, i) => [name, gradients[i]])),
      state,
    };
  }

  /**
   * The squared norm of the mean gradient of the examples of a part, or without parts of this rank, weighted by their share
   * of the batch: what is given is the share times that gradient.
   */
  private partSquare(gradients: readonly Tensor[], part?: Tensor): Tensor {
    return g.div(squaredNorm(gradients), this.examples!.shareOf(this.step, part, this.training.dtype));
  }

  /** The sum of what each rank has of `x`. */
  private overRanks(x: Tensor): Tensor {
    return this.ranks === 1 ? x : g.allReduceSum(x);
  }

  /** A state's new value: of those that follow from each rank's part of the batch the mean. */
  private remembered(name: string, value: Tensor): Tensor {
    const isOfBatch = this.built.state?.[name]?.follows === "batch";
    return isOfBatch ? value : g.div(this.overRanks(value), this.ranks);
  }

  private trainingContext(): Context {
    return {
      training: true,
      key: this.stepKey(),
      ...(this.ranks > 1 && { sumOverRanks: g.allReduceSum }),
    };
  }

  /** The key of this step and nothing else. */
  private stepKey(): Tensor {
    return g.foldInTensor(this.variables.shared(names.modelKey, [2], "int32"), this.step);
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
   * each this rank's share, and of a batch in parts the part's: the sum of all is the loss.
   */
  private trainingMeans(
    values: Parameters,
    { part, keep = () => {} }: { readonly part: Tensor | undefined; readonly keep?: Context["keep"] },
  ): { loss: Tensor; metrics: Readonly<Record<string, Tensor>> } {
    const { training, step, examples: all } = this;
    const context: Context = { ...this.trainingContext(), keep };
    if (!all) return this.evaluated(values, undefined, context, undefined);
    const { batch, present, examples, firstExample } = all.ofStep(step, part);
    const { loss, metrics } = this.evaluated(
      values,
      batch,
      { ...context, ...(present && { present }), ...(firstExample && { firstExample }) },
      all.sizes.own,
    );
    const total = (each: Tensor): Tensor => g.sum(present ? g.where(present, each, 0) : each);
    const mean = (each: Tensor): Tensor =>
      g.div(total(each), typeof examples === "number" ? examples : g.cast(examples, each.dtype));
    return {
      loss: training.problem.reduction === "sum" ? total(loss) : mean(loss),
      metrics: Object.fromEntries(Object.entries(metrics).map(([name, each]) => [name, mean(each)])),
    };
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

  private evaluation(split: SplitName, count: number, examples: Examples): ProgramEntry {
    const { training, variables, ranks } = this;
    const size = Math.ceil(evaluationBatchSize(count, training.microBatch) / ranks) * ranks;
    this.evaluationBatch[split] = size;
    const position = variables.shared(names.position, [], "int32");
    const { batch, present } = examples.ofSplit(split, g.mul(position, size), size);
    const context = { training: false, key: variables.shared(names.modelKey, [2], "int32") };
    const { loss, metrics } = this.evaluated(this.evaluatedValues, batch, context, size / ranks);
    const updates: Record<string, Tensor> = { [names.position]: g.add(position, 1) };
    for (const [name, values] of Object.entries({ loss, ...metrics })) {
      const kept = present ? g.where(present, values, 0) : values;
      const total = variables.perLane(names.total(name), [], training.dtype);
      updates[names.total(name)] = g.add(total, this.overRanks(g.cast(g.sum(kept), training.dtype)));
    }
    return { updates, traces: {} };
  }
}

/** The entry with its products in that precision. */
const withPrecision = (entry: ProgramEntry, precision: LaneTraining["precision"]): ProgramEntry =>
  precision === undefined ? entry : withOutputs(entry, (outputs) => withProductPrecision(outputs, precision));

/** The most steps of one call: enough that leaving the program costs nothing, few enough to answer Ctrl-C. */
const traceCapacity = 2048;
