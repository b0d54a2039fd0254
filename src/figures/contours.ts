/**
 * Contours of values on a grid by marching squares, as closed rings around all that lies above a level.
 * The grid is taken to be surrounded by values below every level, so every ring closes at the border
 * and can be filled.
 */
import { SlalomError } from "../base/errors.js";
import type { Point } from "./svg.js";

export interface Grid {
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** z[j][i] belongs to (x[i], y[j]). A value that is not finite counts as above every level. */
  readonly z: readonly (readonly number[])[];
}

/** The function's values on `count` × `count` points of a rectangle. */
export function sampleGrid(
  evaluate: (x: number, y: number) => number,
  domain: { readonly x: readonly [number, number]; readonly y: readonly [number, number] },
  count = 181,
): Grid {
  const spread = ([low, high]: readonly [number, number]) =>
    Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
  const x = spread(domain.x);
  const y = spread(domain.y);
  return { x, y, z: y.map((py) => x.map((px) => evaluate(px, py))) };
}

/** The closed rings that bound {z ≥ level}, in data units. Throws a data error when sizes differ. */
export function contourRings(grid: Grid, level: number): Point[][] {
  const columns = grid.x.length;
  const rows = grid.y.length;
  if (grid.z.length !== rows || grid.z.some((row) => row.length !== columns)) {
    throw new SlalomError(
      "data",
      `contours: x has ${columns} and y ${rows} values; expected z with ${rows} rows of ${columns}.`,
    );
  }
  const height = (i: number, j: number) => {
    if (i < 0 || j < 0 || i >= columns || j >= rows) return Number.NEGATIVE_INFINITY;
    const value = grid.z[j][i];
    return Number.isFinite(value) ? value : Number.POSITIVE_INFINITY;
  };
  const next = new Map<string, { to: string; point: Point }>();
  for (let j = -1; j < rows; j++) {
    for (let i = -1; i < columns; i++) {
      for (const [from, to] of cellEdges(i, j, (ci, cj) => height(ci, cj) >= level, height, level)) {
        next.set(edgeKey(from), { to: edgeKey(to), point: crossing(from, grid, height, level) });
      }
    }
  }
  return joinRings(next);
}

/** Levels that are evenly spaced in the logarithm above the lowest value: where contours tell most of a valley. */
export function logLevels(grid: Grid, count = 12): number[] {
  const values = grid.z.flat().filter(Number.isFinite);
  if (values.length === 0) return [];
  const sorted = [...values].sort((a, b) => a - b);
  const base = sorted[0];
  const high = sorted[sorted.length - 1] - base;
  if (!(high > 0)) return [];
  // The lowest ring encloses about a hundredth of the grid: smaller ones would show its cells.
  const low = Math.max(sorted[Math.ceil(sorted.length * 0.012)] - base, high * 1e-9);
  return Array.from({ length: count }, (_, i) => base + low * (high / low) ** (i / count));
}

/** An edge of the lattice between two neighbouring points: `h` from (i, j) to the right, `v` upwards. */
interface Edge {
  readonly kind: "h" | "v";
  readonly i: number;
  readonly j: number;
}

/** The directed pieces in one cell, with what lies above the level on their left. */
function cellEdges(
  i: number,
  j: number,
  isAbove: (i: number, j: number) => boolean,
  height: (i: number, j: number) => number,
  level: number,
): [Edge, Edge][] {
  const code =
    (isAbove(i, j) ? 1 : 0) +
    (isAbove(i + 1, j) ? 2 : 0) +
    (isAbove(i + 1, j + 1) ? 4 : 0) +
    (isAbove(i, j + 1) ? 8 : 0);
  if (code === 0 || code === 15) return [];
  const bottom: Edge = { kind: "h", i, j };
  const top: Edge = { kind: "h", i, j: j + 1 };
  const left: Edge = { kind: "v", i, j };
  const right: Edge = { kind: "v", i: i + 1, j };
  if (code === 5 || code === 10) {
    // A saddle: the mean decides whether the two high corners are joined.
    const mean = (height(i, j) + height(i + 1, j) + height(i + 1, j + 1) + height(i, j + 1)) / 4;
    const isJoined = mean >= level;
    if (code === 5)
      return isJoined
        ? [
            [bottom, right],
            [top, left],
          ]
        : [
            [bottom, left],
            [top, right],
          ];
    return isJoined
      ? [
          [left, bottom],
          [right, top],
        ]
      : [
          [right, bottom],
          [left, top],
        ];
  }
  const table: readonly (readonly [Edge, Edge][])[] = [
    [],
    [[bottom, left]],
    [[right, bottom]],
    [[right, left]],
    [[top, right]],
    [],
    [[top, bottom]],
    [[top, left]],
    [[left, top]],
    [[bottom, top]],
    [],
    [[right, top]],
    [[left, right]],
    [[bottom, right]],
    [[left, bottom]],
    [],
  ];
  return [...table[code]];
}

function edgeKey(edge: Edge): string {
  return `${edge.kind}${edge.i},${edge.j}`;
}

/** Where the level crosses the edge; at the border's surrounding, the border itself. */
function crossing(edge: Edge, grid: Grid, height: (i: number, j: number) => number, level: number): Point {
  const end = edge.kind === "h" ? { i: edge.i + 1, j: edge.j } : { i: edge.i, j: edge.j + 1 };
  const [a, b] = [height(edge.i, edge.j), height(end.i, end.j)];
  const at = (i: number, j: number): Point => ({
    x: grid.x[Math.min(grid.x.length - 1, Math.max(0, i))],
    y: grid.y[Math.min(grid.y.length - 1, Math.max(0, j))],
  });
  const from = at(edge.i, edge.j);
  const to = at(end.i, end.j);
  let t = (level - a) / (b - a);
  if (!Number.isFinite(a)) t = a > 0 ? 0 : 1;
  else if (!Number.isFinite(b)) t = b > 0 ? 1 : 0;
  return { x: from.x + t * (to.x - from.x), y: from.y + t * (to.y - from.y) };
}

function joinRings(next: Map<string, { to: string; point: Point }>): Point[][] {
  const rings: Point[][] = [];
  for (const start of [...next.keys()]) {
    const ring: Point[] = [];
    let key = start;
    for (let step = next.get(key); step !== undefined; step = next.get(key)) {
      ring.push(step.point);
      next.delete(key);
      key = step.to;
    }
    if (ring.length > 2) rings.push(ring);
  }
  return rings;
}
