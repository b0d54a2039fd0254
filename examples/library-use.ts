/**
 * A study from a script, without the command line: train it in this thread, read the results from the run store.
 *
 *     npx jiti examples/library-use.ts
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, inThread, openStore, rosenbrock, runStudy, sgd, study, surfaceProblem } from "slalom";
import { cpuBackend } from "slalom/backends/cpu";

const valley = study({
  name: "valley",
  problem: surfaceProblem(rosenbrock),
  optimizers: [sgd({ lr: [1e-4, 1e-3, 1e-2] }), adam({ lr: [0.01, 0.1] })],
  steps: 2000,
  dtype: "float64",
  targets: [{ metric: "trainLoss", value: 0.01 }],
});

const store = openStore(mkdtempSync(join(tmpdir(), "slalom-")));
const outcome = await runStudy(valley, { store, executor: inThread(cpuBackend()) });
console.log(`${outcome.runsTrained} runs in ${outcome.folder}`);

for (const { configuration, status, summary } of store.openStudy(valley.name).runs()) {
  const { optimizer, hyperparameters } = configuration;
  const reached = summary?.targets[0].step;
  const result =
    status === "diverged"
      ? `diverged at step ${summary?.divergence?.step}`
      : `loss ${summary?.final.trainLoss.toPrecision(3)}, at 0.01 ${reached == null ? "never" : `after ${reached} steps`}`;
  console.log(`${optimizer}, learning rate ${hyperparameters.lr}: ${result}`);
}
