/**
 * The training loop: runs a program of lanes in calls of many steps, turns its traces into rows, evaluates,
 * notices divergence, and goes on with a smaller program when many of its lanes have ended.
 */
import type { TypedArray } from "../base/dtype.js";
import { sizeOf } from "../base/shape.js";
import type { Backend, Executable } from "../compile/backend.js";
import type { MetricRow } from "../runs/records.js";
import type { RunOutcome } from "../runs/summary.js";
import { betterSide } from "../runs/summary.js";
import { type BestEvaluation, BestParameters, laneOf } from "./bestParameters.js";
import { type Closing, closingMeasures, finalMetrics } from "./closing.js";
import { compacted, compactionWidth } from "./compaction.js";
import {
  hasExactLoss,
  type LaneTraining,
  metricName,
  parameterMetrics,
  rankingMetric,
  stepLossName,
  stepsPerEpoch,
} from "./configuration.js";
import { afterEvaluation, stopped } from "./earlyStopping.js";
import { type Evaluated, evaluateSplit, runMany, takeStatistics } from "./evaluation.js";
import { type GradientNoise, noiseRow, squareTraces } from "./gradientNoise.js";
import { initialParameters, writeInitialValues, writeShared } from "./initialValues.js";
import { Lane } from "./lane.js";
import { type LaneProgram, laneProgram } from "./laneProgram.js";
import { learnedModel } from "./learned.js";
import { accumulateEntry, measureEntry, names, stepEntry } from "./names.js";
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
    // Before the program takes its memory.
    const initial = from ? undefined : initialParameters(training, this.program.built, backend);
    this.executable = backend.compile(this.program.program);
    const metric = rankingMetric(training, this.program.built.metrics);
    const isRestored = training.earlyStopping?.restore === "best";
    const isAsked = training.keepModel || (training.evaluateAtEnd ?? []).length > 0 || isRestored;
    this.best =
      metric !== undefined && isAsked
        ? new BestParameters(
            { metric, direction: betterSide(metric)! },
            this.program.model.map(({ variable }) => variable),
          )
        : undefined;
    if (from) this.restore(from.snapshot);
    else writeInitialValues(this.executable, training, this.program, initial);
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
    const { partsAt, program } = this.program;
    const most = partsAt ? 1 : Math.min(this.callSteps, program.traceCapacity);
    const count = Math.min(boundary - this.step, most);
    const started = performance.now();
    if (partsAt) this.runParts(accumulateEntry);
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

  /** Ends the lanes that are left before their time. */
  interrupt(): void {
    for (const { lane, place } of this.living()) this.end(lane, place, { status: "interrupted" });
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
    const noiseOf = this.noiseTraces();
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
        const noise = noiseOf(n, place);
        if (noise) lane.seeNoise(noise);
      }
      lane.timeS += share;
    }
  }

  /** What a lane's gradient at a step of the last call tells of its noise, where that is asked for. */
  private noiseTraces(): (n: number, place: number) => GradientNoise | undefined {
    const { noiseAt } = this.program;
    if (!noiseAt) return () => undefined;
    const parts = this.executable.trace(stepEntry, squareTraces.parts);
    const batch = this.executable.trace(stepEntry, squareTraces.batch);
    return (n, place) => {
      const at = n * this.places.length + place;
      return noiseAt(this.step + n, { parts: parts[at], batch: batch[at] });
    };
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

  /** Training loss and evaluated splits at the present step: a row for each lane, and the end of those that stop. */
  private evaluate(): void {
    const { statistics } = this.program;
    if (statistics && this.step >= statistics.from) takeStatistics(this.evaluated(), statistics.parts);
    const measured = this.training.evaluate.flatMap((split) => [...evaluateSplit(this.evaluated(), split)]);
    const trainLoss = this.exactLoss ? this.measuredLoss() : undefined;
    const parameters = this.exactLoss ? this.parameterTraces(measureEntry) : [];
    const rows = this.living().map(({ lane, place }) => {
      const row = this.position(this.step, lane.timeS);
      const means = lane.takeMeans();
      row.trainLoss = trainLoss?.[place] ?? means.loss;
      for (const [metric, mean] of means.metrics) row[metricName("train", metric)] = mean;
      const noise = lane.takeNoise();
      if (noise) Object.assign(row, noiseRow(noise));
      for (const [metric, values] of measured) row[metric] = values[place];
      for (const { name, at } of parameters) row[name] = at(0, place);
      return { lane, place, row };
    });
    this.best?.see(
      this.executable,
      rows.map(({ lane, ...rest }) => ({ lane: lane.number, ...rest })),
      this.places.length,
    );
    const ending = this.endings(rows);
    const closing = ending.size > 0 ? this.closing(ending) : undefined;
    for (const { lane, place, row } of rows) {
      if (closing && ending.has(lane))
        for (const [metric, values] of closing.last) row[metric] = values[place];
      lane.add(row);
      // A training loss measured at the end may be the first that is no number.
      if (this.exactLoss) lane.see(this.step, row.trainLoss);
    }
    this.endBlownUp();
    for (const { lane, place } of this.living()) {
      const end = ending.get(lane);
      if (!end) continue;
      const divergence = lane.divergenceAtEnd();
      this.end(lane, place, divergence ? { status: "diverged", divergence } : end, closing);
    }
  }

  /** How the lanes end that do so at the present step: all at the last one, before it those that are out of patience. */
  private endings(rows: readonly { readonly lane: Lane; readonly row: MetricRow }[]): Map<Lane, RunOutcome> {
    const { earlyStopping, steps } = this.training;
    const isLast = this.step === steps;
    return new Map(
      rows.flatMap(({ lane, row }): [Lane, RunOutcome][] => {
        if (isLast) return [[lane, { status: "completed" }]];
        if (!earlyStopping) return [];
        lane.waiting = afterEvaluation(lane.waiting, this.step, row[earlyStopping.metric], earlyStopping);
        const stoppedEarly = stopped(lane.waiting, this.step, earlyStopping);
        return stoppedEarly ? [[lane, { status: "completed", stoppedEarly }]] : [];
      }),
    );
  }

  private closing(ending: ReadonlyMap<Lane, unknown>): Closing {
    const best = this.living().flatMap(({ lane, place }): [number, BestEvaluation][] => {
      const evaluation = ending.has(lane) ? this.best?.of(lane.number) : undefined;
      return evaluation ? [[place, evaluation]] : [];
    });
    return closingMeasures(this.evaluated(), new Map(best));
  }

  private evaluated(): Evaluated {
    const { training, program, executable, places } = this;
    return { training, program, executable, width: places.length };
  }

  /** The training loss itself, of each lane. */
  private measuredLoss(): TypedArray {
    if (this.program.partsAt) this.runParts(measureEntry);
    else this.executable.run(measureEntry, 1);
    // In parts the last one tells the sum of all.
    return this.executable.trace(measureEntry, "loss").slice(-this.places.length);
  }

  /** Runs an entry for each part of the present step's batch. */
  private runParts(entry: string): void {
    this.executable.write(names.part, [0]);
    runMany(this.evaluated(), entry, this.program.partsAt!(this.step));
  }

  /** Hands the rows of all lanes to the sink. */
  private handOn(): void {
    for (const { lane } of this.living()) {
      const rows = lane.takeRows();
      if (rows.length > 0) this.sink.rows(lane.number, rows);
    }
  }

  /** @param closing what was measured of a lane that trained to its end */
  private end(lane: Lane, place: number, outcome: RunOutcome, closing?: Closing): void {
    const rows = lane.takeRows();
    if (rows.length > 0) this.sink.rows(lane.number, rows);
    const { training, perEpoch } = this;
    const { built, model } = this.program;
    const stepsDone = outcome.stepsDone ?? this.step;
    const best = this.best?.of(lane.number);
    const isRestored = outcome.status === "completed" && training.earlyStopping?.restore === "best";
    const restored = isRestored ? best : undefined;
    const read = (variable: string): TypedArray =>
      restored?.values.get(variable) ?? this.laneValues(variable, place);
    if (closing && training.keepModel)
      this.sink.model?.(
        lane.number,
        learnedModel(model, { step: restored?.step ?? this.step, dtype: training.dtype, read, best }),
      );
    const final = closing && finalMetrics({ closing, place, best, isRestored, stepsPerEpoch: perEpoch });
    const parameters = model.filter(({ name }) => name in built.parameters);
    const isSmall = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0) < keptParameters;
    this.sink.finish(lane.number, {
      stepsDone,
      ...(perEpoch !== undefined && { epochsDone: stepsDone / perEpoch }),
      timeS: lane.timeS,
      ...(final && { final }),
      ...(isSmall && {
        parameters: Object.fromEntries(parameters.map(({ name, variable }) => [name, [...read(variable)]])),
      }),
      ...outcome,
    });
    this.places[place] = undefined;
  }

  /** A smaller program for the lanes that are left, once it pays. */
  private compact(): void {
    const living = this.living();
    if (living.length > compactionWidth(this.places.length)) return;
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
