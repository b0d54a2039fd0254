/** The messages of event files: event.proto, summary.proto, and plugin_data.proto of the plugin "hparams". */
import {
  bytes,
  double,
  float,
  integer,
  mapped,
  message,
  nested,
  repeated,
  text,
  type ValueOf,
} from "../protobuf.js";

const pluginData = message({ pluginName: text(1), content: bytes(2) });
const summaryMetadata = message({ pluginData: nested(1, pluginData) });
/** An extent of 0, as nothing else is needed. */
const dimension = message({});
const tensorShape = message({ dim: repeated(nested(2, dimension)) });
const tensor = message({ dtype: integer(1), tensorShape: nested(2, tensorShape) });

const summaryValue = message({
  tag: text(1),
  simpleValue: float(2),
  tensor: nested(8, tensor),
  metadata: nested(9, summaryMetadata),
});

const summary = message({ value: repeated(nested(1, summaryValue)) });

export const event = message({
  /** Seconds since 1970. */
  wallTime: double(1),
  step: integer(2),
  fileVersion: text(3),
  summary: nested(5, summary),
});

/** google.protobuf.Value, as far as a hyperparameter is one. */
const plainValue = message({ numberValue: double(2), stringValue: text(3) });

const sessionStart = message({
  hparams: mapped(1, plainValue),
  groupName: text(4),
  startTimeSecs: double(5),
});

const sessionEnd = message({ status: integer(1), endTimeSecs: double(2) });

/** Status of plugin "hparams"; where nothing says how it ended the status is unknown. */
export const sessionStatus = { success: 1, failure: 2 } as const;

export const hparamsData = message({
  sessionStartInfo: nested(3, sessionStart),
  sessionEndInfo: nested(4, sessionEnd),
});

export type Event = ValueOf<typeof event>;
export type PlainValue = ValueOf<typeof plainValue>;
export type HparamsData = ValueOf<typeof hparamsData>;
