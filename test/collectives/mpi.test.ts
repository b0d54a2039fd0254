/** MPI libraries by what they say, worlds that do not fit, and the words of a roll call. */
import { describe, expect, test } from "vitest";
import { mpiText } from "../../src/cli/doctor.js";
import { styleFor } from "../../src/cli/style.js";
import { openCommunicator } from "../../src/collectives/index.js";
import { findMpi, named, selectMpi } from "../../src/collectives/mpi/library.js";
import { mpirunOf } from "../../src/collectives/mpi/probe.js";
import { findings, type Whereabouts } from "../../src/collectives/mpi/rollCall.js";
import { worldMismatch } from "../../src/collectives/mpi/world.js";

describe("libraries", () => {
  test("are known by their own words", () => {
    expect(named("Open MPI v5.0.3, package: Debian OpenMPI, ident: 5.0.3, repo rev: v5.0.3")).toEqual({
      title: "Open MPI",
      version: "5.0.3",
    });
    expect(named("MPICH Version:\t4.0.2\nMPICH Release date:\tThu Apr  7")).toEqual({
      title: "MPICH",
      version: "4.0.2",
    });
    expect(named("Intel(R) MPI Library 2021.10 for Linux* OS\n")).toEqual({
      title: "Intel MPI",
      version: "2021.10",
    });
    expect(named("MVAPICH2 Version      :\t2.3.7")).toEqual({ title: "MVAPICH", version: "2.3.7" });
    expect(named("Somebody's MPI\nmore")).toEqual({ title: "Somebody's MPI", version: "" });
  });

  test("and mpirun too", () => {
    expect(mpirunOf("mpirun (Open MPI) 5.0.3\n")).toMatchObject({ version: "5.0.3", family: "openmpi" });
    expect(mpirunOf("mpirun.openmpi (OpenRTE) 4.1.4\n\nReport bugs")).toEqual({
      title: "Open MPI",
      version: "4.1.4",
      family: "openmpi",
    });
    expect(mpirunOf("HYDRA build details:\n    Version:      4.0.2\n    Release")).toEqual({
      title: "MPICH",
      version: "4.0.2",
      family: "mpich",
    });
    expect(mpirunOf("another 1.0")).toEqual({ title: "another 1.0", version: "" });
  });

  test("that are absent or broken are told with what was tried and what to install", () => {
    const none = () => selectMpi({ path: "libnowhere.so" });
    expect(none).toThrow(
      /^MPI: no library loads here; expected Open MPI or MPICH\. Looked for:\n {2}libnowhere\.so: /,
    );
    expect(none).toThrow(/Install the one that your mpirun is of: .* install /);
    const libm = process.platform === "linux" ? "libm.so.6" : "/usr/lib/libSystem.B.dylib";
    expect(() => selectMpi({ path: libm, prefer: "mpich" })).toThrow(/MPI_Get_library_version.*mpich/s);
  });

  test("each is found once, the preferred family first", () => {
    for (const prefer of ["openmpi", "mpich"] as const) {
      const { libraries } = findMpi({ prefer });
      const names = libraries.map(({ title, version }) => `${title} ${version}`);
      expect(new Set(names).size).toBe(names.length);
      const families = libraries.map(({ abi }) => abi.family);
      if (families.includes(prefer)) expect(families[0]).toBe(prefer);
    }
  });
});

describe("a world that launcher and library see differently", () => {
  const openMpi = {
    title: "Open MPI",
    version: "4.1.4",
    path: "libmpi.so.40",
    abi: { family: "openmpi" },
  } as const;
  const launched = {
    launcher: "mpich",
    title: "MPICH's mpirun",
    rank: 1,
    size: 4,
    from: "PMI_RANK=1, PMI_SIZE=4",
  } as const;
  const alone = { rank: 0, size: 1 };

  test("is explained", () => {
    expect(worldMismatch({ rank: 1, size: 4 }, launched, openMpi)).toBeUndefined();
    expect(worldMismatch(alone, undefined, openMpi)).toBeUndefined();
    expect(worldMismatch(alone, launched, openMpi)).toMatch(
      /^MPI: MPICH's mpirun started this process as rank 1 of 4 \(PMI_RANK=1, PMI_SIZE=4\), but Open MPI 4\.1\.4 \(libmpi\.so\.40\) sees rank 0 of 1: each process would be a world of its own, .* Start with the mpirun of Open MPI .*mpich/,
    );
  });

  test("has the remedy of its launcher", () => {
    expect(worldMismatch(alone, { ...launched, launcher: "slurm" }, openMpi)).toMatch(/srun --mpi=pmix/);
    expect(worldMismatch(alone, { ...launched, launcher: "openmpi" }, openMpi)).toMatch(
      /Its mpirun is of another installation/,
    );
    expect(worldMismatch({ rank: 1, size: 2 }, launched, openMpi)).toMatch(
      /sees rank 1 of 2; expected the same/,
    );
    const { size: _unsaid, ...without } = { ...launched, launcher: "pmix" as const, from: "PMIX_RANK=1" };
    expect(worldMismatch({ rank: 1, size: 2 }, without, openMpi)).toBeUndefined();
    expect(worldMismatch(alone, without, openMpi)).toMatch(/as rank 1 \(PMIX_RANK=1\), but/);
  });
});

