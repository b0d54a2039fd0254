/** `slalom problems`: the built-in problems, or one of them in full. */
import { unknownName } from "../base/errors.js";
import { sizeOf } from "../base/shape.js";
import { type NamedProblem, problems } from "../learn/problems/index.js";
import { integer } from "../report/words.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

export async function showProblems(name: string | undefined, output: Output): Promise<void> {
  if (name !== undefined) {
    await showProblem(find(name), output);
    return;
  }
  output.result({ problems: problems.map(describe) });
  output.text(
    columns(
      problems.map((problem) => [problem.name, problem.summary]),
      { style: output.style, width: output.width },
    ),
  );
  output.text(
    output.style.dim(
      "\nOne in full: slalom problems rosenbrock\nA run of one: slalom train rosenbrock --optimizer adam --set lr=0.05",
    ),
  );
}

function find(name: string): NamedProblem {
  const found = problems.find((problem) => problem.name === name);
  if (found) return found;
  throw unknownName(
    "problem",
    name,
    problems.map((problem) => problem.name),
  );
}

function describe(named: NamedProblem) {
  const { title, options, defaults, reduction, optimum, dataset } = named.create();
  return {
    name: named.name,
    title,
    summary: named.summary,
    ...(dataset && { dataset: dataset.name }),
    options,
    defaults,
    reduction,
    optimum,
  };
}

async function showProblem(named: NamedProblem, output: Output): Promise<void> {
  const problem = named.create();
  const dataset = await problem.dataset?.load();
  const parameters = Object.entries(problem.build(dataset).parameters).map(([name, { shape }]) => ({
    name,
    shape,
  }));
  const numbers = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  output.result({ ...describe(named), parameters, parameterCount: numbers });
  const { defaults, optimum } = problem;
  const data = dataset && [
    `${integer(dataset.train.count)} training`,
    ...(dataset.validation ? [`${integer(dataset.validation.count)} validation`] : []),
    ...(dataset.test ? [`${integer(dataset.test.count)} test`] : []),
  ];
  const rows: [string, string][] = [
    [
      "parameters",
      parameters.map(({ name, shape }) => `${name} [${shape.join(",")}]`).join(", ") +
        ` (${integer(numbers)} numbers)`,
    ],
    ...(dataset && data
      ? [["data", `${dataset.title}: ${data.join(", ")} examples`] as [string, string]]
      : []),
    ["loss", dataset ? `${problem.reduction} over the examples of a batch` : "a function of the parameters"],
    [
      "a run takes",
      Object.entries(defaults)
        .map(([name, value]) => `${name} ${value}`)
        .join(", "),
    ],
    ...(optimum ? [["least loss", `${optimum.loss}`] as [string, string]] : []),
    ["options", JSON.stringify(problem.options)],
  ];
  output.text(`${output.style.bold(named.name)}  ${named.summary}\n`);
  output.text(columns(rows, { style: output.style, width: output.width }));
}
