/** HTML as text that can't be broken from inside: what is not marked as HTML already is escaped. */
import { escapeXml } from "../figures/svg.js";

/** Markup that is safe to insert as it is. Only this file makes it. */
export class Html {
  constructor(readonly text: string) {}
}

type Content = Html | string | number | undefined | readonly (Html | string | number | undefined)[];

/** A template tag: strings and numbers put in are escaped, `Html` is not, lists are joined, undefined is nothing. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(strings.reduce((text, part, i) => text + render(contents[i - 1]) + part));
}

/** An SVG document of the figures as inline markup; those escape every text themselves. */
export const inlineSvg = (svg: string): Html => new Html(svg.trim());

function render(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Html) return content.text;
  if (typeof content === "string" || typeof content === "number") return escapeHtml(String(content));
  return content.map(render).join("");
}

/** XML's five and the apostrophe: safe in content and in attributes of either quote. */
const escapeHtml = (text: string): string => escapeXml(text).replace(/'/g, "&#39;");
