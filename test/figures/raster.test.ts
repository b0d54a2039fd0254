/** PNG bytes: real text in them, the size asked for, files whole or absent. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { convergenceFigure, rasterize, writeFigure } from "../../src/figures/index.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-figures-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function textOnly(text: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 20" font-family="Inter, 'DejaVu Sans', Arial"><text x="2" y="14" font-size="12">${text}</text></svg>`;
}

it("draws text, and every sign that figures use as a glyph of its own", () => {
  const empty = rasterize(textOnly(""));
  const missing = rasterize(textOnly("\u{10ffff}"));
  const pictures = [..."⁰¹²³⁴⁵⁶⁷⁸⁹⁻×−✕λβ…±≤∞"].map((sign) => Buffer.from(rasterize(textOnly(sign))));
  for (const picture of pictures) {
    expect(picture.equals(Buffer.from(empty))).toBe(false);
    expect(picture.equals(Buffer.from(missing))).toBe(false);
  }
  expect(new Set(pictures.map((picture) => picture.toString("base64"))).size).toBe(pictures.length);
});

it("has the width asked for and the figure's proportions", () => {
  const png = Buffer.from(rasterize(textOnly("a"), { width: 500 }));
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([500, 100]);
});

it("writes both files and leaves nothing else", () => {
  const svg = convergenceFigure({
    x: {},
    y: {},
    panels: [{ series: [{ label: "a", x: [0, 1], y: [1, 2] }] }],
  });
  const files = writeFigure(join(folder, "deep", "curve"), svg, { width: 300 });
  expect(readFileSync(files.svg, "utf8")).toBe(svg);
  expect(readFileSync(files.png).readUInt32BE(16)).toBe(300);
  expect(readdirSync(join(folder, "deep")).sort()).toEqual(["curve.png", "curve.svg"]);
});

it("says which path can't be written", () => {
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  expect(() => writeFigure(join(blocked, "curve"), textOnly("a"))).toThrow(/could not write .*curve\.svg/);
});
