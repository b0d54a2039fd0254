/**
 * What all figures share: the font, sizes in user units (a figure is 640 wide by default) and the
 * greys. Colours of data are in colour.ts.
 */
export const theme = {
  /** Inter where a reader has it; DejaVu Sans in every PNG and on most Linux machines. */
  fontFamily: "Inter, 'DejaVu Sans', Arial, sans-serif",
  fontSize: { title: 15, text: 12, small: 11 },
  ink: "#1c2126",
  mutedInk: "#58616b",
  axis: "#8a929b",
  grid: "#e3e6ea",
  minorGrid: "#f1f3f5",
  background: "#ffffff",
  defaultWidth: 640,
  defaultBodyHeight: 380,
  lineWidth: 1.9,
} as const;
