/** The page of a study: one HTML file that holds everything, opens offline and loads nothing. */
import type { Json, StoredStudy } from "../runs/index.js";
import { analyse, type ReportOptions, type StudyAnalysis } from "./analysis.js";
import type { ChartSection } from "./charts/chart.js";
import { figuresFrom, type StudyFigure } from "./figures.js";
import { type Finding, findingsFrom } from "./findings/index.js";
import { type Html, html, inlineSvg } from "./html.js";
import { pageScript, pageStyle } from "./pageStyle.js";
import type { ReportTable } from "./table.js";
import { tablesFrom } from "./tables.js";
import { overviewOf } from "./terminal.js";
import { chosenValue, counted, hyperparameterName, jsonInWords, listed, targetInWords } from "./words.js";

/** The page as a text. Errors: as `analyse`. */
export const htmlPage = (study: StoredStudy, options: ReportOptions = {}): string => {
  const analysis = analyse(study, options);
  return pageFrom(analysis, figuresFrom(analysis));
};

export function pageFrom(analysis: StudyAnalysis, figures: readonly StudyFigure[]): string {
  const tables = tablesFrom(analysis);
  const sections = headings.filter(({ section }) => figures.some((figure) => figure.section === section));
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="Slalom ${analysis.study.record.versions.slalom}">
<title>${analysis.title}</title>
${pageStyle()}
</head>
<body>
<header>
<h1>${analysis.title}</h1>
<p class="lead">${overviewOf(analysis)}</p>
<nav aria-label="Sections"><ul>
<li><a href="#findings">Findings</a></li>
${sections.map(({ section, title }) => html`<li><a href="#${section}">${title}</a></li>\n`)}<li><a href="#tables">Tables</a></li>
<li><a href="#configuration">Configuration</a></li>
<li><a href="#claims">How claims are made</a></li>
</ul></nav>
</header>
<main>
<section id="findings" aria-labelledby="findings-heading">
<h2 id="findings-heading">Findings</h2>
<ul class="findings">
${findingsFrom(analysis).map((finding) => findingItem(finding, figures))}</ul>
</section>
${sections.map((heading) => figureSection(heading, figures))}<section id="tables" aria-labelledby="tables-heading">
<h2 id="tables-heading">Tables</h2>
${tables.map(tableSection)}</section>
${configurationSection(analysis)}
${claimsSection(analysis)}
</main>
<footer><p>Made by Slalom ${analysis.study.record.versions.slalom} from the stored runs of the study “${analysis.study.record.name}” alone; every figure can be drawn again from them without training.</p></footer>
${pageScript()}
</body>
</html>`.text
  }\n`;
}

const headings: readonly { readonly section: ChartSection; readonly title: string }[] = [
  { section: "comparison", title: "Comparison" },
  { section: "settings", title: "Settings" },
  { section: "paths", title: "Paths" },
  { section: "convergence", title: "Convergence" },
  { section: "model", title: "What was learned" },
];

/** Widths in user units: the column of the page, and a phone. */
const wide = 640;
const narrow = 360;

function findingItem({ kind, text, figures: ids }: Finding, figures: readonly StudyFigure[]): Html {
  const shown = figures.filter(({ id }) => ids.includes(id));
  const links = shown.map(
    ({ id, title }, i) => html`${i === 0 ? "" : "; "}<a href="#figure-${id}">${title}</a>`,
  );
  const rests = shown.length === 0 ? undefined : html`<p class="rests">Shown in: ${links}</p>`;
  return html`<li class="${kind}"><p>${text}</p>${rests}</li>\n`;
}

const figureSection = (
  { section, title }: (typeof headings)[number],
  figures: readonly StudyFigure[],
): Html => html`<section id="${section}" aria-labelledby="${section}-heading">
<h2 id="${section}-heading">${title}</h2>
${figures.filter((figure) => figure.section === section).map(figureBlock)}</section>
`;

const figureBlock = ({ id, title, caption, inline }: StudyFigure): Html => html`<figure id="figure-${id}">
<h3>${title}</h3>
<figcaption>${caption}</figcaption>
<div class="drawing"><div class="wide">${inlineSvg(inline(wide))}</div><div class="narrow">${inlineSvg(inline(narrow))}</div></div>
</figure>
`;

/** Long tables are folded; readers open them, printers and machines have them anyway. */
function tableSection(table: ReportTable): Html {
  if (table.rows.length <= 20)
    return html`<h3 id="table-${table.id}">${table.title}</h3>\n${tableBlock(table)}`;
  return html`<details><summary><h3 id="table-${table.id}">${table.title} (${counted(table.rows.length, "row")})</h3></summary>
${tableBlock(table)}</details>
`;
}

