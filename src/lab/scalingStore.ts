/** Scaling studies and forecasts as files of a study's folder: `scaling/strong.json`, `scaling/strong-forecast.json`. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SlalomError } from "../base/errors.js";
import { decode, encode, makeFolder, writeWhole } from "../runs/index.js";
import type { StudyForecast } from "./forecast.js";
import type { ScalingMode, ScalingStudy } from "./scaling.js";

/** Keeps it in the study's folder, in place of an earlier one of the same mode. @returns the file */
export const keepScaling = (studyFolder: string, scaling: ScalingStudy): string =>
  kept(studyFolder, scaling.mode, scaling);

/** The same for a forecast, apart from what was measured. @returns the file */
export const keepForecast = (studyFolder: string, forecast: StudyForecast): string =>
  kept(studyFolder, `${forecast.mode}-forecast`, forecast);

/** @throws SlalomError "store" where the file holds no scaling study */
export const loadScaling = (path: string): ScalingStudy =>
  loaded(path, ["study", "mode", "curves", "backend"], "scaling study") as ScalingStudy;

/** @throws SlalomError "store" where the file holds no forecast */
export const loadForecast = (path: string): StudyForecast =>
  loaded(path, ["study", "mode", "curves", "link"], "forecast") as StudyForecast;

/** The files of a study's folder that hold scaling studies and forecasts; none where nothing was kept. */
export function scalingFiles(studyFolder: string): {
  readonly scalings: readonly string[];
  readonly forecasts: readonly string[];
} {
  const inFolder = (ending: string): string[] =>
    modes
      .map((mode) => join(studyFolder, "scaling", `${mode}${ending}.json`))
      .filter((path) => existsSync(path));
  return { scalings: inFolder(""), forecasts: inFolder("-forecast") };
}

const modes: readonly ScalingMode[] = ["strong", "weak"];

function kept(studyFolder: string, name: string, record: object): string {
  const folder = join(studyFolder, "scaling");
  makeFolder(folder);
  const path = join(folder, `${name}.json`);
  writeWhole(path, `${encode(record)}\n`);
  return path;
}

/** What a file holds that was written here; its members tell it from other files. */
function loaded(path: string, members: readonly string[], what: string): object {
  let value: unknown;
  try {
    value = decode(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new SlalomError(
      "store",
      `${path} can't be read as a ${what}; expected a file that slalom scale wrote.`,
      {
        cause,
      },
    );
  }
  if (typeof value === "object" && value !== null && members.every((name) => name in value)) return value;
  throw new SlalomError(
    "store",
    `${path} holds no ${what}; expected a file that slalom scale wrote, with ${members.join(", ")}.`,
  );
}
