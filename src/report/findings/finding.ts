/** One thing that a study found. */
export interface Finding {
  readonly id: string;
  /** "undecided": the data do not tell; "caution": what a reader should not overlook. */
  readonly kind: "recommendation" | "undecided" | "fact" | "caution";
  /** Whole sentences of plain text. */
  readonly text: string;
  /** Ids of the figures that show it; some may not be drawn for this study. */
  readonly figures: readonly string[];
}
