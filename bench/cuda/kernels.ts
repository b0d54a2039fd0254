/**
 * What is known of the CUDA kernels without a GPU: for the programs of exercises 2 and 3 the nodes of a step's graph, what
 * they move and compute, the least time by data sheets, a forecast that nobody measured; and where NVRTC is found what each
 * kernel takes of a multiprocessor.
 *
 *     npm run bench -- cudaKernels [--programs cnn] [--architectures 80 90] [--kernels] [--own-kernels] [--nvrtc libnvrtc.so.13]
 */
import { Command } from "commander";
import { formatTable } from "../print.js";
import { exercise2File } from "../programs/slalomStudies.js";
import {
  adam,
  type CudaEntryExplanation,
  configurationsOf,
  convNet,
  explainCuda,
  findLibrary,
  formatBytes,
  gpus,
  type KernelResources,
  type LaneTraining,
  laneProgram,
  laneTraining,
  libraryPlaces,
  loadStudies,
  mnist,
  openCompiler,
  openLibrary,
  type Plan,
  planProgram,
  stepEntry,
  systemFiles,
  tasksFor,
} from "../slalom.js";
import { workOf } from "../work.js";

interface Options {
  readonly programs?: string;
  readonly architectures: readonly string[];
  readonly kernels?: boolean;
  readonly ownKernels?: boolean;
  readonly nvrtc?: string;
  readonly json?: boolean;
}

/** A step of a program, on a GPU. */
interface Case {
  readonly name: string;
  readonly plan: Plan;
  readonly precision: "float32" | "tf32";
  /** Of the examples of a batch as they are stored. */
  readonly batchBytes: number;
}

