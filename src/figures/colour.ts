/**
 * Colours that survive colour blindness and grey print: Okabe and Ito's palette for categories (each
 * with a marker of its own, a dash on the second lap), and for ordered values a ramp of even steps of
 * lightness, computed in OKLab (Björn Ottosson 2020).
 */
import { theme } from "./theme.js";

/** How a series looks; `marker` is an index into the marker shapes. */
export interface SeriesStyle {
  readonly colour: string;
  readonly marker: number;
  readonly dash?: string;
  readonly markerFill: "solid" | "hollow";
}

/** Whether colours tell optimizers apart or show the order of a hyperparameter. */
export type ColourRule =
  | {
      readonly by: "category" /** The names in a fixed order, so that a name keeps its colour from figure to figure. */;
      readonly order?: readonly string[];
    }
  | {
      readonly by: "value" /** What the value is, for the legend: "learning rate". */;
      readonly label?: string;
    };

/** Okabe and Ito (2008) without the yellow, which vanishes as a line on white. */
export const categoricalColours = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
] as const;

/** The style of the category with this index; all differ up to 14. */
export function categoryStyle(index: number): SeriesStyle {
  const count = categoricalColours.length;
  const lap = Math.floor(index / count);
  return {
    colour: categoricalColours[index % count],
    marker: index % count,
    dash: lap === 0 ? undefined : lap === 1 ? "7 3" : "2 2.5",
    markerFill: lap === 0 ? "solid" : "hollow",
  };
}

/** A style for each series, equal for equal categories (or values), over all panels of a figure. */
export function seriesStyles(
  series: readonly { readonly label: string; readonly category?: string; readonly value?: number }[],
  rule: ColourRule,
): SeriesStyle[] {
  if (rule.by === "value") {
    const values = [...new Set(series.map((one) => one.value ?? Number.NaN))].sort((a, b) => a - b);
    return series.map((one) => {
      const rank = values.indexOf(one.value ?? Number.NaN);
      const position = values.length < 2 ? 0.35 : Math.max(0, rank) / (values.length - 1);
      return {
        colour: sequentialColour(position * 0.86),
        marker: Math.max(0, rank) % 7,
        markerFill: "solid",
      };
    });
  }
  const names = [...(rule.order ?? [])];
  return series.map((one) => {
    const name = one.category ?? one.label;
    if (!names.includes(name)) names.push(name);
    return categoryStyle(names.indexOf(name));
  });
}

/** The ramp for ordered values, from dark blue (0) over magenta and orange to light yellow (1). */
export function sequentialColour(position: number): string {
  const t = Math.min(1, Math.max(0, position));
  const lightness = 0.27 + 0.66 * t;
  const hue = ((272 + 188 * t) * Math.PI) / 180;
  // Full chroma leaves sRGB at some hues: take what the screen can show at this lightness.
  for (let chroma = 0.19; chroma > 0; chroma -= 0.003) {
    const linear = oklabToLinear(lightness, chroma * Math.cos(hue), chroma * Math.sin(hue));
    if (linear.every((channel) => channel >= 0 && channel <= 1)) return toHex(linear);
  }
  return toHex(oklabToLinear(lightness, 0, 0));
}

/** The lightness of a colour in OKLab, 0 to 1. */
export function perceivedLightness(colour: string): number {
  return linearToOklab(fromHex(colour))[0];
}

/** WCAG contrast ratio of two colours, 1 to 21. */
export function contrastRatio(first: string, second: string): number {
  const [a, b] = [luminance(first), luminance(second)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** Dark or white ink, whichever reads better on this background. */
export function inkOn(background: string): string {
  return contrastRatio(theme.ink, background) >= contrastRatio("#ffffff", background) ? theme.ink : "#ffffff";
}

/** The colour, darkened until text in it reads on white (contrast at least 4.5). */
export function textColour(colour: string): string {
  const [, a, b] = linearToOklab(fromHex(colour));
  let [lightness] = linearToOklab(fromHex(colour));
  let result = colour;
  while (contrastRatio(result, theme.background) < 4.5 && lightness > 0) {
    lightness -= 0.01;
    result = toHex(oklabToLinear(lightness, a, b).map((channel) => Math.min(1, Math.max(0, channel))));
  }
  return result;
}

function luminance(colour: string): number {
  const [red, green, blue] = fromHex(colour);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** sRGB hex to linear light, 0 to 1. */
function fromHex(colour: string): number[] {
  return [1, 3, 5].map((start) => {
    const channel = Number.parseInt(colour.slice(start, start + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
}

function toHex(linear: readonly number[]): string {
  const channels = linear.map((channel) => {
    const encoded = channel <= 0.0031308 ? channel * 12.92 : 1.055 * channel ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, "0");
  });
  return `#${channels.join("")}`;
}

function linearToOklab([red, green, blue]: readonly number[]): number[] {
  const long = Math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue);
  const medium = Math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue);
  const short = Math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue);
  return [
    0.2104542553 * long + 0.793617785 * medium - 0.0040720468 * short,
    1.9779984951 * long - 2.428592205 * medium + 0.4505937099 * short,
    0.0259040371 * long + 0.7827717662 * medium - 0.808675766 * short,
  ];
}

function oklabToLinear(lightness: number, a: number, b: number): number[] {
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * medium + 1.707614701 * short,
  ];
}
