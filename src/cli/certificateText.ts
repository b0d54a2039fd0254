/** What `slalom certify` prints: the quantities nearest to their bounds, and the verdict. */
import type { Certificate } from "../lab/certificate.js";
import { isWithin, type ParityQuantity } from "../lab/parity.js";
import { lossName } from "../lab/stretches.js";
import { counted, listed } from "../report/words.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

/** Rows of the table beside the loss. */
const shownQuantities = 4;

export function certificateText(certificate: Certificate, { style }: Pick<Output, "style">): string {
  const { study, optimizer, batchSize, precision, steps, stretches, against } = certificate;
  const { quantities, undetermined, examplesPerRank, summedPerStep } = certificate;
  const [loss, others] = [quantities.filter(isLoss), quantities.filter((one) => !isLoss(one))];
  const rows = [...loss, ...others.slice(0, shownQuantities)].map(quantityRow);
  const rest = others.length - shownQuantities;
  const where = placeOf(certificate);
  return [
    `${style.bold(study)}, ${optimizer}: ${where} against one rank with ${against}, ${steps} steps in ${counted(stretches, "stretch", "stretches")}, batch ${batchSize}, ${precision}`,
    columns(rows, {
      header: ["relative difference", "ranks", "rounding", "bound", ""],
      align: ["left", "right", "right", "right"],
      style,
    }),
    ...(rest > 0 ? [style.dim(`and ${counted(rest, "quantity", "quantities")} farther from the bound`)] : []),
    ...(undetermined.length > 0
      ? [`Decided by rounding, so nothing is known of ${named(undetermined)}.`]
      : []),
    `${examplesPerRank.toLocaleString("en")} examples on each rank; ${summedPerStep.tensors} tensors, ${summedPerStep.bytes.toLocaleString("en")} bytes summed over ranks in each step.`,
    verdictText(certificate, where),
  ].join("\n");
}

/** "4 ranks in 2 processes", "2 GPUs": a description of a backend begins with its name. */
function placeOf({ backend, ranks, processes }: Certificate): string {
  if (backend.startsWith("cuda ")) return `${ranks} GPUs`;
  return processes > 1 ? `${ranks} ranks in ${processes} processes` : `${ranks} ranks`;
}

const isLoss = ({ name }: ParityQuantity): boolean => name === lossName;

const shown = (difference: number): string => difference.toExponential(1);

function quantityRow(quantity: ParityQuantity): string[] {
  const { name, difference, rounding, bound, most, mostBound } = quantity;
  const told = isWithin(quantity)
    ? "within"
    : difference > bound
      ? "beyond"
      : `beyond: ${shown(most)} in one stretch, at most ${shown(mostBound)}`;
  return [name, shown(difference), shown(rounding), shown(bound), told];
}

/** "dense1.bias and dense2.bias", "dense1.bias, dense2.bias, dense3.bias and 4 more". */
const named = (names: readonly string[]): string =>
  listed(names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names);

function verdictText({ verdict, quantities: [worst] }: Certificate, where: string): string {
  switch (verdict) {
    case "passed":
      return `PASSED: ${where} train what one rank trains`;
    case "failed":
      return `FAILED: ${where} train something else than one rank. Farthest off is ${isLoss(worst) ? "the loss" : worst.name}.`;
    case "inconclusive":
      return "INCONCLUSIVE: rounding hides most of what is trained. Take fewer steps, a smaller learning rate, or float64.";
  }
}
