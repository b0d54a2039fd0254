/** Whether there is memory for a study, and what to do where there is not. */
import { SlalomError } from "../base/errors.js";
import { formatBytes } from "../compile/explain.js";
import { accumulateEntry, stepEntry } from "../train/index.js";
import { fits, type StudyMemory } from "./memory.js";
import { memoryTable } from "./memoryTable.js";
import type { Study } from "./study.js";

/**
 * @throws SlalomError "device", with what takes how much and what would take less, where a program is larger than it can
 * be, or all workers take more than there is
 */
export function checkMemory(study: Study, memory: StudyMemory): void {
  if (fits(memory)) return;
  const { workers, totalBytes, available, programBytes: bytes, mostProgramBytes } = memory;
  const tooMuch =
    bytes > mostProgramBytes
      ? `a program takes ${formatBytes(bytes)} of memory, and one can have ${formatBytes(mostProgramBytes)}, ${memory.programLimit}`
      : `${workers} worker${workers === 1 ? " takes" : "s take"} ${formatBytes(totalBytes)} of memory, and ${formatBytes(available.bytes)} are available (${available.limit})`;
  throw new SlalomError(
    "device",
    `study "${study.name}": ${tooMuch}; expected no more than that.\n\n${memoryTable(memory)}\n\n${remedy(study, memory)}`,
  );
}

function remedy({ microBatch }: Study, memory: StudyMemory): string {
  const { workers, ranks, workerBytes, available, widestEntry } = memory;
  const { programBytes: bytes, mostProgramBytes, programDataBytes, onDevice, memories } = memory;
  const ways: string[] = [];
  if (onDevice && bytes > mostProgramBytes && workers > memories)
    ways.push("fewer workers, which share the device");
  if (bytes <= mostProgramBytes && workers > 1) {
    const fitting = Math.floor(available.bytes / workerBytes);
    if (fitting > 0) ways.push(`fewer workers (--workers ${fitting})`);
    if (ranks === 1 && !onDevice)
      ways.push("ranks in place of workers (--workers 1 --ranks 2), which share parameters and data");
  }
  if (widestEntry === stepEntry) ways.push("a smaller batch");
  if (widestEntry === stepEntry && microBatch === undefined) ways.push("parts of it in turn (microBatch)");
  if (widestEntry === accumulateEntry) ways.push("a smaller microBatch");
  ways.push("a smaller model");
  if (programDataBytes > bytes / 4) ways.push("less data");
  if (bytes <= mostProgramBytes) ways.push("a machine, or a job, with more memory");
  return `Take ${ways.slice(0, -1).join(", ")} or ${ways.at(-1)}.`;
}
