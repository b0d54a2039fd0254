/** The key of a colour ramp: a bar of thin steps (a gradient would need an id) with ticks and a label. */
import { makeScale, type ScaleKind, widen } from "./scale.js";
import { element, group, rectangle, segment } from "./svg.js";
import { drawText, textWidth } from "./text.js";
import { theme } from "./theme.js";

const barPx = 14;

/** The bar with its right edge at `right`; `width` is all that it takes, labels included. */
export function drawColourBar(options: {
  readonly right: number;
  readonly y: number;
  readonly height: number;
  readonly kind: ScaleKind;
  readonly domain: readonly [number, number];
  readonly label: string;
  /** The colour at a share, 0 to 1, of the domain. */
  readonly colourAt: (share: number) => string;
}): { readonly svg: string; readonly width: number } {
  const { right, y, height } = options;
  const domain =
    options.domain[0] < options.domain[1] ? options.domain : widen(options.domain, options.kind, [0, 0]);
  const scale = makeScale({ kind: options.kind, domain, range: [y + height, y] });
  const ticks = scale.ticks(34);
  const labels = Math.max(0, ...ticks.major.map((tick) => textWidth(tick.label))) + 8;
  // The label runs upwards beside the ticks: a long one costs no width.
  const width = Math.ceil(barPx + labels + 20);
  const x = right - width;
  const steps = 64;
  const parts: string[] = [];
  for (let i = 0; i < steps; i++) {
    // Each step reaches half a pixel under the next, so that no seam shows.
    const top = y + height - ((i + 1) / steps) * height;
    parts.push(
      element("rect", {
        x,
        y: top,
        width: barPx,
        height: height / steps + (i === 0 ? 0 : 0.5),
        fill: options.colourAt((i + 0.5) / steps),
      }),
    );
  }
  parts.push(
    rectangle({ x, y, width: barPx, height }, { fill: "none", stroke: theme.axis, "stroke-width": 0.8 }),
  );
  for (const tick of ticks.major) {
    const at = scale.toPixel(tick.value);
    parts.push(segment({ x: x + barPx, y: at }, { x: x + barPx + 4, y: at }, { stroke: theme.axis }));
    parts.push(drawText(tick.label, { x: x + barPx + 7, y: at }, { align: "middle", fill: theme.mutedInk }));
  }
  parts.push(
    drawText(
      options.label,
      { x: right - 3, y: y + height / 2 },
      { anchor: "middle", rotate: -90, fill: theme.mutedInk },
    ),
  );
  return { svg: group({ class: "colour-bar" }, parts), width };
}
