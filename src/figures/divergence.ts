/** Runs that diverged: a cross where the curve leaves the frame, and beside it which run and when. */
import { textColour } from "./colour.js";
import { divergedMark } from "./marks.js";
import { formatNumber } from "./numbers.js";
import { type ScaleKind, widen } from "./scale.js";
import { group, type Point, type Rect } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface Divergence {
  readonly label: string;
  /** Where the curve left the frame, or its last point. */
  readonly at: Point;
  readonly colour: string;
  /** When it was found diverged. */
  readonly step?: number;
}

const rowPx = 15;
const size = theme.fontSize.small;

/** How many rows of text `count` diverged runs get in a frame of this height; the last may sum up several. */
export function divergedRows(count: number, frameHeight: number): number {
  return Math.min(count, Math.max(1, Math.floor((frameHeight * 0.4) / rowPx)));
}

/** The domain with room above the data for `rows` lines of text: only diverging curves come there. */
export function headroom(
  domain: readonly [number, number],
  kind: ScaleKind,
  rows: number,
  frameHeight: number,
): [number, number] {
  if (rows === 0) return [domain[0], domain[1]];
  const px = Math.min(frameHeight * 0.5, rows * rowPx + 14);
  return widen(domain, kind, [0, px / (frameHeight - px)]);
}

/**
 * The crosses, and rows of text: right of all crosses, where no diverging curve comes; left of all of
 * them when the last is too far right; each left of its own when neither has room.
 */
export function drawDiverged(
  runs: readonly Divergence[],
  plot: { readonly frame: Rect; readonly unit: string },
): string {
  if (runs.length === 0) return "";
  const { frame } = plot;
  const right = frame.x + frame.width;
  const sorted = [...runs].sort((a, b) => a.at.x - b.at.x || a.label.localeCompare(b.label, "en"));
  const rows = divergedRows(sorted.length, frame.height);
  const named = sorted.length <= rows ? sorted : sorted.slice(0, rows - 1);
  const rest = sorted.slice(named.length);
  const start = Math.max(...sorted.map((run) => run.at.x)) + 12;
  const room = right - start;
  const long = (run: Divergence) =>
    run.step === undefined
      ? `${run.label} diverged`
      : `${run.label} diverged at ${plot.unit} ${formatNumber(run.step, { digits: 6 })}`;
  const short = (run: Divergence) =>
    run.step === undefined
      ? run.label
      : `${run.label}: ${plot.unit} ${formatNumber(run.step, { digits: 6 })}`;
  const widest = (text: (run: Divergence) => string) =>
    Math.max(...named.map((run) => textWidth(`✕ ${text(run)}`, { size })));
  const roomLeft = sorted[0].at.x - 12 - frame.x;
  const side = widest(short) <= room ? "right" : widest(short) <= roomLeft ? "left" : "own";
  const text = side !== "own" && widest(long) > (side === "right" ? room : roomLeft) ? short : long;
  const block = {
    x: side === "right" ? start : side === "left" ? sorted[0].at.x - 12 : frame.x + 4,
    options: { size, align: "middle", halo: "white", anchor: side === "left" ? "end" : "start" },
  } as const;
  const parts: string[] = [];
  named.forEach((run, row) => {
    const y = frame.y + 9 + row * rowPx;
    const content = `${sorted.length > 1 ? "✕ " : ""}${text(run)}`;
    const fill = textColour(run.colour);
    if (side !== "own") {
      parts.push(drawText(content, { x: block.x, y }, { ...block.options, fill }));
      return;
    }
    const fits = run.at.x - 10 - textWidth(content, { size }) >= frame.x;
    const shown = fits ? content : `${sorted.length > 1 ? "✕ " : ""}${short(run)}`;
    const x = Math.max(frame.x + 3 + textWidth(shown, { size }), run.at.x - 10);
    parts.push(
      drawText(
        shown,
        { x: Math.min(x, right), y },
        { size, align: "middle", anchor: "end", fill, halo: "white" },
      ),
    );
  });
  if (rest.length > 0) {
    const content = `✕ and ${rest.length} more`;
    const y = frame.y + 9 + (rows - 1) * rowPx;
    parts.push(drawText(content, { x: block.x, y }, { ...block.options, fill: theme.mutedInk }));
  }
  return group({ class: "divergence" }, [...sorted.map((run) => divergedMark(run.at, run.colour)), ...parts]);
}
