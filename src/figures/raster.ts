/**
 * PNG from SVG with resvg and the DejaVu fonts that come with the package: the same picture on every
 * machine, whatever fonts it has. Both are loaded at the first use only; resvg is a native module.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { SlalomError } from "../base/errors.js";
import { theme } from "./theme.js";

/** PNG bytes, `width` pixels wide. Throws a library error when resvg or the font can't be loaded. */
export function rasterize(svg: string, options: { readonly width?: number } = {}): Uint8Array {
  const { Resvg, fontFiles } = loadRenderer();
  const renderer = new Resvg(svg, {
    fitTo: { mode: "width", value: options.width ?? 1280 },
    background: theme.background,
    font: { fontFiles, loadSystemFonts: false, defaultFontFamily: "DejaVu Sans" },
  });
  return new Uint8Array(renderer.render().asPng());
}

/**
 * Writes `path`.svg and `path`.png (default 1280 pixels wide), each aside first and then renamed, so
 * that a reader never meets half a file. Returns the two paths. Throws a store error.
 */
export function writeFigure(
  path: string,
  svg: string,
  options: { readonly width?: number } = {},
): { svg: string; png: string } {
  const files = { svg: `${path}.svg`, png: `${path}.png` };
  const png = rasterize(svg, options);
  writeAside(files.svg, svg);
  writeAside(files.png, png);
  return files;
}

function loadRenderer(): { Resvg: typeof import("@resvg/resvg-js").Resvg; fontFiles: string[] } {
  const require = createRequire(import.meta.url);
  try {
    const { Resvg } = require("@resvg/resvg-js") as typeof import("@resvg/resvg-js");
    const fontFiles = ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) =>
      require.resolve(`dejavu-fonts-ttf/ttf/${name}`),
    );
    return { Resvg, fontFiles };
  } catch (cause) {
    throw new SlalomError(
      "library",
      `figures: the PNG renderer (@resvg/resvg-js with dejavu-fonts-ttf) did not load: ${cause instanceof Error ? cause.message.split("\n")[0] : String(cause)}. Reinstall with "npm ci", or use the SVG.`,
      { cause },
    );
  }
}

function writeAside(path: string, content: string | Uint8Array): void {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(aside, content);
    renameSync(aside, path);
  } catch (cause) {
    if (existsSync(aside)) rmSync(aside);
    throw new SlalomError(
      "store",
      `figures: could not write ${path}: ${cause instanceof Error ? cause.message : String(cause)}. Is the folder writable?`,
      { cause },
    );
  }
}
