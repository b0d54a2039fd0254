/** Tests import `slalom` and `slalom/...` as users do; here these are the sources. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^slalom$/, replacement: source("index.ts") },
      { find: /^slalom\/(.+)$/, replacement: source("$1/index.ts") },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
