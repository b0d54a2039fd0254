/** Study files in a temporary folder that has no node_modules. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Folder {
  readonly path: string;
  /** Writes a file and returns its path. */
  file(name: string, text: string): string;
  remove(): void;
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "slalom-test-"));
  return {
    path,
    file(name, text) {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Two optimizers, three runs of 50 steps: trained in a few milliseconds. */
export const smallStudy = `import { adam, linearRegression, sgd, study } from "slalom";

export default study({
  name: "small",
  problem: linearRegression(),
  optimizers: [sgd({ lr: [0.01, 0.02] }), adam({ lr: 0.1 })],
  steps: 50,
  dtype: "float64",
  targets: [{ metric: "trainLoss", value: 1 }],
});
`;
