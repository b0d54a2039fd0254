/**
 * The ladder to higher accuracy: each rung changes one thing of the one before, or of the one that it names. The first
 * is exercise 3 as the course ran it (study.ts); these stand on it.
 *
 *     slalom run exercises/ex3-cnn/ladder.ts
 *     slalom run exercises/ex3-cnn/ladder.ts --precision bfloat16
 */
import {
  adam,
  affine,
  type ClassificationProblemOptions,
  type ConvNetOptions,
  convNet,
  cosine,
  ema,
  mnist,
  study,
  swa,
  withWarmup,
} from "slalom";

/** What a rung trains, whole. */
interface Recipe {
  readonly model: ConvNetOptions;
  readonly optimizer: NonNullable<Parameters<typeof adam>[0]>;
  readonly augment: NonNullable<ClassificationProblemOptions["augment"]>;
  readonly epochs: number;
  readonly batchSize: number;
}

export interface Rung {
  /** Its study is "ex3-ladder-<id>". */
  readonly id: string;
  readonly title: string;
  /** What it changes of the rung that it stands on: the one before, or `on`. */
  readonly change: Partial<Recipe>;
  readonly on?: string;
}

const annealed = withWarmup(cosine(), { steps: 500, start: 0.1 });

export const rungs: readonly Rung[] = [
  {
    id: "schedule",
    title: "Schedule: 10⁻³ annealed by a cosine, batch 100, 12 epochs",
    change: { optimizer: { lr: 1e-3, schedule: annealed }, epochs: 12, batchSize: 100 },
  },
  { id: "initialisation", title: "Initialisation: He's", change: { model: { initializer: "he" } } },
  {
    id: "ema",
    title: "Averaged weights: EMA 0.999",
    change: { optimizer: { lr: 1e-3, schedule: annealed, average: ema({ decay: 0.999 }) } },
  },
  {
    id: "augmentation",
    title: "Augmentation: shift, rotation, scale",
    change: { augment: [affine({ shift: 2, rotation: 10, scale: 0.1 })] },
  },
  {
    id: "batch-norm",
    title: "Batch normalisation",
    change: { model: { initializer: "he", batchNorm: true } },
  },
  {
    id: "width",
    title: "Width: 48 and 96 filters",
    change: { model: { initializer: "he", filters: [48, 96] } },
    on: "augmentation",
  },
  { id: "longer", title: "Longer: 20 epochs", change: { epochs: 20 }, on: "augmentation" },
  {
    id: "swa",
    title: "Averaged weights: SWA of the last quarter instead, at a constant learning rate",
    change: { optimizer: { lr: 1e-3, average: swa({ from: 0.75 }) } },
    on: "initialisation",
  },
];

const course: Recipe = { model: {}, optimizer: { lr: 1e-4 }, augment: [], epochs: 30, batchSize: 50 };

/** The recipe of each rung, by its id. */
function recipes(): Map<string, Recipe> {
  const all = new Map<string, Recipe>();
  let last = course;
  for (const { id, change, on } of rungs) {
    last = { ...(on === undefined ? last : all.get(on)!), ...change };
    all.set(id, last);
  }
  return all;
}

const studies = [...recipes()].map(([id, { model, optimizer, augment, epochs, batchSize }]) =>
  study({
    name: `ex3-ladder-${id}`,
    title: `Exercise 3, the ladder: ${rungs.find((rung) => rung.id === id)!.title}`,
    problem: mnist({ model: convNet(model), augment }),
    optimizers: [adam(optimizer)],
    seeds: 3,
    evaluateEvery: { epochs: 0.5 },
    epochs,
    batchSize,
    test: "end",
    keepModel: true,
    targets: [0.99, 0.994, 0.995, 0.996, 0.997].map((value) => ({ metric: "validationAccuracy", value })),
  }),
);

export default studies;
