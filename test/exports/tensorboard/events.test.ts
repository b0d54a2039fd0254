/** Event files, byte for byte: check sums, frames, and a run against the file that TensorBoard's own writer makes of it. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { exportTensorboard } from "../../../src/exports/index.js";
import { crc32c } from "../../../src/exports/tensorboard/crc32c.js";
import { recordsOf } from "../../../src/exports/tensorboard/events.js";
import { framed } from "../../../src/exports/tensorboard/records.js";
import { exportFolder } from "../study.js";

const folder = exportFolder();
afterAll(() => folder.remove());

describe("records", () => {
  // RFC 3720, appendix B.4, and the usual check value.
  test.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending bytes", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["descending bytes", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["digits", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(), 0],
  ])("the check sum of %s", (_, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test("a frame: length, its check sum, the record, its check sum", () => {
    // By tensorboard.summary.writer.record_writer.RecordWriter of the record b"slalom".
    expect(Buffer.from(framed(new TextEncoder().encode("slalom"))).toString("hex")).toBe(
      "06000000000000007369d537736c616c6f6d7c5e3c43",
    );
  });
});

const given = {
  configuration: { optimizer: "sgd", hyperparameters: { lr: 0.25 } },
  rows: [
    { step: 5, timeS: 0.5, epoch: 1, trainLoss: 0.1 },
    { step: 10, timeS: 1.5, epoch: 2, trainLoss: 0.01, validationAccuracy: 0.75 },
  ],
  outcome: { status: "completed", final: { testAccuracy: 0.5 } },
} as const;

const bytesOf = (records: Iterable<Uint8Array>): Buffer => Buffer.concat([...records]);

describe("a run", () => {
  test("is the file that TensorBoard's own writer makes of it", () => {
    const [run] = folder.store([given], { name: "written" }).runs;
    const expected = readFileSync(new URL("../../fixtures/tensorboard/run.tfevents", import.meta.url));
    const bytes = bytesOf(recordsOf({ ...run, created: "2025-01-01T00:00:00.000Z" }));
    expect(bytes.toString("hex")).toBe(expected.toString("hex"));
  });

  test("that is not at its end is what it has measured so far", () => {
    const [run] = folder.store([{ ...given, outcome: undefined }], { name: "unfinished" }).runs;
    const whole = readFileSync(new URL("../../fixtures/tensorboard/run.tfevents", import.meta.url));
    const bytes = bytesOf(recordsOf({ ...run, created: "2025-01-01T00:00:00.000Z" }));
    expect(whole.subarray(0, bytes.length).equals(bytes)).toBe(true);
    // What is missing: an event of one scalar, and how it ended.
    const missing = whole.subarray(bytes.length).toString("latin1");
    expect(missing).toContain("testAccuracy");
    expect(missing).toContain("_hparams_/session_end_info");
    expect(missing).not.toContain("trainLoss");
  });
});

describe("files", () => {
  test("a folder a run; an earlier export is replaced, nothing is left aside", () => {
    const other = { ...given, configuration: { ...given.configuration, seed: 1 } };
    const study = folder.store([given, other], { name: "two" });
    const to = join(folder.path, "tensorboard");
    mkdirSync(join(to, study.runs[0].id), { recursive: true });
    writeFileSync(join(to, study.runs[0].id, "events.out.tfevents.slalom"), "an earlier export");
    const files = exportTensorboard(study, to);
    expect(files).toEqual(study.runs.map(({ id }) => join(to, id, "events.out.tfevents.slalom")));
    for (const [i, file] of files.entries()) {
      expect(readFileSync(file).equals(bytesOf(recordsOf(study.runs[i])))).toBe(true);
      expect(readdirSync(join(to, study.runs[i].id))).toEqual(["events.out.tfevents.slalom"]);
    }
    expect(exportTensorboard(study, join(folder.path, "one"), { runs: [study.runs[1]] })).toHaveLength(1);
    expect(readdirSync(join(folder.path, "one"))).toEqual([study.runs[1].id]);
  });

  test("a file in place of the folder is named", () => {
    const path = join(folder.path, "taken");
    writeFileSync(path, "");
    expect(() => exportTensorboard(folder.store([given], { name: "three" }), path)).toThrow(
      /taken.*: a file stands where a folder is expected/,
    );
  });
});
