/** What people see while a file downloads: a line that is redrawn on a terminal, a line now and then elsewhere. */
import { createLogUpdate } from "log-update";
import { formatBytes } from "../compile/explain.js";
import type { FetchOptions } from "../learn/datasets/index.js";
import { duration } from "../report/words.js";
import type { Output } from "./output.js";
import { bar } from "./progress.js";

type Progress = Parameters<NonNullable<FetchOptions["onProgress"]>>[0];
type Retry = Parameters<NonNullable<FetchOptions["onRetry"]>>[0];

export interface DownloadView {
  show(progress: Progress): void;
  /** Says what went wrong and when the next try is. */
  retry(retry: Retry): void;
  /** Says that Ctrl-C was heard. */
  stopping(): void;
  /** Clears the line that is redrawn. */
  end(): void;
}

/** The view that fits the output; with --json only a terminal sees any. */
export function downloadView(output: Output): DownloadView {
  const { style, note } = { style: output.noteStyle, note: output.note };
  const update = output.live ? createLogUpdate(process.stderr) : undefined;
  let file = "";
  let begun = { at: 0, received: 0 };
  let shownAt = 0;
  const end = (): void => {
    update?.clear();
    update?.done();
  };
  const say = (line: string): void => {
    if (output.json && !output.live) return;
    update?.clear();
    note(line);
  };
  return {
    show(progress) {
      const now = performance.now();
      if (progress.file !== file) {
        file = progress.file;
        begun = { at: now, received: progress.received };
        shownAt = now;
      }
      const isDone = progress.received === progress.bytes;
      if (now - shownAt < (update ? 100 : 5000) && !isDone) return;
      shownAt = now;
      const seconds = (now - begun.at) / 1000;
      const rate = seconds > 0 ? (progress.received - begun.received) / seconds : 0;
      const line = progressLine(progress, rate);
      if (update) update(`${bar(progress.received / progress.bytes, style)} ${line}`);
      else say(line);
    },
    retry: ({ file: name, received, waitMs }) =>
      say(`${name}: received ${received}; the next try is in ${duration(waitMs / 1000)}.`),
    stopping: () => say("Stopping. Press Ctrl-C again to end at once."),
    end,
  };
}

/** "gzip.zip: 41 %, 236 MB of 562 MB, 5.10 MB/s, 64 s left"; the rate in bytes a second, 0 where it is not known. */
export function progressLine({ file, received, bytes }: Progress, rate: number): string {
  const left =
    rate > 0 ? [`${formatBytes(rate)}/s`, `${duration(Math.ceil((bytes - received) / rate))} left`] : [];
  const amount = `${formatBytes(received)} of ${formatBytes(bytes)}`;
  const facts = [`${Math.floor((100 * received) / bytes)} %`, amount, ...(received < bytes ? left : [])];
  return `${file}: ${facts.join(", ")}`;
}
