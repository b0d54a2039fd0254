/** Which plugin of srun starts processes for which MPI library. */
import { expect, test } from "vitest";
import { pluginFor, pluginsIn } from "../../../src/launch/slurm/processes.js";

const listed = `MPI plugin types are...
	cray_shasta
	none
	pmi2
	pmix
specific pmix plugin versions available: pmix_v3,pmix_v4
`;

test("plugins are read as srun lists them, in its older words too", () => {
  expect(pluginsIn(listed)).toEqual(["cray_shasta", "none", "pmi2", "pmix", "pmix_v3", "pmix_v4"]);
  expect(pluginsIn("srun: MPI types are...\nsrun: none\nsrun: pmi2\n")).toEqual(["none", "pmi2"]);
});

test("the plugin is the one that the library joins by, that of the preferred library first", () => {
  expect(pluginFor(pluginsIn(listed), ["openmpi", "mpich"])).toBe("pmix");
  expect(pluginFor(pluginsIn(listed), ["mpich", "openmpi"])).toBe("pmi2");
  expect(pluginFor(["none", "pmi2"], ["openmpi", "mpich"])).toBe("pmi2");
});

test("a cluster without any says what it has and what is missing", () => {
  expect(() => pluginFor(["none", "pmi2"], ["openmpi"])).toThrow(
    "srun --mpi=list: received none, pmi2; expected pmix for Open MPI. Ask who runs the cluster for it, or name another that your MPI library understands: --mpi.",
  );
  expect(() => pluginFor([], ["openmpi", "mpich"])).toThrow(
    /received nothing; expected pmix for Open MPI or pmi2 for MPICH\./,
  );
});
