/** The sheet around every chart: title, a sentence beneath it, the chart, a note on where the data came from. */
import { element, escapeXml, type Rect, rectangle } from "./svg.js";
import { drawText, wrapText } from "./text.js";
import { theme } from "./theme.js";

/** What every figure can be given. */
export interface FigureText {
  readonly title?: string;
  /** A sentence that says what to see. */
  readonly subtitle?: string;
  /** Where the numbers come from: study, runs, seeds. */
  readonly source?: string;
  /** For readers who can't see it; by default title and subtitle. */
  readonly description?: string;
  /** User units, default 640. Text is 12 units high, so 640 on 17 cm prints it at 9 points. */
  readonly width?: number;
  /** Height of the chart without title and notes; each chart has a default. */
  readonly bodyHeight?: number;
}

/** The whole SVG document; `draw` gets the rectangle that the chart may fill. */
export function figure(
  text: FigureText,
  bodyHeight: number,
  draw: (area: Rect) => readonly string[],
): string {
  const width = text.width ?? theme.defaultWidth;
  const margin = 14;
  const inner = width - 2 * margin;
  const head: string[] = [];
  let y = margin;
  const write = (
    into: string[],
    content: string | undefined,
    size: number,
    fill: string,
    weight: "normal" | "bold",
  ) => {
    for (const line of wrapText(content ?? "", inner, { size, weight })) {
      into.push(drawText(line, { x: margin, y }, { size, fill, weight, align: "top" }));
      y += size * 1.36;
    }
  };
  write(head, text.title, theme.fontSize.title, theme.ink, "bold");
  if (text.title !== undefined && text.subtitle !== undefined) y += 2;
  write(head, text.subtitle, theme.fontSize.text, theme.mutedInk, "normal");
  if (y > margin) y += 9;
  const body = draw({ x: margin, y, width: inner, height: bodyHeight });
  y += bodyHeight;
  const foot: string[] = [];
  if (text.source !== undefined) {
    y += 11;
    write(foot, text.source, theme.fontSize.small, theme.mutedInk, "normal");
  }
  const height = Math.ceil(y + margin - 4);
  const title = text.title ?? "Figure";
  const document = element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "font-family": theme.fontFamily,
      "font-size": theme.fontSize.text,
    },
    [
      element("title", {}, escapeXml(title)),
      element("desc", {}, escapeXml(text.description ?? [title, text.subtitle].filter(Boolean).join(". "))),
      rectangle({ x: 0, y: 0, width, height }, { fill: theme.background }),
      ...head,
      ...body,
      ...foot,
    ]
      .filter((part) => part !== "")
      .join("\n"),
  );
  return `${document}\n`;
}
