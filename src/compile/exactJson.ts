/** JSON as a key: values that differ have different texts, NaN, infinities and the two zeros too. */
export const exactJson = (value: unknown): string =>
  JSON.stringify(value, (_, v) => {
    if (Object.is(v, -0)) return "-0";
    return typeof v === "number" && !Number.isFinite(v) ? `${v}` : v;
  });
