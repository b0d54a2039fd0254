/** Sums of the CNN's gradients: over the threads of a process against a copy, over processes against C. */
import { fileURLToPath } from "node:url";
import type { BenchCase, CaseOptions, CaseResult, GoalResult } from "../case.js";
import { LineProcess } from "../contestant.js";
import { compileC, findLauncher, launchEnvironment } from "../launcher.js";
import { measureRounds, ratioOf } from "../measure.js";
import type { Sample } from "../specification.js";
import { cnnNumbers } from "./cnnShapes.js";

const starter = fileURLToPath(new URL("../run.js", import.meta.url));
const peer = fileURLToPath(new URL("../peers/allreduce.c", import.meta.url));

/** A command that writes a line when it is ready, and answers each "run N" with the time of N sums. */
interface Summing {
  readonly title: string;
  readonly cores: number;
  readonly command: readonly string[];
  /** The number that it says when it is ready, if it does the work that is meant. */
  readonly check: number;
  /** Ours, the first, takes at most so many times as long. */
  readonly within?: number;
}

export const allReduceThreads: BenchCase = {
  id: "all-reduce-threads",
  title: `Summing ${cnnNumbers.toLocaleString("en")} float32 gradients over two threads, so that both can read all sums`,
  run: (options) =>
    compareSums(allReduceThreads, options, [
      {
        title: "Slalom, two ranks",
        cores: 2,
        command: [process.execPath, starter, "threadSums", "sum"],
        check: 19,
      },
      {
        title: "a copy of as many bytes by one thread",
        cores: 1,
        command: [process.execPath, starter, "threadSums", "copy"],
        check: 1,
        within: 1.5,
      },
    ]),
};

export const allReduceMpi: BenchCase = {
  id: "all-reduce-mpi",
  title: `Summing ${cnnNumbers.toLocaleString("en")} float32 gradients over two processes with the same MPI library`,
  async run(options) {
    const { id, title } = allReduceMpi;
    const launcher = findLauncher();
    if ("absent" in launcher) return absentCase({ id, title }, launcher.absent);
    const start = launcher.command(2);
    const ours: Summing = {
      title: `Slalom, ${launcher.title}`,
      cores: 2,
      command: [...start, process.execPath, starter, "allReduce", `${cnnNumbers}`],
      check: 3,
    };
    const made = compileC(launcher, peer);
    if ("absent" in made) {
      const result = await compareSums({ id, title }, options, [ours]);
      return {
        ...result,
        goals: inC.map(({ name }) => ({ text: `within ${mpiGoal} times ${name}` })),
        absent: inC.map(({ name }) => ({ contestant: name, reason: made.absent })),
      };
    }
    return compareSums({ id, title }, options, [
      ours,
      ...inC.map(({ name, form }) => ({
        title: name,
        cores: 2,
        command: [...start, made.program, form, `${cnnNumbers}`],
        check: 3,
        within: mpiGoal,
      })),
    ]);
  },
};

const mpiGoal = 1.3;

const inC = [
  { name: "C, MPI_Allreduce", form: "library" },
  { name: "C, the same order of additions", form: "ordered" },
] as const;

/** What is left of a case without what it needs. */
export const absentCase = ({ id, title }: Pick<BenchCase, "id" | "title">, reason: string): CaseResult => ({
  id,
  title,
  rows: [],
  goals: [],
  absent: [{ contestant: "all", reason }],
  notes: [],
});

async function compareSums(
  { id, title }: Pick<BenchCase, "id" | "title">,
  { rounds, sampleS, say }: CaseOptions,
  summing: readonly Summing[],
): Promise<CaseResult> {
  const processes = summing.map(
    ({ command: [program, ...args] }) => new LineProcess(program, args, launchEnvironment),
  );
  try {
    const ready = await Promise.all(processes.map((process) => process.next()));
    for (const [i, { check }] of ready.entries()) {
      if (check === summing[i].check) continue;
      throw new Error(`${id}: ${summing[i].title} comes to ${check}; expected ${summing[i].check}`);
    }
    const timings = await measureRounds(
      processes.map((process) => ({
        spec: {},
        sample: async (chunks: number) => (await process.ask(`run ${chunks}`)) as unknown as Sample,
      })),
      { rounds, sampleS, onRound: (round) => say(`${id}: round ${round} of ${rounds}`) },
    );
    return {
      id,
      title,
      rows: summing.map(({ title: contestant, cores }, i) => ({
        contestant,
        cores,
        unit: "sum",
        timing: timings[i],
        ...(i > 0 && { ratio: ratioOf(timings[i], timings[0]) }),
      })),
      goals: summing.flatMap(({ title: name, within }, i): GoalResult[] => {
        if (within === undefined) return [];
        const value = 1 / ratioOf(timings[i], timings[0]).median;
        return [{ text: `within ${within} times ${name}`, reached: value <= within, value }];
      }),
      absent: [],
      notes: [],
    };
  } finally {
    for (const process of processes) process.end();
  }
}