test("a world that srun started without a way to meet is told how to start it", () => {
  const environment = { SLURM_STEP_ID: "0", SLURM_PROCID: "1", SLURM_STEP_NUM_TASKS: "4" };
  expect(() => openCommunicator({ environment })).toThrow(
    /^MPI: srun started this process as rank 1 of 4 \(SLURM_PROCID=1, SLURM_STEP_NUM_TASKS=4\) and told it no way to meet the others; expected PMIx, for Open MPI, or PMI-2, for MPICH\. Start with srun --mpi=pmix or srun --mpi=pmi2/,
  );
});

describe("a roll call", () => {
  const members = [0, 1, 2].map((rank) => ({ rank, node: `n${rank}`, processId: 100 + rank }));
  const here: Whereabouts = {
    communicator: 0,
    call: "allReduce",
    number: 17,
    length: 1000,
    waitedMs: 60_000,
  };
  const told = (present: readonly (readonly [number, Whereabouts])[], awaited = [0, 1, 2]): string =>
    findings({ here, present: new Map(present), awaited, members });

  test("names who does not answer", () => {
    expect(
      told([
        [0, here],
        [1, here],
      ]),
    ).toBe(
      "rank 2 (process 102 on node n2) does not answer; rank 0 (process 100 on node n0), rank 1 (process 101 on node n1) have waited at allReduce of 1000 numbers (call 17 of the world) for 60 s. It ended, hangs or is too slow: look at its output and at its machine.",
    );
    expect(told([[0, here]])).toMatch(/^rank 1 .*, rank 2 .* do not answer; rank 0 .* has waited at/);
    expect(told([[0, here]], [0, 1])).toMatch(/^rank 1 \(process 101 on node n1\) does not answer/);
  });

  test("names who is at another call", () => {
    expect(
      told([
        [0, here],
        [1, { ...here, call: "barrier", length: 0 }],
        [2, here],
      ]),
    ).toMatch(
      /different calls: this one at allReduce .* for 60 s, but rank 1 \(process 101 on node n1\) waits at barrier \(call 17 of the world\)\. Every rank/,
    );
    expect(
      told([
        [0, here],
        [1, here],
        [2, { ...here, communicator: 2 }],
      ]),
    ).toMatch(/rank 2 .* waits at allReduce of 1000 numbers \(call 17 of communicator 2\)/);
  });

  test("names who came last where all are there", () => {
    expect(
      told([
        [0, here],
        [1, { ...here, waitedMs: 1500 }],
        [2, here],
      ]),
    ).toMatch(/the last to come was rank 1 \(process 101 on node n1\), 58\.5 s after this one.*patienceMs/);
  });
});

describe("the doctor", () => {
  const style = styleFor(false);
  const library = { title: "MPICH", version: "4.0.2", path: "libmpich.so.12", family: "mpich" } as const;

  test("names libraries, whether they work, and whose mpirun there is", () => {
    const mpirun = { title: "Open MPI", version: "4.1.4", family: "openmpi" } as const;
    expect(mpiText({ libraries: [library], rejections: [], mpirun }, { style })).toBe(
      [
        "MPI, for ranks that are processes",
        "library      state  from",
        "MPICH 4.0.2  works  libmpich.so.12",
        "mpirun is of Open MPI 4.1.4, whose library was not found",
      ].join("\n"),
    );
    const broken = { ...library, problem: "it ended a trial process by SIGILL" };
    expect(mpiText({ libraries: [broken], rejections: [] }, { style })).toMatch(
      /not usable: it ended a trial process by SIGILL +libmpich.*\nthere is no mpirun$/s,
    );
    expect(mpiText({ libraries: [], rejections: [] }, { style })).toMatch(/: none found\n.* install /);
  });
});
