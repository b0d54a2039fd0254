/** Colours and weights of a terminal, or none. */

type Paint = (text: string) => string;

export type Style = { readonly [N in keyof typeof codes]: Paint };

/** The styles; each leaves text as it is when `enabled` is false. */
export function styleFor(enabled: boolean): Style {
  const paint = ([on, off]: readonly [number, number]): Paint =>
    enabled ? (text) => `\x1b[${on}m${text}\x1b[${off}m` : (text) => text;
  return Object.fromEntries(Object.entries(codes).map(([name, pair]) => [name, paint(pair)])) as Style;
}

/** SGR parameters: on, off. */
const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
