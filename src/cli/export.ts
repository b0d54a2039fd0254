/** `slalom export`: a stored study for other programs, from the store alone. */
import { SlalomError } from "../base/errors.js";
import { formatBytes } from "../compile/explain.js";
import {
  type CsvTableName,
  exportCsv,
  exportOnnx,
  exportTensorboard,
  findRun,
  type OnnxTensor,
} from "../exports/index.js";
import { counted } from "../report/words.js";
import type { WhichModel } from "../runs/index.js";
import { columns, wrapped } from "./columns.js";
import type { Output } from "./output.js";
import { studyWithProblem } from "./storedStudies.js";

export type ExportFormat = "onnx" | "tensorboard" | "csv";

export interface ExportOptions {
  readonly out: string;
  readonly format: ExportFormat;
  /** The file to write, for tensorboard the folder. */
  readonly to: string;
  /** The id of one run, or its beginning. */
  readonly run?: string;
  readonly which?: WhichModel;
  readonly batch?: number;
  readonly table?: CsvTableName;
}

export async function exportStudy(which: string, options: ExportOptions, output: Output): Promise<void> {
  checkOptions(options);
  const { study, problem } = await studyWithProblem(which, options.out);
  const { format, to } = options;
  const run = options.run === undefined ? undefined : findRun(study, options.run);
  const runs = run ? [run] : study.runs;
  const { name } = study.record;
  const told = (path: string, ...lines: string[]): void =>
    output.text([output.style.bold(path), ...lines.map((line) => output.style.dim(line))].join("\n"));
  switch (format) {
    case "onnx": {
      if (problem === undefined) throw unknownProblem(name, study.record.problem);
      const { bytes, ...model } = await exportOnnx(study, to, {
        problem,
        run,
        which: options.which,
        batch: options.batch,
      });
      output.result({ study: name, format, path: to, bytes: bytes.length, ...model });
      told(
        to,
        `${model.run}, its ${model.which} model, after ${counted(model.step, "step")}; ${formatBytes(bytes.length)}`,
        tensorTable([model.input, model.output], output),
        wrapped(operationList(model.operations), output.width),
      );
      break;
    }
    case "tensorboard": {
      const files = exportTensorboard(study, to, { runs });
      output.result({ study: name, format, path: to, files });
      told(to, `${counted(files.length, "run")}, a folder each. Look at them: tensorboard --logdir ${to}`);
      break;
    }
    case "csv": {
      const { table = "rows" } = options;
      const names = exportCsv(study, to, { runs, table });
      output.result({ study: name, format, path: to, table, columns: names, runs: runs.map(({ id }) => id) });
      told(
        to,
        `The ${table} of ${counted(runs.length, "run")}; its columns:`,
        wrapped(names.join(", "), output.width, 2),
      );
      break;
    }
  }
}

/** Which format an option is for. */
const formatOf = { which: "onnx", batch: "onnx", table: "csv" } as const;

function checkOptions(options: ExportOptions): void {
  for (const name of Object.keys(formatOf) as (keyof typeof formatOf)[]) {
    if (options[name] === undefined || options.format === formatOf[name]) continue;
    throw new SlalomError(
      "option",
      `--${name} ${options[name]} is for --format ${formatOf[name]}; leave it out for ${options.format}.`,
    );
  }
}

const tensorTable = (tensors: readonly OnnxTensor[], { style }: Output): string =>
  columns(
    tensors.map(({ name, dtype, shape }, i) => [
      name,
      `${dtype} [${shape.join(", ")}]`,
      i === 0 ? "examples as the data set holds them" : "",
    ]),
    { style, indent: 2 },
  );

const operationList = (operations: Readonly<Record<string, number>>): string =>
  Object.entries(operations)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

const unknownProblem = (study: string, problem: string): SlalomError =>
  new SlalomError(
    "option",
    `export to ONNX: study "${study}" trained "${problem}", which is no built-in problem with its default options. Name the file that defines the study in place of "${study}".`,
  );
