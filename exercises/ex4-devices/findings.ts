/**
 * Exercise 4 in tables and figures: what was measured here on threads, processes and GPUs, and the course's GPUs beside it.
 *
 *     npx jiti exercises/ex4-devices/findings.ts [runs/ex4]
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type MeasurementPanel, measurementsFigure, writeFigure } from "slalom/figures";
import { loadScaling, type ScalingPoint, type ScalingStudy } from "slalom/lab";
import { scalingFigures } from "slalom/report";
import { accounts, loadStudy } from "slalom/runs";
import { courseForecast, courseTimes, secondsOfEpoch } from "./course.js";
import { batchSizes } from "./trainings.js";

const [store = "runs/ex4"] = process.argv.slice(2);

/** Where ranks were, by the folders of launch_ex4.sh. */
const kinds = {
  threads: "threads",
  processes: "processes over MPI",
  both: "processes with two threads",
  gpus: "GPUs",
  "gpu-processes": "GPUs, a process each",
};

/** One rank, by the folder of those that it is the first of; one rank of several processes is the same. */
const alone: Readonly<Record<string, string>> = { threads: "1", gpus: "1 GPU" };

type Mode = ScalingStudy["mode"];

const scalings = Object.entries(kinds).flatMap(([folder, kind]) =>
  (["strong", "weak"] as const).flatMap((mode) => {
    const path = `${store}/${folder}/ex4-devices/scaling/${mode}.json`;
    return existsSync(path) ? [{ folder, kind, mode, scaling: loadScaling(path) }] : [];
  }),
);

const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const integer = (value: number): string => Math.round(value).toLocaleString("en");
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function printScaling(mode: Mode): void {
  print(
    `\n| ${mode} scaling: batch${mode === "weak" ? " a rank" : ""} | ranks | a step | images/s | a rank | speed-up | efficiency |`,
  );
  print("| --- | --- | --- | --- | --- | --- | --- |");
  for (const { folder, kind, scaling } of scalings.filter((one) => one.mode === mode)) {
    for (const { batchSize, points } of scaling.curves) {
      for (const { ranks, stepS, examplesPerS, speedup, efficiency } of points) {
        if (ranks === 1 && alone[folder] === undefined) continue;
        const cells = [
          integer(batchSize),
          ranks === 1 ? alone[folder] : `${ranks} ${kind}`,
          `${Number((1000 * stepS.median).toPrecision(3)).toLocaleString("en")} ms`,
          integer(examplesPerS),
          integer(examplesPerS / ranks),
          speedup === undefined ? "not certified" : speedup.toFixed(2),
          efficiency === undefined ? "" : percent(efficiency),
        ];
        print(`| ${cells.join(" | ")} |`);
      }
    }
  }
}

function printCertificates(): void {
  print(
    "\n| batch | ranks | largest difference, loss | parameters | allowed | images a rank | summed in a step | |",
  );
  print("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const { kind, scaling } of scalings) {
    for (const { certificate } of scaling.curves.flatMap(({ points }) => points)) {
      if (certificate === undefined) continue;
      const { batchSize, ranks, difference, bound, examplesPerRank, summedPerStep, passed } = certificate;
      const cells = [
        integer(batchSize),
        `${ranks} ${kind}`,
        difference.loss.toExponential(1),
        difference.parameters.toExponential(1),
        `${bound.loss.toExponential(1)}, ${bound.parameters.toExponential(1)}`,
        integer(examplesPerRank),
        `${integer(summedPerStep.bytes)} bytes in ${summedPerStep.tensors}`,
        passed ? "passed" : "FAILED",
      ];
      print(`| ${cells.join(" | ")} |`);
    }
  }
}

function printTargets(): void {
  for (const { folder, kind, scaling } of scalings) {
    const { target } = scaling;
    if (target === undefined) continue;
    const ranks = [...new Set(target.trainings.flatMap(({ times }) => times.map((time) => time.ranks)))];
    const seconds = ranks.map((count) => `seconds on ${count}`).join(" | ");
    const where = folder === "threads" ? "" : `${kind}: `;
    print(
      `\n| ${where}batch | learning rate | epochs to ${percent(target.target.value)} | best | ${seconds} |`,
    );
    print(`| --- | --- | --- | --- |${" --- |".repeat(ranks.length)}`);
    for (const { batchSize, rule, learningRate, reached, best, outcome, times } of target.trainings) {
      const cells = [
        integer(batchSize),
        `${Number(learningRate.toPrecision(3))} (${words(rule)})`,
        reached ? reached.epochs.toFixed(1) : outcome,
        best ? `${(100 * best.value).toFixed(2)} %` : "",
        ...ranks.map((count) => times.find((time) => time.ranks === count)?.seconds.toFixed(0) ?? ""),
      ];
      print(`| ${cells.join(" | ")} |`);
    }
  }
}

