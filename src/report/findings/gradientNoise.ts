/** How noisy gradients were at the best settings, and which batches are of use by that. */
import { type StudyAnalysis, withBest } from "../analysis.js";
import { batchVerdict, courseInWords, noiseCourse, verdictInWords } from "../noise.js";
import { counted } from "../words.js";
import type { Finding } from "./finding.js";

export function gradientNoiseFindings(analysis: StudyAnalysis): Finding[] {
  const { batchSize } = analysis.study.record;
  const courses = withBest(analysis).flatMap(({ name, best }) => {
    const course = noiseCourse(best.runs);
    return course === undefined ? [] : [{ name, course }];
  });
  if (batchSize === undefined || courses.length === 0) return [];
  const measured = courses.map(({ name, course }) => `${name} ${courseInWords(course)}`);
  const advice = courses.flatMap(({ name, course: { last } }) => {
    if (last === undefined) return [];
    const verdict = batchVerdict(batchSize, last);
    return [`${verdict.place} it for ${name} (${verdictInWords(verdict)})`];
  });
  const useful =
    advice.length === 0
      ? ""
      : ` At the end batches of ${counted(batchSize, "example")} are ${advice.join(", ")}. Well below the scale twice the batch nearly halves the steps, well above it does little.`;
  return [
    {
      id: "gradient-noise",
      kind: "fact",
      text: `Gradient noise scale at the best settings: ${measured.join("; ")}.${useful}`,
      figures: ["gradient-noise"],
    },
  ];
}
