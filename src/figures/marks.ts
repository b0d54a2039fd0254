/** Small drawn signs: markers of categories, the cross of divergence, arrowheads, the optimum's star. */
import {
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolStar,
  symbolTriangle,
  symbolWye,
} from "d3-shape";
import type { SeriesStyle } from "./colour.js";
import { coordinate, element, type Point, pathData } from "./svg.js";
import { theme } from "./theme.js";

/** A filled or hollow marker of `areaPx` square pixels. */
export function marker(at: Point, style: SeriesStyle, areaPx = 42): string {
  const shapes = [
    symbolCircle,
    symbolSquare,
    symbolTriangle,
    symbolDiamond,
    symbolCross,
    symbolWye,
    symbolStar,
  ];
  const hollow = style.markerFill === "hollow";
  return shape(at, symbol(shapes[style.marker % shapes.length], areaPx).digits(2)() ?? "", {
    fill: hollow ? theme.background : style.colour,
    stroke: hollow ? style.colour : theme.background,
    "stroke-width": hollow ? 1.6 : 0.8,
  });
}

/** ✕: here a run diverged. */
export function divergedMark(at: Point, colour: string, radiusPx = 4.5): string {
  const { x, y } = at;
  const r = radiusPx;
  const data = `${pathData([
    { x: x - r, y: y - r },
    { x: x + r, y: y + r },
  ])}${pathData([
    { x: x - r, y: y + r },
    { x: x + r, y: y - r },
  ])}`;
  const halo = element("path", {
    d: data,
    stroke: theme.background,
    "stroke-width": 5,
    "stroke-linecap": "round",
    fill: "none",
  });
  return `${halo}\n${element("path", { class: "diverged", d: data, stroke: colour, "stroke-width": 2.2, "stroke-linecap": "round", fill: "none" })}`;
}

/** A ring around the best setting. */
export function bestMark(at: Point, colour: string): string {
  return element("circle", {
    class: "best",
    cx: at.x,
    cy: at.y,
    r: 7.5,
    fill: "none",
    stroke: colour,
    "stroke-width": 1.6,
  });
}

/** A star: the optimum. */
export function starMark(at: Point, areaPx = 130): string {
  return shape(at, symbol(symbolStar, areaPx).digits(2)() ?? "", {
    fill: theme.ink,
    stroke: theme.background,
    "stroke-width": 1.2,
  });
}

/** A head of `lengthPx` at `at` that points from `from`. */
export function arrowHead(from: Point, at: Point, colour: string, lengthPx = 8.5): string {
  const length = Math.hypot(at.x - from.x, at.y - from.y);
  if (length === 0) return "";
  const [ux, uy] = [(at.x - from.x) / length, (at.y - from.y) / length];
  const back = { x: at.x - ux * lengthPx, y: at.y - uy * lengthPx };
  const half = lengthPx * 0.42;
  const points = [
    at,
    { x: back.x - uy * half, y: back.y + ux * half },
    { x: back.x + uy * half, y: back.y - ux * half },
  ];
  return element("path", {
    d: pathData(points, "closed"),
    fill: colour,
    stroke: theme.background,
    "stroke-width": 0.7,
  });
}

function shape(at: Point, data: string, attributes: Record<string, string | number>): string {
  return element("path", {
    transform: `translate(${coordinate(at.x)} ${coordinate(at.y)})`,
    d: data,
    ...attributes,
  });
}