function tableBlock({ id, note, columns, rows }: ReportTable): Html {
  const classOf = (column: number) => (columns[column].align === "right" ? html` class="number"` : undefined);
  const head = columns.map(({ label }, i) => html`<th scope="col"${classOf(i)}>${label}</th>`);
  const body = rows.map((row) => {
    const cells = row.map(({ text, sort }, i) => {
      const key = sort === undefined ? undefined : html` data-sort="${String(sort)}"`;
      return i === 0 ? html`<th scope="row"${key}>${text}</th>` : html`<td${classOf(i)}${key}>${text}</td>`;
    });
    return html`<tr>${cells}</tr>\n`;
  });
  return html`<div class="scroll" role="region" tabindex="0" aria-labelledby="table-${id}">
<table>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody>
</table>
</div>
${note === undefined ? undefined : html`<p class="note">${note}</p>\n`}`;
}

function configurationSection({ study: { record }, isDeterministic }: StudyAnalysis): Html {
  const { versions } = record;
  const { comparisons: _drawn, ...options } = (record.options ?? {}) as {
    readonly [key: string]: Json | undefined;
  };
  const entries: [string, string | Html | undefined][] = [
    ["Problem", record.problem],
    [
      "Its options",
      record.problemOptions === undefined ? undefined : nonEmpty(jsonInWords(record.problemOptions)),
    ],
    [
      "Seeds",
      isDeterministic
        ? `${listed(record.seeds.map(String))} (of no effect)`
        : listed(record.seeds.map(String)),
    ],
    ["Epochs", record.epochs === undefined ? undefined : String(record.epochs)],
    ["Steps", record.steps === undefined ? undefined : String(record.steps)],
    ["Batch", record.batchSize === undefined ? "all of the data" : counted(record.batchSize, "example")],
    [
      "Looked at together",
      record.microBatch === undefined ? undefined : counted(record.microBatch, "example"),
    ],
    ["Shuffled", record.shuffle === undefined ? undefined : record.shuffle ? "yes" : "no"],
    ["Numbers", record.dtype],
    ["Early stopping", record.earlyStopping && jsonInWords({ ...record.earlyStopping })],
    ["Targets", nonEmpty(listed(record.targets.map(targetInWords)))],
    ...record.optimizers.map((grid): [string, string] => [grid.label ?? grid.optimizer, gridInWords(grid)]),
    ["Further options", nonEmpty(jsonInWords(options as Json))],
    ["Created", record.created],
    ["Slalom", versions.slalom],
    ["Node.js", versions.node],
    ["Backend", versions.backend],
    ["Processor", versions.cpu],
  ];
  return html`<section id="configuration" aria-labelledby="configuration-heading">
<h2 id="configuration-heading">Configuration</h2>
<dl>
${entries.map(([name, value]) => (value === undefined ? undefined : html`<dt>${name}</dt><dd>${value}</dd>\n`))}</dl>
<details><summary>The whole record as it is stored</summary>
<div class="scroll" role="region" tabindex="0" aria-label="The stored record"><pre><code>${JSON.stringify(record, null, 2)}</code></pre></div>
</details>
</section>`;
}

function gridInWords(grid: StudyAnalysis["study"]["record"]["optimizers"][number]): string {
  const values = Object.entries(grid.hyperparameters).map(
    ([name, all]) => `${hyperparameterName(name)} ${all.map(chosenValue).join(", ")}`,
  );
  const around = [
    grid.schedule === undefined ? "" : `schedule ${jsonInWords(grid.schedule)}`,
    grid.clipNorm === undefined ? "" : `gradients clipped at norm ${chosenValue(grid.clipNorm)}`,
    grid.decoupledWeightDecay === undefined
      ? ""
      : `decoupled weight decay ${chosenValue(grid.decoupledWeightDecay)}`,
    grid.average === undefined ? "" : `average ${jsonInWords(grid.average)}`,
  ];
  return [...values, ...around].filter((part) => part !== "").join("; ");
}

const nonEmpty = (text: string): string | undefined => (text === "" ? undefined : text);

function claimsSection({ select, report, isDeterministic }: StudyAnalysis): Html {
  const compared =
    select.words === report.words
      ? `Settings are chosen and optimizers compared by ${select.words}.`
      : `Settings are chosen by ${select.words}; optimizers are compared at their chosen settings by ${report.words}, which did not choose.`;
  const evidence = isDeterministic
    ? "Here the seed has no effect: the start is fixed and every step uses all of the data, so one run says everything, and differences are exact for this problem and this grid."
    : "Intervals are 95 % intervals of the mean over seeds (Student's t; bootstrap from 20 seeds on). Differences are taken within each seed, because runs of one seed see the same batches; a verdict needs p ≤ 0.05 after Holm's correction over all pairs of optimizers. Where the data do not reach that, the page says that they do not decide. One seed never decides.";
  return html`<section id="claims" aria-labelledby="claims-heading">
<h2 id="claims-heading">How claims are made</h2>
<p>${compared} ${evidence}</p>
<p>A run that diverged is a result: it counts as worse than any number, a setting with a diverged seed can't be the best, and a run that never meets a target counts as never in the median. Good ranges are the learning rates around the best for which ${select.words} stays ${select.toleranceWords}, interpolated between the values tried; “at least” marks a range that the grid cut off.</p>
</section>`;
}
