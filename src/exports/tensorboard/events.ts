/** A stored run as TensorBoard sees one: its metrics as scalars, its settings for the plugin "hparams". */
import type { EndStatus, StoredRun } from "../../runs/index.js";
import { metricsOf, rowsOf } from "../rows.js";
import { optimizerOf, settingsOf } from "../settings.js";
import {
  type Event,
  event,
  type HparamsData,
  hparamsData,
  type PlainValue,
  sessionStatus,
} from "./messages.js";
import { framed } from "./records.js";

/** The records of a run's event file: its version, its settings, an event a row, how it ended. */
export function* recordsOf(run: StoredRun): Generator<Uint8Array> {
  for (const one of eventsOf(run)) yield framed(event.encode(one));
}

function* eventsOf(run: StoredRun): Generator<Event> {
  const { configuration, created, summary } = run;
  const startS = Date.parse(created) / 1000;
  yield { wallTime: startS, fileVersion: "brain.Event:2" };
  yield sessionEvent("session_start_info", startS, {
    sessionStartInfo: {
      hparams: plainValues({ optimizer: optimizerOf(configuration), ...settingsOf(configuration) }),
      groupName: groupName(run),
      startTimeSecs: startS,
    },
  });
  const metrics = metricsOf([run]);
  for (const { step, epoch, timeS, values } of rowsOf(run, metrics)) {
    const tagged = [["epoch", epoch] as const, ...metrics.map((metric, i) => [metric, values[i]] as const)];
    yield scalars(startS + timeS, step, tagged);
  }
  if (summary === undefined) return;
  const { final, stepsDone, timeS, status } = summary;
  const endS = startS + timeS;
  // Measured once at the end and in no row, such as the accuracy on the test split.
  const measuredOnce = Object.entries(final).filter(([metric]) => !metrics.includes(metric));
  if (measuredOnce.length > 0) yield scalars(endS, stepsDone, measuredOnce);
  yield sessionEvent("session_end_info", endS, {
    sessionEndInfo: { status: sessionStatuses[status], endTimeSecs: endS },
  });
}

/** A run that diverged has a result of ours, but no model. */
const sessionStatuses: { readonly [S in EndStatus]: number } = {
  completed: sessionStatus.success,
  diverged: sessionStatus.failure,
  interrupted: sessionStatus.failure,
  failed: sessionStatus.failure,
};

/** The seeds of a setting are one group: the page of hyperparameters has a line for each, with the means of its seeds. */
const groupName = ({ configuration }: StoredRun): string =>
  [
    optimizerOf(configuration),
    ...Object.entries(configuration.hyperparameters).map(([name, value]) => `${name}=${value}`),
  ].join(" ");

const scalars = (
  wallTime: number,
  step: number,
  values: readonly (readonly [string, number | undefined])[],
): Event => ({
  wallTime,
  step,
  summary: {
    value: values.flatMap(([tag, simpleValue]) => (simpleValue === undefined ? [] : [{ tag, simpleValue }])),
  },
});

/** The plugin reads what stands in the metadata of a summary; the summary itself is an empty tensor. */
const sessionEvent = (name: string, wallTime: number, data: HparamsData): Event => ({
  wallTime,
  summary: {
    value: [
      {
        tag: `_hparams_/${name}`,
        tensor: { dtype: tensorFlowFloat, tensorShape: { dim: [{}] } },
        metadata: {
          pluginData: { pluginName: "hparams", content: hparamsData.encode(data) },
        },
      },
    ],
  },
});

/** DT_FLOAT of TensorFlow's types.proto. */
const tensorFlowFloat = 1;

const plainValues = (settings: Readonly<Record<string, number | string>>): Record<string, PlainValue> =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      typeof value === "number" ? { numberValue: value } : { stringValue: value },
    ]),
  );
