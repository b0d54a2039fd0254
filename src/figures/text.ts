/**
 * Text: how wide it is, and how it is drawn. Widths are DejaVu Sans's advances, the widest font of
 * the stack, so that what fits here fits in a reader's Inter or Arial too. Positions are absolute
 * (no `dominant-baseline`, which renderers disagree on).
 */
import { element, escapeXml, type Point } from "./svg.js";
import { theme } from "./theme.js";

export interface TextOptions {
  readonly anchor?: "start" | "middle" | "end";
  /** Where `y` lies: on the baseline, in the middle of the x-height, or at the top of capitals. */
  readonly align?: "baseline" | "middle" | "top";
  readonly size?: number;
  readonly weight?: "normal" | "bold";
  readonly fill?: string;
  /** White around the letters, for text that lies over lines. */
  readonly halo?: "none" | "white";
  /** Degrees, clockwise, about the position. */
  readonly rotate?: number;
}

/** One line of text at a point. */
export function drawText(content: string, at: Point, options: TextOptions = {}): string {
  const size = options.size ?? theme.fontSize.text;
  const align = options.align ?? "baseline";
  const shift = align === "baseline" ? 0 : align === "middle" ? size * 0.36 : size * 0.76;
  const rotated = options.rotate !== undefined && options.rotate !== 0;
  const halo = options.halo === "white";
  return element(
    "text",
    {
      x: at.x,
      y: at.y + shift,
      "text-anchor": options.anchor === "start" ? undefined : options.anchor,
      "font-size": size,
      "font-weight": options.weight === "bold" ? "bold" : undefined,
      fill: options.fill ?? theme.ink,
      stroke: halo ? theme.background : undefined,
      "stroke-width": halo ? 3 : undefined,
      "stroke-linejoin": halo ? "round" : undefined,
      "paint-order": halo ? "stroke" : undefined,
      transform: rotated ? `rotate(${options.rotate} ${at.x.toFixed(2)} ${at.y.toFixed(2)})` : undefined,
    },
    escapeXml(content),
  );
}

/** Width of a line of text in user units. */
export function textWidth(
  content: string,
  options: { readonly size?: number; readonly weight?: "normal" | "bold" } = {},
): number {
  let thousandths = 0;
  for (const character of content) thousandths += advance(character);
  const boldness = options.weight === "bold" ? 1.13 : 1;
  return (thousandths / 1000) * (options.size ?? theme.fontSize.text) * boldness;
}

/** The text, or its longest beginning with an ellipsis that fits in `width`. */
export function fitText(
  content: string,
  width: number,
  options: { readonly size?: number; readonly weight?: "normal" | "bold" } = {},
): string {
  if (textWidth(content, options) <= width) return content;
  const characters = [...content];
  while (characters.length > 0 && textWidth(`${characters.join("")}…`, options) > width) characters.pop();
  return characters.length === 0 ? "" : `${characters.join("").trimEnd()}…`;
}

/** Lines of at most `width`, broken at spaces; a word that is too long alone is cut with an ellipsis. */
export function wrapText(
  content: string,
  width: number,
  options: { readonly size?: number; readonly weight?: "normal" | "bold" } = {},
): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of content.split(/\s+/).filter((part) => part !== "")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || textWidth(longer, options) <= width) {
      line = longer;
    } else {
      lines.push(fitText(line, width, options));
      line = word;
    }
  }
  if (line !== "") lines.push(fitText(line, width, options));
  return lines;
}

/** Advances of DejaVu Sans from space to tilde, in thousandths of the font size. */
const asciiAdvances =
  "318 401 460 838 636 950 780 275 390 390 500 838 318 361 318 337 636 636 636 636 636 636 636 636 636 636 337 337 838 838 838 531 1000 684 686 698 770 632 575 775 752 295 295 656 557 863 748 787 603 787 695 635 611 732 684 989 685 611 685 390 337 390 838 500 500 613 635 550 635 615 352 635 634 278 278 579 278 974 634 612 635 635 411 521 392 634 592 818 592 592 525 636 337 636 838"
    .split(" ")
    .map(Number);

function advance(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 32 && code < 127) return asciiAdvances[code - 32];
  if ("⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".includes(character)) return 401;
  if ("αβγδεηθκλμνρσκ".includes(character)) return 650;
  if ("–‖°⁻".includes(character)) return 528;
  if ("·’".includes(character)) return 318;
  // Symbols (× − ± ≤ ✕ …) are 0.84 to 1 em, other scripts seldom wider than 1 em.
  return code < 0x250 ? 720 : 1000;
}
