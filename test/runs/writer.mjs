/**
 * A writing process for the store's tests: node writer.mjs ROOT FIRST_SEED RUNS ROWS. Writes a digit on
 * standard output when it begins; continues the study if it is stored, as `--resume` does.
 */
import { createJiti } from "jiti";

const [root, firstSeed, runs, rows] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const jiti = createJiti(import.meta.url);
const { openStore } = await jiti.import("../../src/runs/index.ts");
const { configuration, studyRecord } = await jiti.import("./example.ts");

const study = openStore(root).createStudy(studyRecord({}));
const seeds = Array.from({ length: runs }, (_, i) => firstSeed + i);
process.stdout.write("1");
for (const wanted of study.missing(seeds.map((seed) => configuration({ seed })))) {
  const writer = study.createRun(wanted);
  for (let step = 0; step < rows; step += 5) {
    writer.append(
      Array.from({ length: 5 }, (_, i) => ({
        step: step + i,
        timeS: 0.001 * (step + i),
        trainLoss: wanted.seed + 1 / (step + i + 1),
      })),
    );
  }
  writer.finish({ status: "completed" });
}
