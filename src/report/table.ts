/** A table as data: the page draws it as HTML, the terminal as padded text. */

export interface ReportColumn {
  readonly label: string;
  /** Numbers stand right. Default "left". */
  readonly align?: "left" | "right";
  /** Left out, the last first, where there is no room. */
  readonly weight?: "detail";
}

export interface ReportCell {
  readonly text: string;
  /** What the column is sorted by where the text does not tell: NaN stands last. */
  readonly sort?: number;
}

export interface ReportTable {
  readonly id: string;
  readonly title: string;
  /** What a reader has to know of how the numbers were made. */
  readonly note?: string;
  readonly columns: readonly ReportColumn[];
  /** One cell for each column; the first names the row. */
  readonly rows: readonly (readonly ReportCell[])[];
}

/** A cell for words. */
export const textCell = (text: string): ReportCell => ({ text });

/** A cell for a number, sorted by its value. */
export const numberCell = (value: number | undefined, format: (value: number) => string): ReportCell =>
  value === undefined || Number.isNaN(value)
    ? { text: "–", sort: Number.NaN }
    : { text: format(value), sort: value };
