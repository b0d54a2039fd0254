/** Studies trained by Open MPI's processes on two machines with a cable between them, which are namespaces of this one. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { slalom } from "../cli/cli.js";
import { launchers } from "../collectives/worlds.js";
import { newest, outcomes, waitFor } from "./outcomes.js";
import { processesIn } from "./support.js";

const root = mkdtempSync(join(tmpdir(), "slalom-namespaces-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const script = fileURLToPath(new URL("./namespaces.sh", import.meta.url));
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const launcher = launchers.find(({ title }) => title === "Open MPI")?.launcher;

/** Why there are none here; undefined where there can be. */
const lacking = ((): string | undefined => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "needs root on Linux";
  if (launcher === undefined) return "needs Open MPI: libopenmpi3 openmpi-bin";
  const { status, stderr } = spawnSync("bash", [script, root, "true"], { encoding: "utf8" });
  return status === 0 ? undefined : `needs network namespaces: ${stderr.trim().split("\n").at(-1)}`;
})();

/** How Open MPI finds the machines, and stays on their cable. */
const network = "10.213.0.0/24";
const mpirun = [
  ...[launcher?.command ?? "", "--map-by", "node", "--mca", "plm_rsh_agent", join(root, "agent")],
  ...["--mca", "btl_tcp_if_include", network, "--mca", "oob_tcp_if_include", network],
];

/** Starts a command on the first machine. */
function start(...words: readonly string[]) {
  const child = spawn("bash", [script, root, ...words], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1", NO_COLOR: "1" },
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  return { process: child, ended };
}

const run = (out: string, ...more: string[]): string[] => [
  ...[process.execPath, main, "run", "study.ts", "--launcher", "mpirun", "--ntasks", "2"],
  ...["--hostfile", "hosts", "--mpirun", mpirun.join(" "), "--no-figures", "--out", out, ...more],
];

const file = `
import { classificationProblem, momentum, perceptron, spirals, study } from "slalom";
export default study({
  name: "apart",
  problem: classificationProblem({
    dataset: spirals({ classes: 3, count: 330, split: { validation: 60 } }),
    model: perceptron({ hidden: [24, 16], dropout: 0.2 }),
  }),
  optimizers: [momentum({ lr: [0.01, 0.05], momentum: 0.9 })],
  steps: 2000,
  batchSize: 32,
  evaluateEvery: 100,
  keepModel: true,
  checkpointEvery: { steps: 20 },
});
`;
writeFileSync(join(root, "study.ts"), file);

/** A loaded machine may take its time. */
const limitMs = 600_000;

describe.skipIf(lacking !== undefined)(`on two machines${lacking ? ` (${lacking})` : ""}`, () => {
  test(
    "processes train what they train on one, bit for bit, through the cable",
    async () => {
      const line = `run study.ts --launcher mpirun --ntasks 2 --oversubscribe --mpirun ${launcher?.command} --no-figures --out here`;
      expect(await slalom(root, line)).toMatchObject({ code: 0 });
      const { code, err } = await start(...run("there")).ended;
      expect(code, err).toBe(0);
      expect(err).toContain(", 2 ranks, 2 processes)");
      expect(outcomes(join(root, "there"), "apart")).toEqual(outcomes(join(root, "here"), "apart"));
      // In each step the first gets half of the gradients of 521 parameters, and the sums of the other half, of two runs.
      const parameters = 2 * 24 + 24 + 24 * 16 + 16 + 16 * 3 + 3;
      expect(Number(readFileSync(join(root, "travelled"), "utf8"))).toBeGreaterThan(
        1000 * 2 * 4 * parameters,
      );
    },
    limitMs,
  );

  test(
    "processes that mpirun is told to start there by hand are certified",
    async () => {
      const words = ["--bind-to", "none", "--hostfile", "hosts", "-np", "2", process.execPath, main];
      const { code, out, err } = await start(...mpirun, ...words, "certify", "study.ts", "--steps", "20")
        .ended;
      expect(code, err).toBe(0);
      expect(out).toContain("PASSED: 2 ranks in 2 processes train what one rank trains");
    },
    limitMs,
  );

  test(
    "one that is killed far away ends all of them, and the same command goes on",
    async () => {
      const running = start(...run("torn"));
      await waitFor(running, () => newest(join(root, "torn/apart/checkpoints")) > 0);
      const [far] = processesIn(root, ["OMPI_COMM_WORLD_RANK=1"]);
      process.kill(far, "SIGKILL");
      const { code, out, err } = await running.ended;
      expect(code).not.toBe(0);
      expect(`${out}${err}`).toMatch(
        /process rank 1 .* on node 10\.213\.0\.2 exited on\s+signal 9 \(Killed\)/,
      );
      expect(processesIn(root)).toEqual([]);
      expect(await start(...run("torn")).ended).toMatchObject({ code: 0 });
      expect(outcomes(join(root, "torn"), "apart")).toEqual(outcomes(join(root, "here"), "apart"));
    },
    limitMs,
  );

  test(
    "nothing is left of them when all is killed, no process and no namespace",
    async () => {
      const before = spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout;
      const running = start(...run("killed", "--steps", "10000000"));
      await waitFor(running, () => newest(join(root, "killed/apart/checkpoints")) > 0);
      expect(processesIn(root).length).toBeGreaterThan(3);
      running.process.kill("SIGKILL");
      await running.ended;
      while (processesIn(root).length > 0) await setTimeout(100);
      expect(spawnSync("ip", ["netns", "list"], { encoding: "utf8" }).stdout).toBe(before);
    },
    limitMs,
  );
});
