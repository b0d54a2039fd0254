/** MNIST as raw files that every peer can read: <split>.images (uint8, 784 an image) and <split>.labels (uint8). */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mnist } from "./slalom.js";

/** Writes the files once a machine; returns their folder. */
export async function exportMnist(): Promise<string> {
  const folder = join(tmpdir(), "slalom-bench-mnist");
  if (existsSync(folder)) return folder;
  const dataset = await mnist().dataset!.load();
  const aside = `${folder}.${process.pid}`;
  mkdirSync(aside, { recursive: true });
  for (const split of ["train", "validation", "test"] as const) {
    const { inputs, targets } = dataset[split]!;
    writeFileSync(join(aside, `${split}.images`), Uint8Array.from(inputs.data));
    writeFileSync(join(aside, `${split}.labels`), Uint8Array.from(targets.data));
  }
  renameSync(aside, folder);
  return folder;
}
