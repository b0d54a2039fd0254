/** Numbers as people write them: 0.001, 12,500, 5×10⁻⁵, 10⁻³. */

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * A number for a reader: plain decimals from 0.0001 to under a million, else mantissa × power of ten.
 * `digits` significant digits at most (default 3); trailing zeros are dropped.
 */
export function formatNumber(value: number, options: { readonly digits?: number } = {}): string {
  const digits = options.digits ?? 3;
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const [mantissaText, exponentText] = Math.abs(value)
    .toExponential(digits - 1)
    .split("e");
  const sign = value < 0 ? "−" : "";
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) {
    const rounded = Number(`${mantissaText}e${exponent}`);
    return sign + withThousands(trimZeros(rounded.toFixed(Math.max(0, digits - 1 - exponent))));
  }
  const mantissa = trimZeros(mantissaText);
  return mantissa === "1" ? `${sign}${powerOfTen(exponent)}` : `${sign}${mantissa}×${powerOfTen(exponent)}`;
}

/** A number with a fixed count of decimals, for columns and linear ticks. */
export function formatFixed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + withThousands(text);
}

/** `10⁻³` in Unicode superscripts, which every fallback font of the figures has. */
export function powerOfTen(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Commas from five digits on: 1000 is read at a glance, 50,000 is not without. */
function withThousands(text: string): string {
  const [whole, fraction] = text.split(".");
  const grouped = whole.length < 5 ? whole : whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
