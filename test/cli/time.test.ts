/** Where the time of stored trainings went, as the commands say it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { htmlPage } from "../../src/report/index.js";
import { loadStudy, type TimeLedger, totalS } from "../../src/runs/index.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { type Ended, json, slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const stored = () => loadStudy(join(folder.path, "runs/small"));

describe("the time ledger", () => {
  let first: Ended;
  beforeAll(async () => {
    folder.file("small.ts", smallStudy);
    first = await slalom(folder.path, "run small.ts --no-figures");
  });

  it("ends what run says of a study, and stands on its page", () => {
    const trainings = new Set(stored().runs.map(({ summary }) => summary!.ledger!.training)).size;
    expect(trainings).toBe(2);
    expect(first.err).toMatch(
      /\nTrained 3 of 3 runs in .*\nWhere [\d.]+ m?s of 2 trainings went: [a-z-]+ [\d.]+ %, /,
    );
    expect(htmlPage(stored())).toContain("Where the time went");
  });

  it("is in the results of every run, and adds up", async () => {
    const { runs } = await json(folder.path, "show small");
    expect(runs).toHaveLength(3);
    for (const run of runs) {
      const { ledger } = run as unknown as { readonly ledger: TimeLedger };
      expect(ledger.ranks).toHaveLength(1);
      expect(totalS(ledger.ranks[0].accounts)).toBeCloseTo(ledger.wallS, 9);
    }
  });

  it("is shown with --time: a table for each training, in seconds and shares", async () => {
    const { out, code } = await slalom(folder.path, "show small --time");
    expect(code).toBe(0);
    expect(out.match(/^start-up +[\d.]+ m?s +[\d.]+ %$/gm)).toHaveLength(2);
    expect(out.match(/^in all +[\d.]+ m?s +100\.0 %$/gm)).toHaveLength(2);
    expect(out).toContain("2 runs trained side by side: the time is that of all of them.");
  });

  it("is shown of one optimizer or run alone", async () => {
    const { runs } = await json(folder.path, "show small");
    const [first, ...others] = [...new Set(runs.map(({ configuration }) => configuration.optimizer))];
    const one = await slalom(folder.path, `show small --time --optimizer ${first}`);
    expect(one.out.match(/^in all /gm)).toHaveLength(1);
    const narrow = await json(folder.path, `show small --run ${runs[0].id} --optimizer ${first}`);
    expect(narrow.runs.map(({ id }) => id)).toEqual([runs[0].id]);
    expect(others.length).toBeGreaterThan(0);
    const { code, err } = await slalom(folder.path, "show small --runs --optimizer nobody");
    expect(code).not.toBe(0);
    expect(err).toContain('unknown optimizer of "small" "nobody"');
    expect((await slalom(folder.path, "show small --run x")).err).toContain(
      "--optimizer and --run choose among runs: give --runs, --time or --json too",
    );
  });

  it("is absent from runs of earlier versions, which read as before", async () => {
    for (const run of readdirSync(join(folder.path, "runs/small/runs"))) {
      const path = join(folder.path, "runs/small/runs", run, "summary.json");
      const { ledger, ...earlier } = JSON.parse(readFileSync(path, "utf8"));
      expect(ledger).toBeDefined();
      writeFileSync(path, JSON.stringify(earlier));
    }
    const { out, code } = await slalom(folder.path, "show small --time");
    expect(code).toBe(0);
    expect(out).toContain("Best settings");
    expect(out).toContain("small: no run says where its time went; runs of earlier versions do not.");
    expect(htmlPage(stored())).not.toContain("Where the time went");
  });
});
