/** Confusion matrix: how many examples of each class were taken for each other. Errors carry the colour. */
import { SlalomError } from "../base/errors.js";
import { inkOn, sequentialColour } from "./colour.js";
import { type FigureText, figure } from "./figure.js";
import { group, type Rect, rectangle } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface ConfusionMatrixData extends FigureText {
  /** `counts[actual][predicted]`, a square. */
  readonly counts: readonly (readonly number[])[];
  /** Names of the classes; their numbers by default. */
  readonly classes?: readonly string[];
}

/**
 * The figure as an SVG document: a row for each class as it is, a column for each class as it was taken for. The diagonal
 * is plain, as it would outshine all errors; last in each row stands the share that was right.
 * @throws SlalomError "data" for counts that are no square
 */
export function confusionMatrixFigure(data: ConfusionMatrixData): string {
  const { counts } = data;
  const size = counts.length;
  if (size === 0 || counts.some((row) => row.length !== size)) {
    throw new SlalomError(
      "data",
      `confusionMatrixFigure: rows of ${counts.map((row) => row.length).join(", ")} counts; expected as many as there are rows.`,
    );
  }
  const height = data.bodyHeight ?? Math.min(520, 60 + 34 * size);
  return figure(data, height, (area) => drawBody(data, area));
}

const labelSpace = { top: 38, left: 18 };

function drawBody({ counts, classes }: ConfusionMatrixData, area: Rect): string[] {
  const names = counts.map((_, i) => classes?.[i] ?? `${i}`);
  const nameWidth = Math.ceil(Math.max(...names.map((name) => textWidth(name)))) + 8;
  const shareWidth = 56;
  const grid: Rect = {
    x: area.x + labelSpace.left + nameWidth,
    y: area.y + labelSpace.top,
    width: area.width - labelSpace.left - nameWidth - shareWidth,
    height: area.height - labelSpace.top,
  };
  const cell = { width: grid.width / counts.length, height: grid.height / counts.length };
  const most = Math.max(1, ...counts.flatMap((row, i) => row.filter((_, j) => i !== j)));
  const middleOf = (i: number, j: number) => ({
    x: grid.x + (j + 0.5) * cell.width,
    y: grid.y + (i + 0.5) * cell.height,
  });
  const cells = counts.flatMap((row, i) =>
    row.map((count, j) => {
      // Light is few: the square root lets a single error be seen beside tens.
      const fill =
        i === j
          ? "#e9edf1"
          : count === 0
            ? theme.background
            : sequentialColour(0.93 - 0.75 * Math.sqrt(count / most));
      const box = {
        x: grid.x + j * cell.width,
        y: grid.y + i * cell.height,
        width: cell.width,
        height: cell.height,
      };
      const tile = rectangle(box, { fill, stroke: theme.grid, "stroke-width": 1 });
      if (count === 0) return tile;
      const text = drawText(`${count}`, middleOf(i, j), {
        anchor: "middle",
        align: "middle",
        size: theme.fontSize.small,
        fill: inkOn(fill),
      });
      return `${tile}\n${text}`;
    }),
  );
  const muted = { fill: theme.mutedInk, align: "middle" } as const;
  const columns = names.map((name, j) =>
    drawText(name, { x: middleOf(0, j).x, y: grid.y - 10 }, { ...muted, anchor: "middle" }),
  );
  const rows = names.flatMap((name, i) => {
    const total = counts[i].reduce((sum, count) => sum + count, 0);
    const share = total === 0 ? "" : `${((100 * counts[i][i]) / total).toFixed(1)} %`;
    return [
      drawText(name, { x: grid.x - 8, y: middleOf(i, 0).y }, { ...muted, anchor: "end" }),
      drawText(share, { x: area.x + area.width, y: middleOf(i, 0).y }, { ...muted, anchor: "end" }),
    ];
  });
  return [
    drawText(
      "taken for",
      { x: grid.x + grid.width / 2, y: area.y + 2 },
      { anchor: "middle", align: "top", fill: theme.mutedInk },
    ),
    drawText(
      "right",
      { x: area.x + area.width, y: area.y + 2 },
      { anchor: "end", align: "top", fill: theme.mutedInk },
    ),
    drawText(
      "is",
      { x: area.x + 10, y: grid.y + grid.height / 2 },
      { anchor: "middle", fill: theme.mutedInk, rotate: -90 },
    ),
    group({ class: "cells" }, cells),
    ...columns,
    ...rows,
  ];
}
