/** Rows of small images with a line of text under each: misclassified digits, filters of a first layer. */
import { SlalomError } from "../base/errors.js";
import { type FigureText, figure } from "./figure.js";
import { dataUri, type PixelImage } from "./png.js";
import { element, type Rect, rectangle } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

export interface GridImage {
  readonly image: PixelImage;
  /** Under the image; two lines at most, cut to its width. */
  readonly lines?: readonly string[];
}

export interface ImageGridData extends FigureText {
  readonly images: readonly GridImage[];
  /** User units of an image's longer side; default 52. */
  readonly tile?: number;
}

/** The figure as an SVG document; pixels stay sharp squares. Throws a data error without images. */
export function imageGridFigure(data: ImageGridData): string {
  if (data.images.length === 0)
    throw new SlalomError("data", "imageGridFigure: received no images; expected at least one.");
  const { tile = 52 } = data;
  const lines = Math.max(...data.images.map((image) => image.lines?.length ?? 0));
  const cell = { width: tile + gap, height: tile + gap + lines * lineHeight };
  const columns = Math.max(1, Math.floor(((data.width ?? theme.defaultWidth) - margins + gap) / cell.width));
  const rows = Math.ceil(data.images.length / columns);
  return figure(data, data.bodyHeight ?? rows * cell.height, (area) =>
    data.images.map((image, i) =>
      drawTile(image, {
        x: area.x + (i % columns) * cell.width,
        y: area.y + Math.floor(i / columns) * cell.height,
        width: tile,
        height: tile,
      }),
    ),
  );
}

const gap = 10;
const lineHeight = 14;
/** What the sheet keeps free to the left and right. */
const margins = 28;

function drawTile({ image, lines = [] }: GridImage, place: Rect): string {
  const scale = place.width / Math.max(image.width, image.height);
  const box = { ...place, width: image.width * scale, height: image.height * scale };
  const picture = element("image", {
    ...box,
    href: dataUri(image),
    // SVG's own word for "pixelated", which not every renderer knows.
    "image-rendering": "optimizeSpeed",
  });
  const rim = rectangle(box, { fill: "none", stroke: theme.grid, "stroke-width": 1 });
  const text = lines.map((line, i) =>
    drawText(
      cut(line, place.width + gap - 2),
      { x: place.x + place.width / 2, y: place.y + place.height + 4 + i * lineHeight },
      {
        anchor: "middle",
        align: "top",
        size: theme.fontSize.small,
        fill: i === 0 ? theme.ink : theme.mutedInk,
      },
    ),
  );
  return [picture, rim, ...text].join("\n");
}

function cut(line: string, width: number): string {
  let kept = line;
  while (kept.length > 1 && textWidth(kept, { size: theme.fontSize.small }) > width) kept = kept.slice(0, -1);
  return kept;
}
