/** The store under kill -9, several writing processes, full disks and folders that can't be written. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keyFromSeed, randomBits, uniformFromBits } from "../../src/base/random.js";
import { loadStudy, openStore } from "../../src/runs/index.js";
import { configuration, studyRecord } from "./example.js";

const program = fileURLToPath(new URL("./writer.mjs", import.meta.url));
const write = (firstSeed: number, runs: number, rows: number) =>
  spawn(process.execPath, [program, root, ...[firstSeed, runs, rows].map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
  });

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "slalom-survival-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const expected = (seed: number, rows: number) => Array.from({ length: rows }, (_, i) => seed + 1 / (i + 1));

describe("a killed writer", () => {
  it("leaves a readable store at any moment; resuming completes it", async () => {
    let results = 0;
    for (let kill = 0; kill < 6; kill++) {
      const child = write(0, 30, 300);
      // It may have ended before it is killed.
      const closed = once(child, "close");
      await once(child.stdout, "data");
      await new Promise((done) => setTimeout(done, 60 * uniformFromBits(randomBits(keyFromSeed(1), kill))));
      child.kill("SIGKILL");
      await closed;

      const { runs } = loadStudy(join(root, "example"));
      for (const run of runs) {
        expect(["completed", "interrupted"]).toContain(run.status);
        const { count, metrics, curve } = run.rows();
        const values = metrics.length > 0 ? [...curve("trainLoss").value] : [];
        expect(values).toEqual(expected(run.configuration.seed, 300).slice(0, count));
        if (run.status === "completed") expect(count).toBe(300);
      }
      const now = runs.filter((run) => run.status === "completed").length;
      expect(now).toBeGreaterThanOrEqual(results);
      results = now;
    }
    const [code] = await once(write(0, 30, 300), "close");
    expect(code).toBe(0);
    const { runs } = loadStudy(join(root, "example"));
    expect(runs.map((run) => [run.configuration.seed, run.status, run.rows().count])).toEqual(
      Array.from({ length: 30 }, (_, seed) => [seed, "completed", 300]),
    );
  });
});

describe("several processes", () => {
  it("write one study at once, without a lock", async () => {
    const codes = await Promise.all([0, 10, 20].map((seed) => once(write(seed, 10, 50), "close")));
    expect(codes.map(([code]) => code)).toEqual([0, 0, 0]);
    const { runs } = loadStudy(join(root, "example"));
    expect(runs.map((run) => run.configuration.seed)).toEqual(Array.from({ length: 30 }, (_, seed) => seed));
    for (const run of runs) {
      expect([...run.rows().curve("trainLoss").value]).toEqual(expected(run.configuration.seed, 50));
    }
  });
});

describe("several threads", () => {
  it("make one folder at once, and none of them fails", async () => {
    const rounds = 300;
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const runs = fileURLToPath(new URL("../../dist/runs/index.js", import.meta.url));
    const program = `
      const { workerData } = require("node:worker_threads");
      const { runs, root, arrived, rounds, threads } = workerData;
      import(runs).then(({ makeFolderWithin }) => {
        for (let round = 0; round < rounds; round++) {
          Atomics.add(arrived, 0, 1);
          while (Atomics.load(arrived, 0) < threads * (round + 1));
          makeFolderWithin(root, String(round));
        }
      });`;
    const workerData = { runs, root, arrived, rounds, threads: 2 };
    const threads = [0, 1].map(() => new Worker(program, { eval: true, workerData }));
    const codes = await Promise.all(threads.map((thread) => once(thread, "exit")));
    expect(codes).toEqual([[0], [0]]);
    expect(readdirSync(root).length).toBe(rounds);
  });
});

describe("a file system that refuses", () => {
  it("reports a full disk, keeps what is whole, and goes on once there is room", (context) => {
    const disk = join(root, "disk");
    mkdirSync(disk);
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status !== 0) {
      context.skip("needs a small file system: mounting a tmpfs is not allowed here");
    }
    try {
      const study = openStore(disk).createStudy(studyRecord({}));
      const writer = study.createRun(configuration({}));
      const batch = (from: number) =>
        Array.from({ length: 100 }, (_, i) => ({ step: from + i, timeS: 0, trainLoss: 1 / 3 }));
      let from = 0;
      writer.append(batch(from));
      writeFileSync(join(disk, "ballast"), Buffer.alloc(16384));
      const fill = () => {
        for (;;) {
          from += 100;
          writer.append(batch(from));
        }
      };
      expect(fill).toThrow(
        /can't write .*metrics\.jsonl: the disk or quota is full\. Free some space and resume/,
      );
      expect(study.runs()[0].rows().count).toBe(from);
      expect(() => study.createRun(configuration({ seed: 1 }))).toThrow(/disk or quota is full/);
      rmSync(join(disk, "ballast"));
      writer.append(batch(from));
      writer.finish({ status: "completed" });
      expect(study.runs()[0].status).toBe("completed");
      expect(study.runs()[0].rows().count).toBe(from + 100);
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  it("names a file that stands where a folder is expected", () => {
    writeFileSync(join(root, "taken"), "");
    expect(() => openStore(join(root, "taken")).createStudy(studyRecord({}))).toThrow(
      /a file stands where a folder is expected/,
    );
  });

  it("names a study folder that vanished", () => {
    const writer = openStore(root).createStudy(studyRecord({})).createRun(configuration({}));
    rmSync(root, { recursive: true });
    expect(() => writer.append([{ step: 0, timeS: 0 }])).toThrow(
      /does not exist\. Was the study's folder moved/,
    );
  });
});