const gpus = [1, 2, 4, 8];
const foreseen = courseForecast(gpus);

function printCourse(): void {
  print(
    "\n| the course, batch | GPUs | epochs | seconds | seconds an epoch | of one GPU's | forecast of data parallelism |",
  );
  print("| --- | --- | --- | --- | --- | --- | --- |");
  courseTimes.forEach(({ batchSize, times }, i) => {
    for (const point of foreseen.curves[i].points) {
      const time = times.find((one) => one.gpus === point.ranks);
      const ofOne = time && secondsOfEpoch(time) / secondsOfEpoch(times[0]);
      const cells = [
        integer(batchSize),
        `${point.ranks}`,
        ...(time && ofOne !== undefined
          ? [`${time.epochs}`, `${time.seconds}`, secondsOfEpoch(time).toFixed(2), ofOne.toFixed(2)]
          : ["", "", "", ""]),
        (1 / point.speedup).toFixed(2),
      ];
      print(`| ${cells.join(" | ")} |`);
    }
  });
}

/** Seconds of an epoch over those of one rank. */
const relative = (points: readonly ScalingPoint[]): number[] =>
  points.map(({ examplesPerS }) => points[0].examplesPerS / examplesPerS);

function panelOf({ batchSize, times }: (typeof courseTimes)[number], i: number): MeasurementPanel {
  const { points } = foreseen.curves[i];
  const ours = scalings
    .filter(({ mode }) => mode === "strong")
    .flatMap(({ kind, scaling }) => {
      // Ranks that do not divide the batch took the next larger one that they do.
      const curve = scaling.curves.find(
        ({ batchSize: other, points }) =>
          other >= batchSize && other < batchSize + Math.max(...points.map(({ ranks }) => ranks)),
      );
      if (curve === undefined || curve.points.some(({ speedup }) => speedup === undefined)) return [];
      return [
        { label: `here, ${kind}`, x: curve.points.map(({ ranks }) => ranks), y: relative(curve.points) },
      ];
    });
  return {
    title: `batch ${integer(batchSize)}`,
    series: [
      {
        label: "the course's GPUs",
        x: times.map(({ gpus }) => gpus),
        y: times.map((time) => secondsOfEpoch(time) / secondsOfEpoch(times[0])),
      },
      {
        label: "those GPUs with data parallelism",
        x: points.map(({ ranks }) => ranks),
        y: points.map(({ speedup }) => 1 / speedup),
        kind: "forecast",
      },
      ...ours,
    ],
    reference: { label: "ideal", x: [1, ...gpus], y: [1, ...gpus.map((count) => 1 / count)] },
  };
}

/** Where the time of an epoch went, on the leading rank. */
function printLedgers(): void {
  const places = { "1": "1", ...kinds, "gpus-1": "1 GPU" };
  print(`\n| batch | ranks | seconds | ${accounts.map(words).join(" | ")} | hidden |`);
  print(`| --- | --- | --- |${" --- |".repeat(accounts.length + 1)}`);
  for (const batchSize of batchSizes) {
    for (const [folder, place] of Object.entries(places)) {
      const path = `${store}/ledgers/${folder}/ex4-batch-${batchSize}`;
      const ledger = existsSync(path) ? loadStudy(path).runs[0]?.summary?.ledger : undefined;
      if (ledger === undefined) continue;
      const [{ accounts: times, hiddenS }] = ledger.ranks;
      const count = ledger.ranks.length;
      const cells = [
        integer(batchSize),
        count === 1 ? (folder === "gpus-1" ? place : "1") : `${count} ${place}`,
        ledger.wallS.toFixed(1),
        ...accounts.map((account) => percent(times[account] / ledger.wallS)),
        percent(hiddenS / ledger.wallS),
      ];
      print(`| ${cells.join(" | ")} |`);
    }
  }
}

/** "forwardBackward" as "forward backward". */
const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

printScaling("strong");
printScaling("weak");
printCertificates();
printTargets();
printLedgers();
printCourse();

const place = (name: string): string => fileURLToPath(new URL(`./figures/${name}`, import.meta.url));

for (const { folder, mode, scaling } of scalings)
  for (const { id, svg } of scalingFigures(scaling)) writeFigure(place(`${folder}-${mode}-${id}`), svg);

const files = writeFigure(
  place("devices"),
  measurementsFigure({
    title: "An epoch on several devices",
    subtitle:
      "Seconds of an epoch over those on one device, the batch divided among them: below 1 devices gain, above 1 they lose.",
    source: `The course's times; study ex4-devices, ${scalings[0]?.scaling.backend ?? "not measured here"}, certified.`,
    panels: courseTimes.map(panelOf),
    x: { label: "devices", scale: "log" },
    y: { label: "time of an epoch, one device = 1", scale: "log" },
  }),
);
print(`\n${files.png}`);
