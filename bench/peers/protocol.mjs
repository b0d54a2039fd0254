/** How a Node peer talks to the benchmark: one line of JSON when ready, then one for each sample asked for. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** What to measure: the JSON object that the benchmark gives as first argument. */
export const spec = JSON.parse(process.argv[2]);

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** The module, or the end of this process with the reason why it can't take part. */
export async function load(name) {
  try {
    return await import(name);
  } catch (error) {
    say({ absent: error.message.split("\n")[0] });
    process.exit(0);
  }
}

/**
 * Answers "run N" with the seconds that `run(N)` takes; N counts chunks of `chunkSteps` steps.
 * `run` returns { steps, loss }; its first call warms up, and that loss tells whether all do the same work.
 */
export async function serve({ version, form, threads, run }) {
  const { loss: check } = await run(1);
  say({ ready: true, version, form, threads, check });
  for await (const line of createInterface({ input: process.stdin })) {
    const chunks = Number(line.split(" ")[1]);
    const start = performance.now();
    const { steps, loss } = await run(chunks);
    say({ seconds: (performance.now() - start) / 1000, steps, loss });
  }
}

/** MNIST's training images as floats in [0, 1] and labels. */
export function trainingData() {
  const images = Float32Array.from(readFileSync(join(spec.data, "train.images")), (pixel) => pixel / 255);
  const labels = Int32Array.from(readFileSync(join(spec.data, "train.labels")));
  return { images, labels, count: labels.length };
}

/** Batches of shuffled places, for ever; a new order every epoch. */
export function* batches(count, size) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (;;) {
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let at = 0; at + size <= count; at += size) yield order.slice(at, at + size);
  }
}

/** Rows of `images` one after another: the batch for a library that gathers slowly. */
export function gatherRows(images, indices, width) {
  const batch = new Float32Array(indices.length * width);
  indices.forEach((index, i) => {
    batch.set(images.subarray(index * width, (index + 1) * width), i * width);
  });
  return batch;
}

export const uniform = (length, limit) =>
  Float32Array.from({ length }, () => (2 * Math.random() - 1) * limit);

export const normal = (length, deviation) =>
  Float32Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()));
    return deviation * radius * Math.cos(2 * Math.PI * Math.random());
  });

/** Normal, drawn again where it lies more than two deviations away. */
export const truncatedNormal = (length, deviation) => {
  const values = normal(length, deviation);
  for (let i = 0; i < length; i++)
    while (Math.abs(values[i]) > 2 * deviation) [values[i]] = normal(1, deviation);
  return values;
};
