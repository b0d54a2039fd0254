/** What a study takes in memory, as a table and as one line. */
import { formatBytes } from "../compile/explain.js";
import type { StudyMemory } from "./memory.js";

/** Every part of a worker's, the sums, and what there is. */
export function memoryTable({
  program,
  beside,
  workers,
  lanes,
  ranks,
  available,
  onDevice,
  ...memory
}: StudyMemory): string {
  const cells = (what: string, one: string, all: string): string[] => [
    what,
    one,
    ...(workers > 1 ? [all] : []),
  ];
  const row = (what: string, bytes: number): string[] =>
    cells(what, formatBytes(bytes), formatBytes(workers * bytes));
  const shape = [`${lanes} lane${lanes === 1 ? "" : "s"}`, ...(ranks > 1 ? [`${ranks} ranks`] : [])].join(
    ", ",
  );
  const there = formatBytes(available.bytes);
  const rows = [
    cells("memory", "a worker", `${workers} workers`),
    ...program.map(({ what, bytes }) => row(`  ${what}`, bytes)),
    row(`the program, ${shape}`, memory.programBytes),
    ...(onDevice ? [row("free on the device", memory.mostProgramBytes)] : []),
    ...beside.map(({ what, bytes }) => row(what, bytes)),
    row(onDevice ? "in all, without the program" : "in all", memory.workerBytes),
    cells(`available (${available.limit})`, workers > 1 ? "" : there, there),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i]))).join("  "),
    )
    .join("\n");
}

/** "2 workers take about 412 MB each, 824 MB in all; 19.3 GB are available (machine)". */
export function memoryLine(memory: StudyMemory): string {
  const { workers, workerBytes, totalBytes, available, lanes, wantedLanes, onDevice, memories } = memory;
  const taken =
    workers === 1
      ? `1 worker takes about ${formatBytes(totalBytes)}`
      : `${workers} workers take about ${formatBytes(workerBytes)} each, ${formatBytes(totalBytes)} in all`;
  const fewer = lanes < wantedLanes ? `; ${lanes} lanes a program in place of ${wantedLanes}, to fit` : "";
  const programs = `; programs take ${formatBytes(workers * memory.programBytes)} of the ${formatBytes(workers * memory.mostProgramBytes)} that are free on the device${memories > 1 ? "s" : ""}`;
  return `${taken}; ${formatBytes(available.bytes)} are available (${available.limit})${onDevice ? programs : ""}${fewer}`;
}
