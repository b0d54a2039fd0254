/** The machine's limits, measured on as many cores at once as a contestant uses. */
import { fileURLToPath } from "node:url";
import { LineProcess } from "./contestant.js";
import type { Product, Roofs } from "./specification.js";

const script = fileURLToPath(new URL("run.js", import.meta.url));

/** The best of `rounds` measurements on `ranks` cores at once. */
export async function measureRoofs(
  products: readonly Product[],
  { ranks, rounds }: { ranks: number; rounds: number },
): Promise<Roofs> {
  const argument = JSON.stringify(products);
  const processes = Array.from(
    { length: ranks },
    () => new LineProcess(process.execPath, [script, "roofs", argument]),
  );
  const seen: Roofs[] = [];
  try {
    await Promise.all(processes.map((process) => process.next()));
    for (let round = 0; round < rounds; round++) {
      const answers = await Promise.all(processes.map((process) => process.ask("run")));
      const parts = answers as unknown as Omit<Roofs, "ranks">[];
      const total = (read: (part: Omit<Roofs, "ranks">) => number): number =>
        parts.reduce((sum, part) => sum + read(part), 0);
      seen.push({
        ranks,
        gflops: total(({ gflops }) => gflops),
        productGflops: products.map((_, i) => total(({ productGflops }) => productGflops[i])),
        gigabytesPerS: total(({ gigabytesPerS }) => gigabytesPerS),
      });
    }
  } finally {
    for (const process of processes) process.end();
  }
  const best = (read: (roofs: Roofs) => number): number => Math.max(...seen.map(read));
  return {
    ranks,
    gflops: best(({ gflops }) => gflops),
    productGflops: products.map((_, i) => best(({ productGflops }) => productGflops[i])),
    gigabytesPerS: best(({ gigabytesPerS }) => gigabytesPerS),
  };
}
