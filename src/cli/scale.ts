/** `slalom scale`: how much faster a training gets with ranks, with certificates, a table and a figure. */
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import { writeFigure } from "../figures/index.js";
import {
  keepScaling,
  type ScalingMode,
  type ScalingPoint,
  type ScalingStudy,
  scale,
} from "../lab/scaling.js";
import { type BackendChoice, makeBackend } from "../launch/backendChoice.js";
import { loadStudies } from "../launch/studySource.js";
import { coreCount } from "../launch/threads.js";
import { type World, worldOf } from "../launch/world.js";
import { scalingFigure } from "../report/scaling.js";
import { columns } from "./columns.js";
import { exitCodes } from "./exit.js";
import type { Output } from "./output.js";
import { followIfTold } from "./training.js";

export interface ScaleCommandOptions {
  readonly backend: BackendChoice;
  readonly mode: ScalingMode;
  /** Over all processes. */
  readonly ranks: readonly number[];
  /** The study's own by default. */
  readonly batchSizes?: readonly number[];
  /** Of the trainings that certify. */
  readonly steps?: number;
  /** Folder of the run store that keeps the result. */
  readonly out: string;
}

export async function scaleStudies(
  path: string,
  options: ScaleCommandOptions,
  output: Output,
): Promise<number> {
  const world = worldOf(process.env);
  const threads = threadsOf(options.ranks, world);
  const followed = await followIfTold(options.backend, threads);
  if (followed !== undefined) return followed;
  const backends = new Backends(options.backend, threads, world);
  const results: ScalingStudy[] = [];
  let certified = true;
  try {
    for (const study of await loadStudies(path)) {
      const { mode, ranks, steps, batchSizes = [study.batchSize as number] } = options;
      const scaling = await scale(study, {
        mode,
        ranks,
        batchSizes,
        backendOf: (count) => backends.of(count),
        ...(steps !== undefined && { certifySteps: steps }),
        onPoint: (point) => output.note(output.noteStyle.dim(`${study.name}: ${pointText(point)}`)),
      });
      results.push(scaling);
      const kept = keepScaling(join(options.out, study.name), scaling);
      output.text(`${results.length > 1 ? "\n" : ""}${scalingText(scaling, output)}`);
      const isCertified = scaling.curves.every(({ points }) =>
        points.every((point) => point.speedup !== undefined),
      );
      if (isCertified) {
        const files = writeFigure(kept.replace(/\.json$/, ""), scalingFigure(scaling));
        output.text(output.style.dim(`Kept as ${kept} and ${files.png}`));
      } else {
        output.text(
          output.style.dim(`Kept as ${kept}; not drawn: ranks without a certificate have no speed-up.`),
        );
      }
      certified &&= isCertified;
    }
  } finally {
    await backends.close();
  }
  output.result({ scaling: results });
  return certified ? exitCodes.success : exitCodes.failure;
}

/**
 * Threads of each process.
 * @throws SlalomError "device" for more ranks than cores, "option" for what the processes of a world can't be
 */
function threadsOf(ranks: readonly number[], world: World | undefined): number {
  const most = Math.max(...ranks);
  const processes = world?.size ?? 1;
  if (world && ranks.some((count) => count !== 1 && (count !== most || count % processes !== 0))) {
    throw new SlalomError(
      "option",
      `--ranks ${ranks.join(",")} in ${processes} processes; expected one number that is a multiple of ${processes}, which is held against 1. Measure other numbers with another mpirun.`,
    );
  }
  const threads = Math.max(1, most / processes);
  if (threads > coreCount()) {
    throw new SlalomError(
      "device",
      `${most} ranks were asked for, and this machine gives ${coreCount()} core${coreCount() === 1 ? "" : "s"}; expected at most one a core: ranks that wait for a core measure the waiting.`,
    );
  }
  return threads;
}

/** A backend for each number of ranks. Of several processes the same one serves till the end: they meet once. */
class Backends {
  private readonly made = new Map<number, Promise<Backend>>();

  constructor(
    private readonly choice: BackendChoice,
    private readonly threads: number,
    private readonly world: World | undefined,
  ) {}

  async of(ranks: number): Promise<Backend> {
    const { choice, threads, world } = this;
    const known = this.made.get(ranks);
    const made =
      known ??
      (world && ranks > 1
        ? makeBackend({ ...choice, ranks: threads, world })
        : makeBackend({ ...choice, ranks }));
    this.made.set(ranks, made);
    const { close: _ours, ...backend } = await made;
    return backend;
  }

  async close(): Promise<void> {
    // Other processes wait to be told, also where nothing was measured.
    if (this.world) await this.of(this.world.size * this.threads);
    for (const made of this.made.values()) await (await made).close?.();
  }
}

const milliseconds = (seconds: number): string => `${(1000 * seconds).toPrecision(3)} ms`;

const pointText = ({ ranks, batchSize, stepS }: ScalingPoint): string =>
  `${ranks} rank${ranks === 1 ? "" : "s"}, batch ${batchSize}: ${milliseconds(stepS.median)} a step`;

function scalingText({ study, optimizer, mode, backend, curves }: ScalingStudy, { style }: Output): string {
  const integer = (value: number): string => Math.round(value).toLocaleString("en");
  const rows = curves.flatMap(({ points }) =>
    points.map(({ ranks, batchSize, stepS, examplesPerS, speedup, efficiency, certificate }) => [
      integer(batchSize),
      `${ranks}`,
      `${milliseconds(stepS.median)} (${milliseconds(stepS.least)} to ${milliseconds(stepS.greatest)})`,
      integer(examplesPerS),
      integer(examplesPerS / ranks),
      speedup === undefined ? "-" : speedup.toFixed(2),
      efficiency === undefined ? "-" : `${(100 * efficiency).toFixed(0)} %`,
      certificate === undefined ? "" : certificate.passed ? "passed" : "FAILED",
    ]),
  );
  const pays = curves.map(({ batchSize, paysUpTo }) => `up to ${paysUpTo} at batch ${integer(batchSize)}`);
  return [
    `${style.bold(study)}, ${optimizer}: ${mode} scaling, ${backend}`,
    columns(rows, {
      header: ["batch", "ranks", "a step", "examples/s", "a rank", "speed-up", "efficiency", "certificate"],
      align: ["right", "right", "left", "right", "right", "right", "right", "left"],
      style,
    }),
    `Each step to more ranks gains at least a tenth ${pays.join(", ")}.`,
  ].join("\n");
}
