/** What `npm run bench:cuda` measures, the most telling first, with the goals of each. */
import { gridWorkload } from "../cases/grid.js";
import type { ContestantSpec, Workload } from "../specification.js";
import { recipes } from "./recipes.js";

export interface Measurement {
  readonly id: string;
  /** For `--only`. */
  readonly case: CaseName;
  readonly title: string;
  readonly workload: Workload;
  /** Slalom's first; ratios refer to it. */
  readonly contestants: readonly ContestantSpec[];
  /** What times are given for, and how many steps it has. */
  readonly unit: { readonly name: string; readonly steps: number };
  readonly goals: readonly Goal[];
  /** Seconds for starting and measuring all; what takes longer is cut short. */
  readonly budgetS: number;
  readonly notes?: readonly string[];
}

/** Slalom's first is at least so many times as fast as the fastest peer; or takes less than so long. */
export type Goal = { readonly timesBestPeer: number } | { readonly underS: number };

export const caseNames = ["step", "lanes", "grid", "exercise3", "mnist"] as const;
export type CaseName = (typeof caseNames)[number];

type Precision = "float32" | "tf32" | "bfloat16";

const onGpu = (precision: Precision) =>
  ({
    threads: 1,
    device: "cuda",
    ...(precision !== "float32" && { precision }),
  }) as const;

const slalom = (form: string, precision: Precision): ContestantSpec => ({
  library: "slalom",
  form,
  ...onGpu(precision),
});

const peers = (
  precision: Precision,
  torchForms: readonly string[],
  jaxForms: readonly string[],
): ContestantSpec[] => [
  ...torchForms.map((form): ContestantSpec => ({ library: "torch", form, ...onGpu(precision) })),
  ...jaxForms.map((form): ContestantSpec => ({ library: "jax", form, ...onGpu(precision) })),
];

const network: Workload = { workload: "cnn", optimizer: "adam", settings: { lr: 1e-4 } };
const titles = { float32: "float32", tf32: "TF32", bfloat16: "bfloat16" } as const;
const one = { name: "step", steps: 1 } as const;

function step(batch: number, precision: Precision, goals: readonly Goal[]): Measurement {
  return {
    id: `step-${batch}-${precision}`,
    case: "step",
    title: `One Adam step of the CNN of exercise 3, batch ${batch}, ${titles[precision]}`,
    workload: { ...network, batch },
    contestants: [
      slalom(titles[precision], precision),
      ...peers(precision, ["eager", "compiled", "graphs", "compiled-graphs"], ["scan"]),
    ],
    unit: one,
    goals,
    budgetS: 110,
  };
}

/** Networks side by side. */
const networks = 64;

const lanes: Measurement = {
  id: "lanes",
  case: "lanes",
  title: `${networks} CNNs of exercise 3 side by side, batch 50, TF32: one Adam step of one of them`,
  workload: { ...network, batch: 50 },
  contestants: [
    { ...slalom(`${networks} lanes`, "tf32"), lanes: networks, chunkSteps: 50 },
    slalom("one after another", "tf32"),
    ...peers("tf32", ["vmap", "vmap-graphs", "vmap-compiled-graphs"], ["vmap"]).map((spec) => ({
      ...spec,
      lanes: networks,
      chunkSteps: 50,
    })),
    ...peers("tf32", ["graphs", "compiled-graphs"], ["scan"]),
  ],
  unit: one,
  goals: [{ timesBestPeer: 2 }],
  budgetS: 130,
  notes: [
    `One after another: steps of one network; ${networks} trainings would take ${networks} times as long, and none of them was run ${networks} times.`,
  ],
};

const epochsOfGrid = 30;
const runsOfGrid = 170;
const stepsOfEpoch = 500;

const exercise2: Measurement = {
  id: "grid",
  case: "grid",
  title: `The whole grid of exercise 2: ${runsOfGrid} trainings of ${epochsOfGrid} epochs, evaluated after each, TF32`,
  workload: gridWorkload,
  contestants: [
    { ...slalom("slalom run", "tf32"), chunks: epochsOfGrid },
    ...peers("tf32", ["vmap-graphs", "vmap-compiled-graphs"], []).map((spec) => ({ ...spec, chunks: 3 })),
    ...peers("tf32", [], ["vmap"]).map((spec) => ({ ...spec, chunks: epochsOfGrid })),
  ],
  unit: { name: "grid", steps: runsOfGrid * epochsOfGrid * stepsOfEpoch },
  goals: [{ timesBestPeer: 2 }],
  budgetS: 110,
  notes: [
    "Slalom's time is that of all that `slalom run` does, run store included, but for starting the process; PyTorch's is that of 3 epochs, times 10.",
  ],
};

function exercise3(precision: Precision): Measurement {
  return {
    id: `exercise3-${precision}`,
    case: "exercise3",
    title: `Exercise 3: 30 epochs of the CNN, validation after each, test images at the end, ${titles[precision]}`,
    workload: { ...network, workload: "exercise3", batch: 50 },
    contestants: [
      slalom("slalom run", precision),
      ...peers(precision, ["graphs", "compiled-graphs"], ["scan"]),
    ].map((spec) => ({ ...spec, chunks: 30 })),
    unit: { name: "training", steps: 30 * 1000 },
    goals: [{ underS: 5 }, { timesBestPeer: 1 }],
    budgetS: 100,
    notes: ["Slalom's time has compiling, initial values and the run store in it, the peers' has not."],
  };
}

const fast = recipes.map(({ name, title, batchSize, epochs, accuracy }): Measurement => {
  const steps = Math.round((epochs * 50_000) / batchSize);
  return {
    id: name,
    case: "mnist",
    title: `${title}: seconds of a training of ${epochs} epochs, looking at the test images included`,
    workload: { workload: "recipe", recipe: name },
    contestants: (["bfloat16", "tf32", "float32"] as const).map((precision) => ({
      ...slalom(titles[precision], precision),
      chunks: 5,
    })),
    unit: { name: "training", steps },
    goals: accuracy === 0.99 ? [{ underS: 0.3 }] : [],
    budgetS: 60,
    notes: [
      "Data and initial values are on the device and the program is compiled before the clock runs. The public record for 99 % is 0.76 s, on a small card.",
    ],
  };
});

export const measurements: readonly Measurement[] = [
  step(50, "tf32", [{ timesBestPeer: 2 }]),
  lanes,
  exercise2,
  step(5000, "tf32", [{ timesBestPeer: 1 }]),
  exercise3("tf32"),
  ...fast,
  exercise3("bfloat16"),
  exercise3("float32"),
  step(500, "tf32", []),
  step(50, "float32", []),
  step(5000, "bfloat16", []),
];

/** The same on the processor, small: whether everything runs before a device's time is spent on it. */
export const rehearsed = (measurement: Measurement): Measurement => ({
  ...measurement,
  title: `${measurement.title} (rehearsed on the processor: no such number counts)`,
  contestants: measurement.contestants
    .filter(({ form }) => !/compiled|graphs/.test(form))
    .map(({ device: _device, precision: _precision, ...spec }) => ({
      ...spec,
      chunks: 1,
      chunkSteps: 2,
      ...(spec.lanes && { lanes: 2 }),
    })),
});
