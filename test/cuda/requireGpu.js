/** Says what the GPU is; where there is none, ends with code 1 and one sentence. The package is built before. */
import { cudaBackend } from "../../dist/backends/cuda/index.js";

try {
  const backend = cudaBackend({ environment: process.env });
  console.log(backend.description);
  await backend.close();
} catch (error) {
  const [reason] = error.message.split("\n");
  const what = reason.split(";")[0].replace(/[.:]$/, "");
  console.error(`test:cuda needs an NVIDIA GPU, and this machine has none to use: ${what}.`);
  process.exitCode = 1;
}
