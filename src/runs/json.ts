/**
 * The one JSON of the store: exact for every number. JSON has no NaN, infinities or negative zero; they
 * become the strings "NaN", "Infinity", "-Infinity" and "-0", and a real string that reads like one of them
 * gets a "~" in front, so that decoding returns exactly what was encoded.
 */

/** Text of `value`; `undefined` members are left out. `indent`: spaces a level, 0 for one line. */
export const encode = (value: unknown, indent = 0): string => JSON.stringify(value, protect, indent);

/** The value that `encode` was given. Throws SyntaxError for text that is not JSON. */
export function decode(text: string): unknown {
  return mayHoldWords.test(text) ? JSON.parse(text, restore) : JSON.parse(text);
}

/** A number as it stands in the text, quoted where JSON has no word for it. */
export const encodeNumber = (value: number): string =>
  Number.isFinite(value) && !Object.is(value, -0) ? String(value) : `"${numberWord(value)}"`;

/** A metric as JSON.parse returns it, number or word, as a number; undefined when it is neither. */
export function decodeNumber(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" ? wordToNumber[value] : undefined;
}

/** Text that is equal for equal values: members sorted by name, `undefined` left out. */
export function canonical(value: unknown): string {
  return encode(sorted(value));
}

/** The first place where two values differ, by path; undefined when `canonical` of both is equal. */
export function firstDifference(
  left: unknown,
  right: unknown,
  path = "",
): { path: string; left: string; right: string } | undefined {
  if (canonicalOrNone(left) === canonicalOrNone(right)) return undefined;
  if (isObject(left) && isObject(right) && Array.isArray(left) === Array.isArray(right)) {
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const inner = Array.isArray(left) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
      const found = firstDifference(left[key], right[key], inner);
      if (found) return found;
    }
  }
  return { path, left: canonicalOrNone(left), right: canonicalOrNone(right) };
}

const wordToNumber: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
  "-0": -0,
};
const mayHoldWords = /"~*(?:NaN|-?Infinity|-0)"/;
const readsLikeWord = /^~*(?:NaN|-?Infinity|-0)$/;

const numberWord = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function protect(_key: string, value: unknown): unknown {
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : numberWord(value);
  }
  return typeof value === "string" && readsLikeWord.test(value) ? `~${value}` : value;
}

function restore(_key: string, value: unknown): unknown {
  if (typeof value !== "string" || !readsLikeWord.test(value)) return value;
  return value.startsWith("~") ? value.slice(1) : wordToNumber[value];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

const canonicalOrNone = (value: unknown): string => (value === undefined ? "nothing" : canonical(value));
