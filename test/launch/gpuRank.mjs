/**
 * One process of a world on fake GPUs: node gpuRank.mjs FOLDER CASES, started by mpirun. A case has what was asked for, and
 * for each rank the identities of the GPUs that it sees, or null where it has no driver. What the process introduces itself
 * with in each of them, and what there is to object, is left in FOLDER/found-RANK.json.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { createJiti } from "jiti";

const [folder, cases] = process.argv.slice(2);
const jiti = createJiti(import.meta.url);
const { openCommunicator } = await jiti.import("../../src/collectives/index.ts");
const { introduce } = await jiti.import("../../src/launch/cuda.ts");
const { objectionAmong } = await jiti.import("../../src/launch/agreement.ts");
const { fakeLibcuda, fakeNccl, fakeNvrtc, filesWith } = await jiti.import("../backends/cuda/fakeCuda.ts");

const world = openCommunicator({ environment: env });

const filesFor = (seen) => {
  const kind = { name: "Fake GPU", capability: [9, 0], totalBytes: 1e9, freeBytes: 1e9 };
  const driver = seen ? [fakeLibcuda({ gpus: seen.map((identity) => ({ ...kind, identity })) })] : [];
  return filesWith([...driver, fakeNvrtc("libnvrtc.so.12"), fakeNccl("libnccl.so.2")]);
};

const found = [];
for (const { choice, seen } of JSON.parse(cases)) {
  const files = filesFor(seen[world.rank]);
  const introduction = await introduce(world, choice, { command: "run it.ts" }, { files }).catch((error) => ({
    error,
  }));
  const objection = objectionAmong(world, introduction);
  found.push({
    devices: introduction.own,
    traits: introduction.traits,
    objection: objection && { code: objection.code, message: objection.message },
  });
}
writeFileSync(join(folder, `found-${world.rank}.json`), JSON.stringify(found));
world.close();
