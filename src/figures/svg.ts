/**
 * SVG as text. Coordinates are rounded to two decimals so that equal data give equal bytes, and a
 * number that is not finite is a bug that stops the drawing instead of spoiling the file.
 */
import { invariant } from "../base/errors.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** `<name a="1">children</name>`; attributes that are undefined are left out. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  let head = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    head += ` ${key}="${typeof value === "number" ? coordinate(value) : escapeXml(value)}"`;
  }
  const body = children.filter((child) => child !== "").join("\n");
  if (body === "") return `${head}/>`;
  return children.length === 1 && !body.startsWith("<")
    ? `${head}>${body}</${name}>`
    : `${head}>\n${body}\n</${name}>`;
}

/** A group, or nothing when there is nothing in it. */
export function group(attributes: Attributes, children: readonly string[]): string {
  const present = children.filter((child) => child !== "");
  return present.length === 0 ? "" : element("g", attributes, present.join("\n"));
}

/** A number with at most two decimals, never `-0`, never `NaN`. */
export function coordinate(value: number): string {
  invariant(Number.isFinite(value), `figures: the coordinate ${value} is not finite`);
  const rounded = Math.round(value * 100) / 100;
  return String(rounded === 0 ? 0 : rounded);
}

/** Text made safe for XML content and attributes; characters that XML forbids become U+FFFD. */
export function escapeXml(text: string): string {
  return (
    text
      .replace(/[\ud800-\udfff]/gu, "\ufffd")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly the characters that XML 1.0 forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;")
      .replace(/"/g, "&quot;")
  );
}

export function rectangle(rect: Rect, attributes: Attributes): string {
  return element("rect", { x: rect.x, y: rect.y, width: rect.width, height: rect.height, ...attributes });
}

export function segment(from: Point, to: Point, attributes: Attributes): string {
  return element("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, ...attributes });
}

/** `M…L…` through the points, with `Z` when closed. */
export function pathData(points: readonly Point[], ends: "open" | "closed" = "open"): string {
  let data = "";
  let previous = "";
  for (const point of points) {
    const here = `${coordinate(point.x)},${coordinate(point.y)}`;
    if (here === previous) continue;
    data += `${data === "" ? "M" : "L"}${here}`;
    previous = here;
  }
  return data === "" ? "" : ends === "closed" ? `${data}Z` : data;
}
