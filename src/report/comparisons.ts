/** Comparisons at settings of the user's own, as the study's record keeps them. */
import type { Json, StudyRecord } from "../runs/index.js";

/** Settings to be drawn beside one another; `optimizer` is an id or a label, hyperparameters may be some of all. */
export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly settings: readonly {
    readonly optimizer: string;
    readonly hyperparameters: Readonly<Record<string, number>>;
  }[];
}

/** Those of `options.comparisons` in the record; what is not of that form is passed over. */
export function comparisonsOf({ options }: StudyRecord): Comparison[] {
  return membersOf(field(options, "comparisons")).flatMap((entry): Comparison[] => {
    const [id, title] = [field(entry, "id"), field(entry, "title")];
    if (typeof id !== "string" || typeof title !== "string") return [];
    const settings = membersOf(field(entry, "settings")).flatMap((setting) => {
      const optimizer = field(setting, "optimizer");
      const values = field(setting, "hyperparameters");
      if (typeof optimizer !== "string" || !isObject(values)) return [];
      const numbers = Object.entries(values).filter(
        (pair): pair is [string, number] => typeof pair[1] === "number",
      );
      return [{ optimizer, hyperparameters: Object.fromEntries(numbers) }];
    });
    return [{ id, title, settings }];
  });
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const field = (value: Json | undefined, name: string): Json | undefined =>
  isObject(value) ? value[name] : undefined;

const membersOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);
