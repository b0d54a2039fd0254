/** The documents and what can be tested of them: links, code blocks, commands. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, root } from "../support/sources.js";

export const documents: readonly string[] = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  ...filesBelow("docs", [".md"]),
  ...filesBelow("exercises", [".md"]),
];

export interface Block {
  /** "docs/studies.md:5". */
  readonly place: string;
  readonly language: string;
  readonly text: string;
}

export const read = (document: string): string => readFileSync(join(root, document), "utf8");

/** The fenced blocks of a document. */
export function blocksOf(document: string): Block[] {
  const text = read(document);
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
    place: `${document}:${text.slice(0, match.index).split("\n").length}`,
    language: match[1],
    text: match[2],
  }));
}

export const blocksIn = (language: string): Block[] =>
  documents.flatMap(blocksOf).filter((block) => block.language === language);

/** Targets of links and pictures that lead to files, outside of code. */
export const linksOf = (document: string): string[] =>
  [
    ...read(document)
      .replace(/^```.*?^```$/gms, "")
      .matchAll(/\]\(([^)\s]+)\)/g),
  ]
    .map(([, target]) => target)
    .filter((target) => !/^https?:/.test(target));

/** The anchors of a document's headings, as code hosts make them. */
export const anchorsOf = (document: string): string[] =>
  [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
