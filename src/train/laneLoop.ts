/**
 * The training loop: runs a program of lanes in calls of many steps, turns its traces into rows, evaluates,
 * notices divergence, and goes on with a smaller program when many of its lanes have ended.
 */
import type { TypedArray } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import type { Backend, Executable } from "../compile/backend.js";
import type { SplitName } from "../learn/datasets/dataset.js";
import type { MetricRow } from "../runs/records.js";
import type { RunOutcome } from "../runs/summary.js";
import { betterSide } from "../runs/summary.js";
import { BestParameters, laneOf } from "./bestParameters.js";
import { compacted } from "./compaction.js";
import {
  bestMetricName,
  finalMetricName,
  hasExactLoss,
  type LaneTraining,
  metricName,
  parameterMetrics,
  rankingMetric,
  stepLossName,
  stepsPerEpoch,
} from "./configuration.js";
import { writeInitialValues, writeShared } from "./initialValues.js";
import { Lane } from "./lane.js";
import { type LaneProgram, laneProgram } from "./laneProgram.js";
import { bestSummary, learnedModel } from "./learned.js";
import { evaluateEntry, measureEntry, names, stepEntry } from "./names.js";
import type { LaneProgress, LaneSink } from "./results.js";
import {
  bestValues,
  checkSnapshot,
  type LoopSnapshot,
  rememberedVariables,
  takeSnapshot,
} from "./snapshot.js";

/** How long one call of the program should take: short enough to answer, long enough to be worth it. */
const callTimeMs = 40;
/** The program is compiled anew for the lanes that are left when they are at most this share of its lanes. */
const compactBelow = 0.75;
/** Final parameters are kept where a run has fewer numbers than this. */
const keptParameters = 100;

export class LaneLoop {
  /** The lane at each place of the program; undefined where it ended and its place still computes. */
  private places: (Lane | undefined)[];
  /** The numbers of the lanes at all places, ended or not. */
  private numbers: readonly number[];
  private program: LaneProgram;
  private executable: Executable;
  private step = 0;
  private callSteps = 1;
  private readonly perEpoch: number | undefined;
  private readonly exactLoss: boolean;
  /** Absent where no evaluation ranks parameters, or nobody asks for the best ones. */
  private readonly best: BestParameters | undefined;
  /** What the parameters of the best evaluations give on the splits that are looked at once. */
  private readonly atBest = new Map<string, TypedArray>();

  constructor(
    private readonly training: LaneTraining,
    private readonly backend: Backend,
    private readonly sink: LaneSink,
    from?: { readonly snapshot: LoopSnapshot; readonly source: string },
  ) {
    const { dataset, batchSize, lanes } = training;
    this.perEpoch = dataset && stepsPerEpoch(dataset.train.count, batchSize);
    this.exactLoss = hasExactLoss(training);
    this.numbers = from?.snapshot.places.map(({ lane }) => lane) ?? lanes.map((_, number) => number);
    this.places = this.numbers.map((number) => new Lane(number));
    this.program = laneProgram(training, this.numbers.length, backend.ranks);
    if (from) checkSnapshot(from.snapshot, this.program.program, from.source);
    this.executable = backend.compile(this.program.program);
    const metric = rankingMetric(training, this.program.built.metrics);
    const isAsked = training.keepModel || (training.evaluateAtEnd ?? []).length > 0;
    this.best =
      metric !== undefined && isAsked
        ? new BestParameters(
            { metric, direction: betterSide(metric)! },
            this.program.model.map(({ variable }) => variable),
          )
        : undefined;
    if (from) this.restore(from.snapshot);
    else writeInitialValues(this.executable, training, this.program);
  }

  get done(): boolean {
    return this.step >= this.training.steps || this.living().length === 0;
  }

