/**
 * Polylines in pixels: cut to a frame (Liang and Barsky; Sutherland and Hodgman for polygons), thinned
 * without visible change (Ramer, Douglas and Peucker). Cutting by geometry instead of `clipPath` keeps
 * a figure free of ids, so that many fit in one page, and finds where a diverging curve leaves.
 */
import type { Point, Rect } from "./svg.js";

/** The parts of a polyline inside the frame; a point that is not a number makes a gap. */
export function clipPolyline(points: readonly Point[], frame: Rect): Point[][] {
  const parts: Point[][] = [];
  let part: Point[] = [];
  const finish = () => {
    if (part.length > 1) parts.push(part);
    part = [];
  };
  for (let i = 1; i < points.length; i++) {
    const inside = clipSegment(points[i - 1], points[i], frame);
    if (inside === undefined) {
      finish();
      continue;
    }
    const [from, to] = inside;
    if (part.length === 0) part.push(from);
    part.push(to);
    if (to !== points[i]) finish();
  }
  finish();
  return parts;
}

/** Where the polyline leaves the frame for the last time and does not come back, if it does. */
export function lastExit(points: readonly Point[], frame: Rect): Point | undefined {
  for (let i = points.length - 1; i > 0; i--) {
    const inside = clipSegment(points[i - 1], points[i], frame);
    if (inside !== undefined) return inside[1] === points[i] ? undefined : inside[1];
  }
  return undefined;
}

/** Whether the segment's part inside the frame exists: its two ends, the very same objects where uncut. */
export function clipSegment(from: Point, to: Point, frame: Rect): [Point, Point] | undefined {
  if (![from.x, from.y, to.x, to.y].every(Number.isFinite)) return undefined;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  let enter = 0;
  let leave = 1;
  const walls = [
    [-dx, from.x - frame.x],
    [dx, frame.x + frame.width - from.x],
    [-dy, from.y - frame.y],
    [dy, frame.y + frame.height - from.y],
  ];
  for (const [direction, distance] of walls) {
    if (direction === 0) {
      if (distance < 0) return undefined;
    } else if (direction < 0) {
      enter = Math.max(enter, distance / direction);
    } else {
      leave = Math.min(leave, distance / direction);
    }
  }
  if (enter > leave) return undefined;
  const at = (t: number): Point => ({ x: from.x + t * dx, y: from.y + t * dy });
  return [enter === 0 ? from : at(enter), leave === 1 ? to : at(leave)];
}

/** The polygon's part inside the frame. */
export function clipPolygon(points: readonly Point[], frame: Rect): Point[] {
  const right = frame.x + frame.width;
  const bottom = frame.y + frame.height;
  const walls: readonly ((point: Point) => number)[] = [
    (point) => point.x - frame.x,
    (point) => right - point.x,
    (point) => point.y - frame.y,
    (point) => bottom - point.y,
  ];
  let polygon = [...points];
  for (const depth of walls) {
    const kept: Point[] = [];
    for (let i = 0; i < polygon.length; i++) {
      const from = polygon[(i + polygon.length - 1) % polygon.length];
      const to = polygon[i];
      const [a, b] = [depth(from), depth(to)];
      if (a >= 0 !== b >= 0) {
        const t = a / (a - b);
        kept.push({ x: from.x + t * (to.x - from.x), y: from.y + t * (to.y - from.y) });
      }
      if (b >= 0) kept.push(to);
    }
    polygon = kept;
  }
  return polygon;
}

/** Fewer points, none further than `tolerance` pixels from the line that is drawn. */
export function simplify(points: readonly Point[], tolerance = 0.12): Point[] {
  if (points.length < 3) return [...points];
  const keep = new Uint8Array(points.length);
  keep[0] = 1;
  keep[points.length - 1] = 1;
  const pending: [number, number][] = [[0, points.length - 1]];
  for (let range = pending.pop(); range !== undefined; range = pending.pop()) {
    const [first, last] = range;
    let worst = tolerance;
    let worstIndex = -1;
    for (let i = first + 1; i < last; i++) {
      const distance = distanceToSegment(points[i], points[first], points[last]);
      if (distance > worst) {
        worst = distance;
        worstIndex = i;
      }
    }
    if (worstIndex < 0) continue;
    keep[worstIndex] = 1;
    pending.push([first, worstIndex], [worstIndex, last]);
  }
  return points.filter((_, index) => keep[index] === 1);
}

/** How many of the polylines cross the rectangle: to find a free place for a label. */
export function crossings(rect: Rect, polylines: readonly (readonly Point[])[]): number {
  return polylines.filter((line) =>
    line.some((point, i) => i > 0 && clipSegment(line[i - 1], point, rect) !== undefined),
  ).length;
}

function distanceToSegment(point: Point, from: Point, to: Point): number {
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const length2 = dx * dx + dy * dy;
  const t = length2 === 0 ? 0 : ((point.x - from.x) * dx + (point.y - from.y) * dy) / length2;
  const nearest = Math.min(1, Math.max(0, t));
  return Math.hypot(point.x - from.x - nearest * dx, point.y - from.y - nearest * dy);
}
