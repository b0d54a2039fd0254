/** The look of the page: one column of 70 characters, the reader's fonts, light or dark, paper too. */
import { Html } from "./html.js";

/**
 * The style element. Figures keep their white ground in the dark: their colours were chosen for it. The narrow
 * drawing of a figure takes the wide one's place where a column of 640 would shrink its letters below reading.
 */
export const pageStyle = (): Html => new Html(`<style>${styleSheet}</style>`);

/** Sorts a table by the column whose heading is pressed; without it the tables stand in their own order. */
export const pageScript = (): Html => new Html(`<script>${script}</script>`);

const styleSheet = `
:root {
  color-scheme: light dark;
  --ink: #1c2126; --muted: #58616b; --rule: #dde1e6; --soft: #f5f6f8; --ground: #ffffff; --accent: #00578a;
  --undecided: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e7ea; --muted: #a2abb5; --rule: #343b43; --soft: #1f252b; --ground: #15191d; --accent: #6fbdec;
    --undecided: #e3ae55;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 1.0625rem/1.55 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif;
  font-variant-numeric: lining-nums; overflow-wrap: break-word;
}
main, header, footer { max-width: 41.5rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 3rem; }
footer { padding-top: 2.5rem; padding-bottom: 4rem; color: var(--muted); font-size: 0.875rem; }
h1, h2, h3 { line-height: 1.22; text-wrap: balance; letter-spacing: -0.011em; }
h1 { font-size: 2rem; margin: 0 0 0.5rem; }
h2 { font-size: 1.375rem; margin: 3.25rem 0 0.75rem; padding-top: 1.5rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.0625rem; margin: 2.25rem 0 0.35rem; }
p { margin: 0.6rem 0; text-wrap: pretty; }
a { color: var(--accent); text-underline-offset: 0.15em; text-decoration-thickness: 1px; }
a:focus-visible, button:focus-visible, summary:focus-visible, .scroll:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}
.lead { color: var(--muted); margin: 0 0 1.25rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; margin: 0; padding: 0; font-size: 0.9375rem; }
.findings { list-style: none; margin: 0; padding: 0; }
.findings li { margin: 0 0 1.05rem; padding-left: 0.95rem; border-left: 3px solid var(--rule); }
.findings li.recommendation { border-color: var(--accent); font-size: 1.125rem; line-height: 1.5; }
.findings li.undecided { border-color: var(--undecided); }
.findings p { margin: 0; }
.rests { color: var(--muted); font-size: 0.875rem; line-height: 1.45; margin-top: 0.15rem !important; }
.rests a { color: inherit; }
figure { margin: 2.5rem 0; break-inside: avoid; }
figure h3 { margin-top: 0; }
figcaption { font-size: 0.9375rem; line-height: 1.5; margin-bottom: 0.65rem; color: var(--muted); }
.drawing { background: #ffffff; border: 1px solid var(--rule); border-radius: 6px; overflow: hidden; }
.drawing svg { display: block; width: 100%; height: auto; }
.drawing .narrow { display: none; }
@media (max-width: 34rem) {
  .drawing .wide { display: none; }
  .drawing .narrow { display: block; }
  .number { white-space: normal; }
  h1 { font-size: 1.625rem; }
  header { padding-top: 1.75rem; }
}
.scroll { overflow-x: auto; margin: 0.8rem 0 0.4rem; }
table { border-collapse: collapse; min-width: 100%; font-size: 0.875rem; line-height: 1.4; font-variant-numeric: tabular-nums lining-nums; }
th, td { padding: 0.42rem 0.55rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { vertical-align: bottom; font-weight: 600; border-bottom: 1.5px solid var(--muted); }
tbody th { font-weight: 600; }
td:not(.number) { min-width: 8.5rem; }
.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; }
thead button { font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; cursor: pointer; text-align: inherit; }
thead button:hover { color: var(--accent); }
th[aria-sort="ascending"] button::after { content: " ↑"; }
th[aria-sort="descending"] button::after { content: " ↓"; }
.note { color: var(--muted); font-size: 0.875rem; line-height: 1.5; }
details { margin: 1.2rem 0; }
summary { cursor: pointer; font-weight: 600; }
summary h3 { display: inline; }
dl { display: grid; grid-template-columns: minmax(7.5rem, max-content) minmax(0, 1fr); gap: 0.3rem 1.25rem; margin: 0.8rem 0; font-size: 0.9375rem; }
dt { color: var(--muted); }
dd { margin: 0; }
code { font: 0.875em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media print {
  :root { --ink: #000; --muted: #444; --rule: #bbb; --ground: #fff; --accent: #000; --undecided: #000; }
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  .drawing { border: 0; }
  .drawing .wide { display: block; }
  .drawing .narrow { display: none; }
  table { font-size: 8pt; }
}
`;

const script = `
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  for (const [column, heading] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
      const missing = (value) => value === "NaN";
      const compare = (a, b) => {
        const [left, right] = [key(a), key(b)];
        if (missing(left) || missing(right)) return missing(left) - missing(right);
        const [x, y] = [Number(left), Number(right)];
        const order = Number.isNaN(x) || Number.isNaN(y) ? left.localeCompare(right) : x === y ? 0 : x - y;
        return up ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  }
}
`;
