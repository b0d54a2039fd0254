/**
 * Processes that train together are one Slalom with one command and the same libraries, or they would train something else
 * than one of them: each tells what it is as they meet, and who differs is named.
 */
import { createHash } from "node:crypto";
import { SlalomError } from "../base/errors.js";
import { nameOf } from "../collectives/communicator.js";
import { type Communicator, openCommunicator } from "../collectives/index.js";
import { gatherRecords } from "../collectives/records.js";
import { slalomVersion } from "../lab/index.js";
import type { BackendChoice } from "./backendChoice.js";
import type { World } from "./world.js";

/** What a process is, by what people call it. */
export type Traits = Readonly<Record<string, string>>;

/**
 * The communicator of the world, in which all are the same. Collective.
 * @returns undefined on ranks above 0 where they are not: rank 0 says so, and the world has ended
 * @throws SlalomError "device" on rank 0 where one differs
 */
export async function meet(
  choice: Pick<BackendChoice, "gemm" | "ranks">,
  { rank, environment, command }: World,
): Promise<Communicator | undefined> {
  const traits = await traitsOf(choice, command);
  const communicator = openCommunicator({ environment });
  const difference = differenceAmong(communicator, traits);
  if (difference === undefined) return communicator;
  communicator.close();
  if (rank > 0) return undefined;
  throw new SlalomError("device", difference);
}

async function traitsOf({ gemm, ranks = 1 }: Pick<BackendChoice, "gemm" | "ranks">, command: string) {
  const [{ selectGemm }, { detectFeatures }] = await Promise.all([
    import("../backends/cpu/gemm/index.js"),
    import("../backends/cpu/wasm/index.js"),
  ]);
  const { title, version } = selectGemm({ library: gemm }).library;
  return {
    Slalom: slalomVersion(),
    Node: process.version,
    command,
    "ranks of each process": `${ranks}`,
    "matrix products": [title, version].filter(Boolean).join(" "),
    "vector instructions": detectFeatures().relaxedSimd ? "relaxed SIMD" : "SIMD",
  };
}

/** Of each rank. All versions of Slalom tell as much. */
const bytesOfRank = 8192;

/** Who differs from rank 0, in what, and what to do; undefined where nobody does. Collective, and the same on all. */
export function differenceAmong(
  communicator: Pick<Communicator, "rank" | "size" | "members" | "allGather">,
  traits: Traits,
): string | undefined {
  const { size, members } = communicator;
  const own: Traits = Object.fromEntries(Object.entries(traits).map(([name, value]) => [name, short(value)]));
  const all = gatherRecords(communicator, own, bytesOfRank);
  const [first] = all;
  const differs = all.findIndex((one) => JSON.stringify(one) !== JSON.stringify(first));
  if (differs < 0) return undefined;
  const names = [...new Set([...Object.keys(first), ...Object.keys(all[differs])])];
  const found = names.flatMap((name) => {
    const [here, there] = [first, all[differs]].map((one) => one[name] ?? "unknown");
    return here === there ? [] : [`${name} ${here}, and ${there} there`];
  });
  return `${size} processes train together: ${nameOf(members[differs])} differs from ${nameOf(members[0])}, which has ${found.join("; ")}. Expected the same of all: start them by one command, of one installation that every machine sees.`;
}

/** As many characters as find room whatever they are; what is cut off still tells texts apart. */
const mostCharacters = 200;
const short = (text: string): string =>
  text.length <= mostCharacters
    ? text
    : `${text.slice(0, mostCharacters - 16)}... (${createHash("sha256").update(text).digest("hex").slice(0, 8)})`;
