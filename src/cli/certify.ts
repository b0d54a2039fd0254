/** `slalom certify`: whether ranks train what one rank trains, with the differences and what rounding alone makes. */
import { join } from "node:path";
import { unknownName } from "../base/errors.js";
import { type Certificate, certificateFile, certify, keepCertificate } from "../lab/certificate.js";
import type { Study } from "../lab/index.js";
import type { BackendChoice } from "../launch/backendChoice.js";
import { makeBackend } from "../launch/backends.js";
import { loadStudies } from "../launch/studySource.js";
import { worldOf } from "../launch/world.js";
import { certificateText } from "./certificateText.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { followIfTold } from "./training.js";

export interface CertifyCommandOptions {
  readonly backend: BackendChoice;
  readonly ranks?: number | "auto";
  readonly steps?: number;
  readonly batchSize?: number;
  /** Which optimizer of each study; its first by default. */
  readonly optimizer?: string;
  /** Folder of the run store that keeps the certificates. */
  readonly out: string;
}

/** Certifies every study of the file and keeps the certificates beside their runs. */
export async function certifyStudies(
  path: string,
  options: CertifyCommandOptions,
  output: Output,
): Promise<number> {
  const ranks = options.ranks === "auto" ? 1 : options.ranks;
  const followed = await followIfTold(options.backend, ranks);
  if (followed !== undefined) return followed;
  const world = worldOf(process.env);
  const studies = await loadStudies(path);
  const backend = await makeBackend({
    ...options.backend,
    ...(ranks !== undefined && { ranks }),
    ...(world && { world }),
  });
  const certificates: Certificate[] = [];
  try {
    for (const loaded of studies) {
      const { batchSize = loaded.batchSize, steps, optimizer } = options;
      const study: Study = { ...loaded, batchSize };
      const certificate = await certify(study, {
        backend,
        choice: choiceOf(study, optimizer),
        ...(steps !== undefined && { steps }),
        onTraining: (what, number, of) =>
          output.note(output.noteStyle.dim(`${study.name}: training ${number} of ${of}: ${what}`)),
      });
      const folder = join(options.out, study.name);
      keepCertificate(folder, certificate);
      certificates.push(certificate);
      output.text(`${certificates.length > 1 ? "\n" : ""}${certificateText(certificate, output)}`);
      output.text(output.style.dim(`Kept as ${certificateFile(folder, certificate)}`));
    }
  } finally {
    await backend.close?.();
  }
  output.result({ certificates });
  return certificates.every(({ passed }) => passed) ? exitCodes.success : exitCodes.failure;
}

function choiceOf({ optimizers }: Study, wanted: string | undefined): number {
  if (wanted === undefined) return 0;
  const ids = optimizers.map(({ optimizer }) => optimizer.id);
  const found = ids.indexOf(wanted);
  if (found < 0) throw unknownName("optimizer of the study", wanted, ids);
  return found;
}