  /** Everything that a loop needs to go on from here; call it between calls of `advance`, when rows are handed on. */
  snapshot(): LoopSnapshot {
    const { program, executable, step, numbers, best } = this;
    return takeSnapshot({
      program: program.program,
      executable,
      step,
      places: numbers.map((number, place) => ({ number, lane: this.places[place] })),
      best,
    });
  }

  progress(): LaneProgress {
    const losses = new Map(this.living().map(({ lane }) => [lane.number, lane.lastLoss]));
    return { step: this.step, steps: this.training.steps, losses };
  }

  /** One call of the program, then what falls due at the step it reached. */
  advance(): void {
    const { steps, evaluateEvery } = this.training;
    const boundary = Math.min(steps, (Math.floor(this.step / evaluateEvery) + 1) * evaluateEvery);
    const count = Math.min(boundary - this.step, this.callSteps, this.program.program.traceCapacity);
    const started = performance.now();
    this.executable.run(stepEntry, count);
    const elapsedMs = performance.now() - started;
    this.callSteps = Math.max(
      1,
      Math.min(count * 4, Math.ceil((count * callTimeMs) / Math.max(elapsedMs, 0.01))),
    );
    this.readTraces(count, elapsedMs / 1000);
    this.step += count;
    this.endBlownUp();
    if (this.step === boundary && this.living().length > 0) this.evaluate();
    this.handOn();
    if (!this.done) this.compact();
  }

  /** Ends the lanes that are left. */
  finish(status: "completed" | "interrupted"): void {
    for (const { lane, place } of this.living()) {
      const divergence = status === "completed" ? lane.divergenceAtEnd() : undefined;
      this.end(lane, place, divergence ? { status: "diverged", divergence } : { status });
    }
  }

  release(): void {
    this.executable.release();
  }

  private restore(snapshot: LoopSnapshot): void {
    const { places, lanes, best, tensors, step } = snapshot;
    this.step = step;
    this.places = places.map(({ lane, living }) =>
      living ? Lane.restored(lanes.find(({ number }) => number === lane)!) : undefined,
    );
    const present = { ...this.training, lanes: this.numbers.map((number) => this.training.lanes[number]) };
    writeShared(this.executable, present, this.program);
    for (const name of rememberedVariables(this.program.program))
      this.executable.write(name, tensors[name].data);
    for (const { lane, ...evaluation } of best)
      this.best?.restore(lane, { ...evaluation, values: bestValues(snapshot, lane) });
  }

  private living(): { lane: Lane; place: number }[] {
    return this.places.flatMap((lane, place) => (lane ? [{ lane, place }] : []));
  }

  /** Step, epoch and time of a row. */
  private position(step: number, timeS: number): MetricRow {
    return { step, ...(this.perEpoch !== undefined && { epoch: step / this.perEpoch }), timeS } as MetricRow;
  }

  private readTraces(count: number, elapsedS: number): void {
    const { recordEvery } = this.training;
    const losses = this.executable.trace(stepEntry, "loss");
    const parameters = this.parameterTraces(stepEntry);
    const width = this.places.length;
    const metrics = this.training.trainMetrics
      ? this.program.built.metrics.map((name) => [name, this.executable.trace(stepEntry, name)] as const)
      : [];
    const living = this.living();
    const share = elapsedS / living.length;
    for (const { lane, place } of living) {
      for (let n = 0; n < count; n++) {
        const step = this.step + n;
        const loss = losses[n * width + place];
        if (recordEvery > 0 && step % recordEvery === 0) {
          const row = this.position(step, lane.timeS + (share * n) / count);
          row[stepLossName(this.training)] = loss;
          for (const { name, at } of parameters) row[name] = at(n, place);
          lane.add(row);
        }
        if (!lane.see(step, loss)) break;
        for (const [name, values] of metrics) lane.seeMetric(name, values[n * width + place]);
      }
      lane.timeS += share;
    }
  }

