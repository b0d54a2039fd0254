/** Slalom's sum of a float array over the processes that mpirun started, as often as each line asks for. */
import { createInterface } from "node:readline";
import { openCommunicator } from "../slalom.js";
import type { Sample } from "../specification.js";

/** One argument: the number of floats. Rank 0 alone speaks; the others sum as often as it tells them. */
export async function main([argument]: readonly string[]): Promise<void> {
  const world = openCommunicator({ environment: process.env });
  const values = new Float32Array(Number(argument)).fill(world.rank + 1);
  world.allReduce(values);
  const check = values[values.length - 1];
  // Sums of zeros stay what they are.
  values.fill(0);
  const sums = (count: number): void => {
    world.broadcast(Float64Array.of(count));
    for (let n = 0; n < count; n++) world.allReduce(values);
  };
  if (world.rank === 0) {
    process.stdout.write(`${JSON.stringify({ ready: true, ranks: world.size, check })}\n`);
    for await (const line of createInterface({ input: process.stdin })) {
      const steps = Number(line.split(" ")[1]);
      const start = performance.now();
      sums(steps);
      const sample: Sample = { seconds: (performance.now() - start) / 1000, steps };
      process.stdout.write(`${JSON.stringify(sample)}\n`);
    }
    world.broadcast(Float64Array.of(0));
  } else {
    const count = new Float64Array(1);
    for (world.broadcast(count); count[0] > 0; world.broadcast(count))
      for (let n = 0; n < count[0]; n++) world.allReduce(values);
  }
  world.close();
}
