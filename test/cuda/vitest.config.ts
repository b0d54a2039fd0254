/** Tests for a machine with a GPU: `npm run test:cuda`. */
import base from "../../vitest.config.js";

export default {
  ...base,
  test: { include: ["test/cuda/**/*.gpu.ts"], testTimeout: 300_000, hookTimeout: 60_000 },
};
