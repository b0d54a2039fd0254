/** Data sets made from a seed, for examples and tests: Gaussian blobs and interleaved spirals. */
import { checkKeys, SlalomError } from "../../base/errors.js";
import { classification } from "./arrays.js";
import type { Dataset, DatasetSource } from "./dataset.js";
import { type DataRandom, dataRandom } from "./random.js";
import type { SplitOptions } from "./split.js";

export interface BlobsOptions {
  /** Number of classes, from 2; default 3. */
  readonly classes?: number;
  /** Size of an example, from 1; default 2. */
  readonly dimensions?: number;
  /** Number of examples in all; default 300. */
  readonly count?: number;
  /** Standard deviation of the class centres around the origin, in units of that within a class; default 4. */
  readonly separation?: number;
  readonly seed?: number;
  /** Default: 80 % training, 20 % validation. */
  readonly split?: SplitOptions;
}

/**
 * Gaussian blobs: class k has the centre c_k ~ N(0, separation² I), its examples are c_k + N(0, I).
 *
 * Classes take turns (example i has class i mod classes), so any cut is balanced. Equal options, equal data.
 */
export function blobs(options: BlobsOptions = {}): DatasetSource {
  checkKeys("blobs", options, ["classes", "dimensions", "count", "separation", "seed", "split"]);
  const {
    classes = 3,
    dimensions = 2,
    count = 300,
    separation = 4,
    seed = 0,
    split = defaultSplit,
  } = options;
  requireInteger("blobs", "classes", classes, 2);
  requireInteger("blobs", "dimensions", dimensions, 1);
  requireInteger("blobs", "count", count, classes);
  return synthetic(
    { name: "blobs", title: "Gaussian blobs", classes, dimensions, count, seed, split, given: options },
    (random) => {
      const centres = Float64Array.from({ length: classes * dimensions }, () => separation * random.normal());
      return (label) =>
        Array.from({ length: dimensions }, (_, d) => centres[label * dimensions + d] + random.normal());
    },
  );
}

export interface SpiralsOptions {
  /** Number of arms, one class each, from 2; default 2. */
  readonly classes?: number;
  /** Number of examples in all; default 300. */
  readonly count?: number;
  /** Turns of each arm from the centre to radius 1; default 1. */
  readonly turns?: number;
  /** Standard deviation of the noise on both coordinates; default 0.02. */
  readonly noise?: number;
  readonly seed?: number;
  /** Default: 80 % training, 20 % validation. */
  readonly split?: SplitOptions;
}

/**
 * Interleaved spirals in the plane: r uniform in [0, 1), angle = 2 pi (turns r + class / classes), plus noise.
 *
 * No linear model separates them. Classes take turns; equal options, equal data. After Lang and Witbrock 1988.
 */
export function spirals(options: SpiralsOptions = {}): DatasetSource {
  checkKeys("spirals", options, ["classes", "count", "turns", "noise", "seed", "split"]);
  const { classes = 2, count = 300, turns = 1, noise = 0.02, seed = 0, split = defaultSplit } = options;
  requireInteger("spirals", "classes", classes, 2);
  requireInteger("spirals", "count", count, classes);
  return synthetic(
    {
      name: "spirals",
      title: "Interleaved spirals",
      classes,
      dimensions: 2,
      count,
      seed,
      split,
      given: options,
    },
    (random) => (label) => {
      const radius = random.uniform();
      const angle = 2 * Math.PI * (turns * radius + label / classes);
      return [
        radius * Math.cos(angle) + noise * random.normal(),
        radius * Math.sin(angle) + noise * random.normal(),
      ];
    },
  );
}

const defaultSplit: SplitOptions = { train: 0.8, validation: 0.2 };

interface SyntheticSpec {
  readonly name: string;
  readonly title: string;
  readonly classes: number;
  readonly dimensions: number;
  readonly count: number;
  readonly seed: number;
  readonly split: SplitOptions;
  /** The options that the user named. */
  readonly given: BlobsOptions | SpiralsOptions;
}

/** `prepare` draws what all examples share and answers with the rule that draws one example of a class. */
function synthetic(
  spec: SyntheticSpec,
  prepare: (random: DataRandom) => (label: number) => number[],
): DatasetSource {
  const { name, title, classes, dimensions, count, seed, split, given } = spec;
  return {
    name,
    title,
    exampleShape: [dimensions],
    classes,
    options: { ...given },
    async load(): Promise<Dataset> {
      const example = prepare(dataRandom(seed));
      const targets = Int32Array.from({ length: count }, (_, i) => i % classes);
      const inputs = new Float32Array(count * dimensions);
      for (let i = 0; i < count; i++) inputs.set(example(targets[i]), i * dimensions);
      return classification({ name, title, inputs, targets, exampleShape: [dimensions], classes, split });
    },
  };
}

function requireInteger(operation: string, option: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new SlalomError(
    "option",
    `${operation}: received ${option} ${value}; expected an integer from ${least}.`,
  );
}
