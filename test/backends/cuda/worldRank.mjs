/**
 * One process of a world on the cuda backend: node worldRank.mjs FOLDER, started by mpirun. Its device is a fake, and its
 * sums over processes are MPI's; leading and following are the real things. What rank 0 trained, and what each process did
 * and still held at its end, is left in FOLDER/found-RANK.json.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { createJiti } from "jiti";

const [folder] = process.argv.slice(2);
const jiti = createJiti(import.meta.url);
const { openCommunicator } = await jiti.import("../../../src/collectives/index.ts");
const { cudaBackendOn } = await jiti.import("../../../src/backends/cuda/backend.ts");
const { followLeader } = await jiti.import("../../../src/processes/follow.ts");
const { Processes } = await jiti.import("../../../src/processes/leader.ts");
const { FakeDriver, fakeFacts } = await jiti.import("./fakeDriver.ts");
const { emit, kernelsOf, summing } = await jiti.import("./summing.ts");

const world = openCommunicator({ environment: env });
const { rank, size } = world;
const driver = new FakeDriver({ devices: 1, kernels: kernelsOf });

/** Work in a stream, as NCCL's is. */
const byMpi = {
  enqueue: ([{ stream, arrays }]) => {
    for (const { address, count } of arrays)
      driver.stream(stream).stream.put({
        run: () => {
          const bytes = driver.bytesAt(0, address, 4 * count);
          world.allReduce(new Float32Array(bytes.buffer, bytes.byteOffset, count));
        },
      });
  },
  check: () => {},
  abort: () => {},
  release: () => {},
};

const backend = cudaBackendOn({
  description: "cuda (Test GPU)",
  driver,
  devices: [{ facts: fakeFacts, compile: (source) => new TextEncoder().encode(source) }],
  emit,
  ranks: {
    ofDevice: 1,
    process: rank,
    processes: size,
    communicator: world,
    ...(rank === 0 && { others: new Processes(world) }),
    openSums: () => byMpi,
  },
});

const found = {};
if (rank === 0) {
  const program = backend.compile({ ...summing, ranks: size });
  program.write("x", [1, 10, 100]);
  program.run("step", 2, { timed: true });
  Object.assign(found, {
    ranks: backend.ranks,
    x: [...program.read("x")],
    trace: [...program.trace("step", "x")],
    times: program.times().step,
  });
  program.release();
} else followLeader(world, backend.load);
await backend.close();
const launches = driver.calls.filter((line) => line.includes("cuGraphLaunch")).length;
const uploads = driver.calls.filter((line) => line.includes("cuMemcpyHtoDAsync")).length;
writeFileSync(
  join(folder, `found-${rank}.json`),
  JSON.stringify({ ...found, launches, uploads, held: driver.held() }),
);