  /** For each number of each recorded parameter its row name and its value at a step of the last call. */
  private parameterTraces(entry: string): { name: string; at: (step: number, place: number) => number }[] {
    if (!this.training.recordParameters) return [];
    const width = this.places.length;
    return Object.entries(this.program.built.parameters).flatMap(([name, { shape }]) => {
      const values = this.executable.trace(entry, names.parameter(name));
      const size = sizeOf(shape);
      return parameterMetrics(name, shape).map((metric, i) => ({
        name: metric,
        at: (step: number, place: number) => values[(step * width + place) * size + i],
      }));
    });
  }

  private endBlownUp(): void {
    for (const { lane, place } of this.living()) {
      if (!lane.blownUp) continue;
      const broken = this.brokenParameter(place);
      const divergence = broken
        ? { ...lane.blownUp, quantity: `loss, with parameter ${broken}` }
        : lane.blownUp;
      this.end(lane, place, { status: "diverged", divergence, stepsDone: divergence.step });
    }
  }

  /** The first parameter of a lane that holds a number no longer finite. */
  private brokenParameter(place: number): string | undefined {
    return Object.keys(this.program.built.parameters).find((name) =>
      this.laneValues(names.parameter(name), place).some((value) => !Number.isFinite(value)),
    );
  }

  private laneValues(variable: string, place: number): TypedArray {
    return laneOf(this.executable.read(variable), place, this.places.length);
  }

  /** Training loss and evaluated splits at the present step, a row for each lane. */
  private evaluate(): void {
    const measured = new Map<string, TypedArray>();
    for (const split of this.training.evaluate) {
      for (const [metric, values] of this.evaluateSplit(split)) measured.set(metric, values);
    }
    this.rank(measured);
    if (this.step === this.training.steps) {
      if (!this.exactLoss)
        for (const [metric, values] of this.evaluateTrainingSplit()) measured.set(metric, values);
      for (const [metric, values] of this.evaluateAtEnd()) measured.set(metric, values);
    }
    let parameters: ReturnType<LaneLoop["parameterTraces"]> = [];
    if (this.exactLoss) {
      this.executable.run(measureEntry, 1);
      measured.set("trainLoss", this.executable.trace(measureEntry, "loss"));
      parameters = this.parameterTraces(measureEntry);
    }
    for (const { lane, place } of this.living()) {
      const row = this.position(this.step, lane.timeS);
      const means = lane.takeMeans();
      if (!this.exactLoss) row.trainLoss = means.loss;
      for (const [metric, mean] of means.metrics) row[metricName("train", metric)] = mean;
      for (const [metric, values] of measured) row[metric] = values[place];
      for (const { name, at } of parameters) row[name] = at(0, place);
      lane.add(row);
      // A training loss measured at the end may be the first that is no number.
      if (this.exactLoss) lane.see(this.step, row.trainLoss);
    }
    this.endBlownUp();
  }

  /** Remembers what lanes have learned that were never better. */
  private rank(measured: ReadonlyMap<string, TypedArray>): void {
    const values = this.best && measured.get(this.best.by.metric);
    if (!values) return;
    const lanes = this.living().map(({ lane, place }) => ({
      lane: lane.number,
      place,
      value: values[place],
    }));
    this.best?.see(this.executable, this.step, lanes, this.places.length);
  }

  /** The splits that are looked at once: with the last parameters for the row, with the best ones for the summary. */
  private evaluateAtEnd(): [string, TypedArray][] {
    const splits = this.training.evaluateAtEnd ?? [];
    const last = splits.flatMap((split) => this.evaluateSplit(split));
    const { best } = this;
    const width = this.places.length;
    if (!best || splits.length === 0) return last;
    const kept = this.program.model.map(
      ({ variable }) => [variable, this.executable.read(variable)] as const,
    );
    for (const [name, values] of kept) {
      const replaced = values.slice();
      for (const { lane, place } of this.living()) {
        const better = best.of(lane.number)?.values.get(name);
        if (better) laneOf(replaced, place, width).set(better);
      }
      this.executable.write(name, replaced);
    }
    for (const [metric, values] of splits.flatMap((split) => this.evaluateSplit(split)))
      this.atBest.set(bestMetricName(metric), values);
    for (const [name, values] of kept) this.executable.write(name, values);
    return last;
  }

