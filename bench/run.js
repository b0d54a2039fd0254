/** Starts the benchmarks, which are TypeScript: `node bench/run.js [options]`. See README.md. */
import { createJiti } from "jiti";

/** Programs that the benchmarks start in processes of their own, the profiler, and the table of stored runs; without a name: all cases. */
const programs = ["slalom", "allReduce", "threadSums", "roofs", "compile", "profile", "table"];
/** The benchmarks on a GPU, where the time of a step goes there and who computes it, and what its kernels take, which needs none. */
const cudaPrograms = {
  cuda: "./cuda/bench.ts",
  cudaProfile: "./cuda/profile.ts",
  cudaRoutes: "./cuda/routes.ts",
  cudaKernels: "./cuda/kernels.ts",
};
const [first, ...rest] = process.argv.slice(2);
const program = programs.includes(first) ? `./programs/${first}.ts` : cudaPrograms[first];

// Slalom itself is imported natively, as its users do; only the benchmarks' own TypeScript is translated.
const jiti = createJiti(import.meta.url, { tryNative: true });
const { main } = await jiti.import(program ?? "./bench.ts");
await main(program === undefined ? process.argv.slice(2) : rest);
