/** The table of a run on a GPU, drawn from its file: medians, ratios to Slalom's first, accuracies, goals. */
import { median, ratioOf, type Timing } from "../measure.js";
import { aligned, formatNumber as number, formatTime as time } from "../print.js";
import type { MeasuredRow, MeasurementRecord, ProfileRecord, ResultLine, RoutesRecord } from "./results.js";

export const formatResults = (lines: readonly ResultLine[]): string =>
  `${lines.map((line) => textOf(line).join("\n")).join("\n\n")}\n`;

function textOf(line: ResultLine): string[] {
  switch (line.kind) {
    case "machine":
      return [
        `${line.backend}, ${line.date.slice(0, 10)}`,
        `slalom ${line.slalom}, node ${line.node}`,
        ...(line.rehearsal ? ["A rehearsal on the processor: no number of it says anything of a GPU."] : []),
        ...(line.fixture ? [line.fixture] : []),
      ];
    case "measurement":
      return measurementText(line);
    case "left out":
      return [line.title, "", `Not measured: ${line.reason}`];
    case "routes":
      return routesText(line);
    case "profile":
      return profileText(line);
  }
}

function measurementText({ title, unit, rows, goals, absent, notes }: MeasurementRecord): string[] {
  const [ours] = rows;
  const table = rows.map((row) => {
    const ratio = row === ours ? undefined : ratioOf(timing(row), timing(ours));
    return [
      row.contestant,
      time(timing(row).medianS),
      time(timing(row).minS),
      ratio ? `${number(ratio.median)} x` : "1",
      ratio ? `${number(ratio.min)} to ${number(ratio.max)}` : "",
      accuracyText(row),
    ];
  });
  const headings = ["", `per ${unit}`, "least", "times the first", "over rounds", "test accuracy"];
  // No measurement has accuracies of some and not of others.
  const width = rows.some(({ accuracies }) => accuracies) ? headings.length : headings.length - 1;
  const body = [headings, ...table].map((row) => row.slice(0, width));
  return [
    title,
    "",
    ...(rows.length > 0 ? aligned(body) : ["Nobody took part."]),
    ...goals.map((goal) => goalText(goal, rows)),
    ...doubts(rows),
    ...absent.map(({ contestant, reason }) => `Absent: ${contestant}: ${reason}`),
    ...notes.map((note) => `Note: ${note}`),
  ];
}

function goalText(goal: MeasurementRecord["goals"][number], rows: readonly MeasuredRow[]): string {
  const [ours] = rows;
  const isOurs = ours?.library === "slalom";
  if ("underS" in goal) {
    const medianS = isOurs ? timing(ours).medianS : undefined;
    return verdict(`under ${time(goal.underS)}`, medianS, (value) => value < goal.underS, time);
  }
  const peers = rows.filter(({ library }) => library !== "slalom");
  // The fastest form of any peer is that with the least ratio.
  const least =
    isOurs && peers.length > 0
      ? Math.min(...peers.map((peer) => ratioOf(timing(peer), timing(ours)).median))
      : undefined;
  const text =
    goal.timesBestPeer === 1
      ? "no slower than the best peer"
      : `at least ${goal.timesBestPeer} times as fast as the best peer`;
  return verdict(text, least, (value) => value >= goal.timesBestPeer, number);
}

function verdict(
  text: string,
  value: number | undefined,
  reached: (value: number) => boolean,
  format: (value: number) => string,
): string {
  if (value === undefined) return `Goal: ${text}: not measured`;
  return `Goal: ${text}: ${reached(value) ? "reached" : "missed"} (${format(value)})`;
}

/** First losses that differ widely: the starts are random, so they never agree. */
function doubts(rows: readonly MeasuredRow[]): string[] {
  const [ours, ...others] = rows;
  return others.flatMap(({ contestant, check }) =>
    Math.abs(check - ours.check) > 0.5 * Math.abs(ours.check)
      ? [`Note: ${contestant}: loss ${number(check)} at first, ${number(ours.check)} of ${ours.contestant}`]
      : [],
  );
}

function accuracyText({ accuracies }: MeasuredRow): string {
  if (!accuracies) return "";
  const percents = accuracies.map((accuracy) => 100 * accuracy);
  const middle = `${median(percents).toFixed(2)} %`;
  if (percents.length === 1) return middle;
  const [least, most] = [Math.min(...percents), Math.max(...percents)];
  return `${middle} (${least.toFixed(2)} to ${most.toFixed(2)}, ${percents.length} trainings)`;
}

function routesText({ title, stepUs, choices }: RoutesRecord): string[] {
  const refusals = choices.flatMap(({ computes, refused }) =>
    Object.entries(refused).map(([name, reason]) => `Note: ${computes}: ${name}: ${reason}`),
  );
  const rows = choices.map(({ computes, route, us }) => {
    const others = Object.entries(us).filter(([name]) => name !== route);
    const slower = others.sort(([, a], [, b]) => a - b).map(([name, time]) => `${name} ${time.toFixed(1)}`);
    return [computes, us[route].toFixed(1), route, slower.join(", ")];
  });
  const [fastest, libraries, own] = [stepUs.fastest, stepUs.libraries, stepUs.own].map((us) => us.toFixed(1));
  return [
    `${title}: ${fastest} us a step by the fastest routes, ${libraries} us by libraries, ${own} us by our own kernels`,
    "",
    ...aligned([["", "us", "taken", "slower, us"], ...rows]),
    ...refusals,
  ];
}

function profileText({ title, stepUs, kernels }: ProfileRecord): string[] {
  const apart = kernels.reduce((sum, { us }) => sum + us, 0);
  const rows = [...kernels]
    .sort((a, b) => b.us - a.us)
    .map(({ kernel, us }) => [kernel, us.toFixed(2), `${((100 * us) / apart).toFixed(0)} %`]);
  return [
    `${title}: ${stepUs.toFixed(1)} us as a graph, ${apart.toFixed(1)} us its launches one by one`,
    "",
    ...aligned([["", "us", "share"], ...rows]),
  ];
}

const timing = ({ unitS }: MeasuredRow): Timing => ({
  stepS: unitS,
  medianS: median(unitS),
  minS: Math.min(...unitS),
  steps: 1,
});
