/** Which of a study's runs is meant. */
import { nearestFirst, SlalomError } from "../base/errors.js";
import type { StoredRun, StoredStudy } from "../runs/index.js";

/**
 * The run of that id, or the only one whose id begins so: "adam-lr=0.01" where one run has that rate.
 * @throws SlalomError "name" where none or several do
 */
export function findRun({ record, runs }: StoredStudy, id: string): StoredRun {
  const begun = runs.filter((run) => run.id.startsWith(id));
  const found = runs.find((run) => run.id === id) ?? (begun.length === 1 ? begun[0] : undefined);
  if (found) return found;
  const ids = (begun.length > 0 ? begun : runs).map((run) => run.id);
  const shown = nearestFirst(id, ids).slice(0, 5).join(", ");
  throw new SlalomError(
    "name",
    begun.length > 0
      ? `run "${id}": ${begun.length} ids of study "${record.name}" begin so, such as ${shown}. Give more of one.`
      : `unknown run "${id}" of study "${record.name}"; the nearest of its ${ids.length} ids are ${shown}.`,
  );
}
