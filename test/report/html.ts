/** A strict reading of HTML for tests: tags must nest; gives every element with its attributes and text. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Own and inner text, entities as written. */
  text: string;
}

const empty = new Set(["meta", "link", "br", "img", "input", "hr"]);

/** All elements in document order; throws for tags that do not nest. */
export function elementsOf(page: string): Element[] {
  const all: Element[] = [];
  const open: Element[] = [];
  const body = page.replace(/^<!doctype html>/i, "");
  const token = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>|([^<]+)|(<)/g;
  for (let match = token.exec(body); match; match = token.exec(body)) {
    const [, closing, name, attributes, closed, text, stray] = match;
    if (stray) throw new Error(`stray "<" at ${body.slice(match.index, match.index + 60)}`);
    if (text !== undefined) {
      for (const element of open) element.text += text;
      continue;
    }
    if (closing) {
      const last = open.pop();
      if (last?.name !== name) throw new Error(`</${name}> closes <${last?.name}>`);
      continue;
    }
    const element: Element = {
      name,
      attributes: Object.fromEntries(
        [...attributes.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)].map(([, key, value]) => [key, value ?? ""]),
      ),
      text: "",
    };
    all.push(element);
    if (closed || empty.has(name)) continue;
    open.push(element);
    if (name === "script" || name === "style") {
      const end = body.indexOf(`</${name}>`, token.lastIndex);
      element.text = body.slice(token.lastIndex, end);
      token.lastIndex = end;
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.map(({ name }) => name).join(", ")}`);
  return all;
}
