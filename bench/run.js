/** Starts the benchmarks, which are TypeScript: `node bench/run.js [options]`. See README.md. */
import { createJiti } from "jiti";

/** Programs that the benchmarks start in processes of their own, the profiler, and the table of stored runs; without a name: all cases. */
const programs = ["slalom", "allReduce", "threadSums", "roofs", "compile", "profile", "table"];
const [first, ...rest] = process.argv.slice(2);
const isProgram = programs.includes(first);

// Slalom itself is imported natively, as its users do; only the benchmarks' own TypeScript is translated.
const jiti = createJiti(import.meta.url, { tryNative: true });
const { main } = await jiti.import(isProgram ? `./programs/${first}.ts` : "./bench.ts");
await main(isProgram ? rest : process.argv.slice(2));
