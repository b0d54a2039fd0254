/** What the data tests share: fixtures (written by NumPy, see make_fixtures.py) and the error of a failing call. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SlalomError } from "../../../src/base/errors.js";
import type { NamedBytes } from "../../../src/learn/datasets/formats/file.js";

export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/data/${name}`, import.meta.url));

/** A fixture's bytes under its short name, so that error messages don't depend on the folder. */
export const fixture = (name: string): NamedBytes => ({
  file: name,
  bytes: new Uint8Array(readFileSync(fixturePath(name))),
});

export const truncated = ({ file, bytes }: NamedBytes, length: number): NamedBytes => ({
  file,
  bytes: bytes.slice(0, length),
});

/** A copy with some bytes replaced. */
export function patched({ file, bytes }: NamedBytes, offset: number, ...values: number[]): NamedBytes {
  const copy = bytes.slice();
  copy.set(values, offset);
  return { file, bytes: copy };
}

/** `code: message` of the SlalomError that the call throws; any other outcome fails the test. */
export async function errorOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof SlalomError) return `${error.code}: ${error.message}`;
    throw error;
  }
  throw new Error("expected a SlalomError, nothing was thrown");
}
