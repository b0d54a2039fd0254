/** What memory a process may still take, from files as Linux writes them. */
import { describe, expect, test } from "vitest";
import { availableMemory } from "../../src/lab/availableMemory.js";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** The figures of a machine with these files, of which 8 GiB are free. */
const seen = (files: Record<string, string>, environment: Record<string, string> = {}) =>
  availableMemory({
    readText: (path) =>
      ({ "/proc/meminfo": `MemTotal: 1 kB\nMemAvailable: ${8 * 1024 ** 2} kB\n`, ...files })[path],
    machineBytes: 16 * GiB,
    ownBytes: 100 * MiB,
    environment,
  });

describe("available memory", () => {
  test("is what the machine has free, or is built with where no file says more", () => {
    expect(seen({})).toEqual({ bytes: 8 * GiB, limit: "machine" });
    expect(availableMemory({ readText: () => undefined, machineBytes: 5 })).toEqual({
      bytes: 5,
      limit: "machine",
    });
    const here = availableMemory();
    expect(here.bytes).toBeGreaterThan(MiB);
  });

  test("is a control group's limit less what it holds, files in its cache not counted", () => {
    const group = "/sys/fs/cgroup/job";
    const files = {
      "/proc/self/cgroup": "0::/job\n",
      [`${group}/memory.max`]: `${4 * GiB}\n`,
      [`${group}/memory.current`]: `${GiB}\n`,
      [`${group}/memory.stat`]: `anon 5\nfile 9\ninactive_file ${100 * MiB}\nactive_file ${200 * MiB}\n`,
    };
    expect(seen(files)).toEqual({ bytes: 3 * GiB + 300 * MiB, limit: "control group" });
    expect(seen({ ...files, [`${group}/memory.high`]: `${2 * GiB}\n` }).bytes).toBe(GiB + 300 * MiB);
    expect(seen({ ...files, [`${group}/memory.max`]: "max\n" })).toEqual({
      bytes: 8 * GiB,
      limit: "machine",
    });
    // More than the limit, as after it was lowered.
    expect(seen({ ...files, [`${group}/memory.current`]: `${5 * GiB}\n` }).bytes).toBe(0);
  });

  test("counts the limits of the groups around it: a job of Slurm limits steps and tasks from above", () => {
    const job = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_7";
    expect(
      seen({
        "/proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n",
        [`${job}/memory.max`]: `${2 * GiB}\n`,
        [`${job}/memory.current`]: "0\n",
        [`${job}/step_0/user/task_0/memory.max`]: "max\n",
      }),
    ).toEqual({ bytes: 2 * GiB, limit: "control group" });
  });

  test("knows version 1, and a container's own group, whose path outside is not there inside", () => {
    const files = {
      "/proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${3 * GiB}\n`,
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${GiB}\n`,
      "/sys/fs/cgroup/memory/memory.stat": `active_file 0\ntotal_inactive_file ${MiB}\ntotal_active_file ${MiB}\n`,
    };
    expect(seen(files)).toEqual({ bytes: 2 * GiB + 2 * MiB, limit: "control group" });
    const unlimited = { ...files, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" };
    expect(seen(unlimited).limit).toBe("machine");
  });

  test("is what a job of Slurm asked for, less what this process has", () => {
    expect(seen({}, { SLURM_MEM_PER_NODE: "2048" })).toEqual({
      bytes: 2 * GiB - 100 * MiB,
      limit: "Slurm job",
    });
    expect(seen({}, { SLURM_MEM_PER_CPU: "512", SLURM_CPUS_ON_NODE: "4" }).bytes).toBe(2 * GiB - 100 * MiB);
    // --mem=0 is the whole machine.
    expect(seen({}, { SLURM_MEM_PER_NODE: "0" })).toEqual({ bytes: 8 * GiB, limit: "machine" });
    expect(seen({}, { SLURM_MEM_PER_NODE: "50" }).bytes).toBe(0);
  });
});
