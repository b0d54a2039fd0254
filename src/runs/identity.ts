/** Names in the store: a run's id says what it is and is unique to its configuration. */
import { createHash } from "node:crypto";
import { SlalomError } from "../base/errors.js";
import { canonical } from "./json.js";
import type { RunConfiguration } from "./records.js";

/**
 * The id of a configuration, which is its folder's name: `momentum-lr=0.01-momentum=0.6-seed=2-1f0c93ab`.
 * Equal configurations have equal ids (the last part is a hash of all fields, whatever their order).
 */
export function runId(configuration: RunConfiguration): string {
  const { label, optimizer, hyperparameters, seed } = configuration;
  const settings = Object.entries(hyperparameters).map(([name, value]) => `${name}=${value}`);
  const readable = [slugOf(label ?? optimizer), ...settings, `seed=${seed}`].join("-");
  const hash = createHash("sha256").update(canonical(configuration)).digest("hex").slice(0, 8);
  return `${safe(readable).slice(0, longestReadable)}-${hash}`;
}

/** A name for a study's folder from free text: "Exercise 2: MNIST" becomes "exercise-2-mnist". */
export const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, "-")
    .replace(/^[-.]+|-+$/g, "") || "study";

/** Throws unless `name` can be a folder's name on any file system. */
export function checkStudyName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name)) return;
  throw new SlalomError(
    "option",
    `study name "${name}": expected 1 to 100 letters, digits, ".", "_" or "-", not starting with "." or "-". Call it "${slugOf(name).slice(0, 100)}"?`,
  );
}

/** File names hold 255 bytes; the rest is for the hash. */
const longestReadable = 180;

const safe = (text: string): string => text.replace(/[^A-Za-z0-9._=+-]/g, "_");
