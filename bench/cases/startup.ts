/** Case 6: what a user waits for: `slalom --help`, and compiling exercise 2's program; fresh processes each time. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { BenchCase, CaseOptions, CaseResult, CaseRow } from "../case.js";
import { median, ratioOf, type Timing } from "../measure.js";
import type { CompileTimes } from "../programs/compile.js";

const commandLine = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const starter = fileURLToPath(new URL("../run.js", import.meta.url));

export const startup: BenchCase = {
  id: "startup",
  title: "Waiting: `slalom --help`, and compiling exercise 2's program in a fresh process",
  run: measure,
};

async function measure({ rounds, say }: CaseOptions): Promise<CaseResult> {
  const helpS: number[] = [];
  const nodeS: number[] = [];
  const compiles: CompileTimes[] = [];
  for (let round = 0; round < rounds; round++) {
    helpS.push(wallTimeS([commandLine, "--help"]));
    nodeS.push(wallTimeS(["-e", "0"]));
    compiles.push(JSON.parse(execFileSync(process.execPath, [starter, "compile"], { encoding: "utf8" })));
    say(`startup: round ${round + 1} of ${rounds}`);
  }
  const help = timingOf(helpS);
  const compile = timingOf(compiles.map(({ traceMs, compileMs }) => (traceMs + compileMs) / 1000));
  const of = (read: (times: CompileTimes) => number): string => median(compiles.map(read)).toFixed(0);
  const row = (contestant: string, timing: Timing, others: Partial<CaseRow> = {}): CaseRow => ({
    contestant,
    cores: 1,
    unit: "start",
    timing,
    ...others,
  });
  return {
    id: startup.id,
    title: startup.title,
    rows: [
      row("slalom --help", help),
      row("node -e 0", timingOf(nodeS), { ratio: ratioOf(timingOf(nodeS), help) }),
      row("first program of exercise 2: trace and compile", compile),
    ],
    goals: [
      { text: "slalom --help under 150 ms", reached: help.medianS < 0.15, value: help.medianS * 1000 },
      {
        text: "compiling exercise 2's program under 300 ms",
        reached: compile.medianS < 0.3,
        value: compile.medianS * 1000,
      },
    ],
    absent: [],
    notes: [
      `Medians in ms: opening the backend ${of(({ openMs }) => openMs)}; first program: trace ${of(({ traceMs }) => traceMs)}, compile ${of(({ compileMs }) => compileMs)} (planning it once more, warm, takes ${of(({ planMs }) => planMs)}); the other two: ${of(({ otherMs }) => otherMs[0])} and ${of(({ otherMs }) => otherMs[1])}.`,
    ],
  };
}

function wallTimeS(args: readonly string[]): number {
  const start = performance.now();
  execFileSync(process.execPath, args, { stdio: "ignore" });
  return (performance.now() - start) / 1000;
}

const timingOf = (stepS: readonly number[]): Timing => ({
  stepS,
  medianS: median(stepS),
  minS: Math.min(...stepS),
  steps: 1,
});
