/** Reads drawn figures back: their texts with the boxes that these take. */
import { textWidth } from "../../src/figures/text.js";

export interface TextBox {
  readonly content: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export function viewBox(svg: string): { width: number; height: number } {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!;
  return { width: Number(width), height: Number(height) };
}

/** The box of every text, from its position, anchor, size and rotation. */
export function textBoxes(svg: string): TextBox[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(([, attributes, raw]) => {
    const get = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1];
    const content = raw
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, "&");
    const size = Number(get("font-size"));
    const weight = get("font-weight") === "bold" ? "bold" : "normal";
    const width = textWidth(content, { size, weight });
    const [x, y] = [Number(get("x")), Number(get("y"))];
    const start = { middle: -width / 2, end: -width }[get("text-anchor") ?? ""] ?? 0;
    const box = { left: x + start, right: x + start + width, top: y - size * 0.75, bottom: y + size * 0.22 };
    if (get("transform") === undefined) return { content, ...box };
    // Turned by -90 degrees about (x, y): right becomes up.
    return {
      content,
      left: x + box.top - y,
      right: x + box.bottom - y,
      top: y - (box.right - x),
      bottom: y - (box.left - x),
    };
  });
}

/** Pairs of texts that lie on each other. */
export function overlaps(boxes: readonly TextBox[]): string[] {
  const found: string[] = [];
  boxes.forEach((a, i) => {
    for (const b of boxes.slice(i + 1)) {
      const isApart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      if (!isApart) found.push(`${a.content} / ${b.content}`);
    }
  });
  return found;
}
