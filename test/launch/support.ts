/** Study files in a temporary folder that has no node_modules, and what runs there. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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

/** Ids of the processes that run in a folder, with one of these variables in their environment; on Linux. */
export function processesIn(folder: string, variables: readonly string[] = []): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        if (readlinkSync(`/proc/${id}/cwd`) !== folder) return false;
        const own = readFileSync(`/proc/${id}/environ`, "utf8").split("\0");
        return variables.length === 0 || variables.some((one) => own.includes(one));
      } catch {
        // It has ended meanwhile, or is another user's.
        return false;
      }
    })
    .map(Number);
}
