/** `slalom optimizers`: the built-in optimizers, or one of them with hyperparameters, ranges and paper. */
import { findOptimizer, type Hyperparameter, type Optimizer, optimizers } from "../learn/optimizers/index.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

export function showOptimizers(name: string | undefined, output: Output): void {
  if (name !== undefined) {
    showOptimizer(findOptimizer(name), output);
    return;
  }
  output.result({ optimizers: optimizers.map(describe) });
  const rows = optimizers.map((optimizer: Optimizer) => [
    optimizer.id,
    optimizer.title,
    Object.entries(optimizer.hyperparameters)
      .map(([hyperparameter, { default: value }]) => `${hyperparameter}=${value}`)
      .join(" "),
  ]);
  output.text(
    columns(rows, {
      header: ["name", "", "hyperparameters with their defaults"],
      style: output.style,
      width: output.width,
    }),
  );
  output.text(output.style.dim("\nOne in full: slalom optimizers adam"));
}

const describe = ({ id, title, paper, hyperparameters }: Optimizer) => ({
  id,
  title,
  paper,
  hyperparameters,
});

function showOptimizer(optimizer: Optimizer, output: Output): void {
  output.result(describe(optimizer));
  const { authors, title, year, url } = optimizer.paper;
  output.text(`${output.style.bold(optimizer.title)} (${optimizer.id})`);
  output.text(`${authors}: ${title}, ${year}${url ? `\n${url}` : ""}\n`);
  output.text(
    columns(
      Object.entries(optimizer.hyperparameters).map(([name, hyperparameter]) => [
        name,
        `${hyperparameter.default}`,
        rangeOf(hyperparameter),
        hyperparameter.meaning,
      ]),
      {
        header: ["name", "default", "search in", "meaning"],
        align: ["left", "right"],
        style: output.style,
        width: output.width,
      },
    ),
  );
  output.text(
    output.style.dim(`\nTry it: slalom train linear-regression --optimizer ${optimizer.id} --set lr=0.01`),
  );
}

const rangeOf = ({ range: [low, high], scale }: Hyperparameter): string =>
  `${low} to ${high}${scale === "log" ? ", log scale" : ""}`;