export async function main(args: readonly string[]): Promise<void> {
  const program = new Command("npm run bench -- cudaKernels")
    .option("--programs <text>", "only those whose name has this text")
    .option("--architectures <list...>", "of NVRTC, as 90 for compute capability 9.0", [
      "70",
      "80",
      "90",
      "100",
    ])
    .option("--kernels", "a line for each kernel as well")
    .option("--own-kernels", "products and convolutions by our own kernels, as where there are no libraries")
    .option("--nvrtc <file>", "the compiler, where the system does not find it")
    .option("--json", "print JSON");
  program.parse([...args], { from: "user" });
  const options = program.opts<Options>();
  const compiler = findCompiler(options.nvrtc);
  const cases = (await allCases()).filter(({ name }) => name.includes(options.programs ?? ""));
  const rows = cases.map((one) => {
    const step = (gpu: string): { source: string; entry: CudaEntryExplanation } => {
      const found = explainCuda(one.plan, {
        gpu: gpus.find(({ name }) => name === gpu)!,
        precision: one.precision,
        libraries: !options.ownKernels,
      });
      return { source: found.source, entry: found.entries.find(({ name }) => name === stepEntry)! };
    };
    const { source, entry } = step("H100");
    const architectures = options.architectures
      .map(Number)
      .filter((architecture) => compiler?.architectures.includes(architecture));
    return {
      name: one.name,
      nodes: entry.nodes,
      launches: entry.commands.filter(({ command }) => command === "launch").length,
      flops: entry.flops,
      bytes: entry.bytes,
      leastBytes: workOf(one.plan, stepEntry, one.batchBytes).bytes,
      forecastS: { H100: entry.forecastS, H200: step("H200").entry.forecastS },
      commands: entry.commands,
      resources: architectures.map((architecture) => ({
        architecture,
        kernels: Object.fromEntries(compiler!.resources(source, architecture, one.name)),
      })),
    };
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${summary(rows)}\n`);
  if (options.kernels) for (const row of rows) process.stdout.write(`\n${kernelTable(row)}\n`);
  const whose = options.ownKernels
    ? "our own kernels alone"
    : "products by cuBLASLt, convolutions by cuDNN, of which no registers are known";
  process.stdout.write(
    `\nTimes are forecasts from data sheets, ${whose}: 1.5 us for a node, or longer by traffic or arithmetic. Least bytes: the batch, and parameters and slots read and written once.${
      compiler
        ? ` Registers and spills by ${compiler.title}.`
        : " No NVRTC was found (--nvrtc): no registers."
    }\n`,
  );
}

type Row = Readonly<{
  name: string;
  nodes: number;
  launches: number;
  flops: number;
  bytes: number;
  leastBytes: number;
  forecastS: Readonly<Record<"H100" | "H200", number>>;
  commands: CudaEntryExplanation["commands"];
  resources: readonly Readonly<{
    architecture: number;
    kernels: Readonly<Record<string, KernelResources>>;
  }>[];
}>;

function summary(rows: readonly Row[]): string {
  const us = (seconds: number): string => `${(seconds * 1e6).toFixed(0)} us`;
  return formatTable([
    [
      "a step of",
      "nodes",
      "launches",
      "GFLOP",
      "moved",
      "least",
      "H100",
      "H200",
      ...(rows[0]?.resources ?? []).map(({ architecture }) => `sm_${architecture}: registers, spills`),
    ],
    ...rows.map((row) => [
      row.name,
      `${row.nodes}`,
      `${row.launches}`,
      (row.flops / 1e9).toFixed(2),
      formatBytes(row.bytes),
      formatBytes(row.leastBytes),
      us(row.forecastS.H100),
      us(row.forecastS.H200),
      ...row.resources.map(({ kernels }) => {
        const all = Object.values(kernels);
        const most = Math.max(...all.map(({ registers }) => registers));
        return `${most}, ${all.reduce((sum, { spillBytes }) => sum + spillBytes, 0)} B`;
      }),
    ]),
  ]);
}

function kernelTable({ name, commands, resources }: Row): string {
  const text = formatTable([
    [
      "command",
      "blocks",
      "shared",
      "FLOP",
      "bytes",
      "H100",
      ...resources.map(({ architecture }) => `sm_${architecture}`),
      "",
    ],
    ...commands.map(({ command, launch, flops, bytes, forecastS, parts }) => [
      launch?.kernel ?? command,
      launch ? `${launch.grid}` : "",
      launch ? `${launch.sharedBytes} B` : "",
      flops.toExponential(1),
      formatBytes(bytes),
      `${(forecastS * 1e6).toFixed(2)} us`,
      ...resources.map(({ kernels }) => {
        const own = launch && kernels[launch.kernel];
        return own ? `${own.registers}${own.spillBytes > 0 ? `, spills ${own.spillBytes} B` : ""}` : "";
      }),
      parts.length === 1 ? parts[0].title : `${parts[0].title}, and ${parts.length - 1} more`,
    ]),
  ]);
  return `${name}\n${text}`;
}

function findCompiler(file: string | undefined) {
  const opened = (path: string) =>
    openCompiler({ name: "nvrtc", title: "NVRTC", path, native: openLibrary(path) });
  if (file !== undefined) return opened(file);
  const { library } = findLibrary("nvrtc", libraryPlaces(process.env, systemFiles), { files: systemFiles });
  return library && openCompiler(library);
}

async function allCases(): Promise<Case[]> {
  const [grid] = await loadStudies(exercise2File);
  const dataset = (await grid.problem.dataset!.load())!;
  const exampleBytes = dataset.train.inputs.data.byteLength / dataset.train.count;
  const tasks = tasksFor(configurationsOf(grid, dataset, grid.seeds, "cpu"), { workers: 1, maxLanes: 64 });
  const ofGrid = grid.optimizers.map(({ optimizer }, choice): Case => {
    const task = tasks.find((one) => one.choice === choice)!;
    const lanes = task.configurations.length;
    const plan = planFor(laneTraining(grid, dataset, task), lanes);
    const batchBytes = exampleBytes * (grid.batchSize as number);
    return { name: `grid ${optimizer.id}, ${lanes} lanes`, plan, precision: "float32", batchBytes };
  });
  const problem = mnist({ model: convNet() });
  const images = (await problem.dataset!.load())!;
  const choice = adam({ lr: 1e-4 });
  const settings = Object.fromEntries(
    Object.entries(choice.settings).map(([name, [value]]) => [name, value]),
  );
  const ofNetwork = [1, 64].flatMap((lanes) =>
    [50, 5000].flatMap((batchSize) =>
      (["float32", "tf32", "bfloat16"] as const).map((precision): Case => {
        const training: LaneTraining = {
          problem,
          dataset: images,
          choice,
          lanes: Array.from({ length: lanes }, () => settings),
          seed: 0,
          batchSize,
          steps: 1_000_000,
          shuffle: true,
          dtype: "float32",
          ...(precision === "bfloat16" && { precision }),
          evaluate: [],
          evaluateEvery: 1,
          recordEvery: 0,
          recordParameters: false,
        };
        return {
          name: `cnn ${precision}, batch ${batchSize}, ${lanes} lane${lanes === 1 ? "" : "s"}`,
          plan: planFor(training, lanes),
          precision: precision === "tf32" ? "tf32" : "float32",
          batchBytes: exampleBytes * batchSize,
        };
      }),
    ),
  );
  return [...ofGrid, ...ofNetwork];
}

const planFor = (training: LaneTraining, lanes: number): Plan =>
  planProgram(laneProgram(training, lanes).program, { waves: true });