  /** Mean loss and metrics of each lane over a split, named as rows name them: "validationAccuracy". */
  private evaluateSplit(split: SplitName): [string, TypedArray][] {
    return this.meansOver(split).map(([metric, means]) => [metricName(split, metric), means]);
  }

  /** What the parameters as they stand give on all training examples; the loss is that which training descends. */
  private evaluateTrainingSplit(): [string, TypedArray][] {
    const { dataset, problem } = this.training;
    const factor = problem.reduction === "sum" ? dataset!.train.count : 1;
    return this.meansOver("train").map(([metric, means]) => [
      finalMetricName(metric),
      metric === "loss" ? means.map((mean) => factor * mean) : means,
    ]);
  }

  private meansOver(split: SplitName): [string, Float64Array][] {
    const metrics = ["loss", ...this.program.built.metrics];
    const width = this.places.length;
    for (const metric of metrics)
      this.executable.write(names.total(metric), new Array<number>(width).fill(0));
    this.executable.write(names.position, [0]);
    const { count } = this.training.dataset![split]!;
    const capacity = this.program.program.traceCapacity;
    let left = Math.ceil(count / this.program.evaluationBatch[split]!);
    for (; left > 0; left -= capacity) this.executable.run(evaluateEntry(split), Math.min(left, capacity));
    return metrics.map((metric) => {
      const means = Float64Array.from(this.executable.read(names.total(metric)), (total) => total / count);
      return [metric, means];
    });
  }

  /** Hands the rows of all lanes to the sink. */
  private handOn(): void {
    for (const { lane } of this.living()) {
      const rows = lane.takeRows();
      if (rows.length > 0) this.sink.rows(lane.number, rows);
    }
  }

  private end(lane: Lane, place: number, outcome: RunOutcome): void {
    const rows = lane.takeRows();
    if (rows.length > 0) this.sink.rows(lane.number, rows);
    const stepsDone = outcome.stepsDone ?? this.step;
    const { built, model } = this.program;
    const parameters = model.filter(({ name }) => name in built.parameters);
    const isWhole = stepsDone === this.training.steps;
    const best = this.best?.of(lane.number);
    if (isWhole && this.training.keepModel)
      this.sink.model?.(
        lane.number,
        learnedModel(model, {
          step: this.step,
          dtype: this.training.dtype,
          read: (variable) => this.laneValues(variable, place),
          best,
        }),
      );
    const final =
      isWhole && best && this.atBest.size > 0
        ? bestSummary(best, this.atBest, place, this.perEpoch)
        : undefined;
    const small = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < keptParameters;
    this.sink.finish(lane.number, {
      stepsDone,
      ...(this.perEpoch !== undefined && { epochsDone: stepsDone / this.perEpoch }),
      timeS: lane.timeS,
      ...(final && { final }),
      ...(small && {
        parameters: Object.fromEntries(
          parameters.map(({ name, variable }) => [name, [...this.laneValues(variable, place)]]),
        ),
      }),
      ...outcome,
    });
    this.places[place] = undefined;
  }

  /** A smaller program for the lanes that are left, once it pays. */
  private compact(): void {
    const living = this.living();
    if (living.length > compactBelow * this.places.length) return;
    const { program, executable } = compacted({
      training: this.training,
      backend: this.backend,
      from: this.executable,
      width: this.places.length,
      kept: living.map(({ lane, place }) => ({ number: lane.number, place })),
    });
    this.executable.release();
    this.executable = executable;
    this.program = program;
    this.places = living.map(({ lane }) => lane);
    this.numbers = living.map(({ lane }) => lane.number);
  }
}
