/**
 * Processes that train together are one Slalom with one command and the same libraries, or they would train something else
 * than one of them: each tells what it is as they meet, and who differs, or can't go on, is named.
 */
import { createHash } from "node:crypto";
import { type Failure, SlalomError } from "../base/errors.js";
import { nameOf } from "../collectives/communicator.js";
import { type Communicator, openCommunicator } from "../collectives/index.js";
import { failureAmong, gatherRecords, toldFailure } from "../collectives/records.js";
import type { World } from "./world.js";

/** What a process is, by what people call it. */
export type Traits = Readonly<Record<string, string>>;

/** What a process says of itself as it meets the others, and what it takes for its own of what they told. */
export interface Introduction<T> {
  readonly traits: Traits;
  readonly own: T;
}

export interface Met<T> {
  readonly communicator: Communicator;
  readonly own: T;
}

/**
 * The communicator of the world, in which all are the same. Collective.
 * @param introduce collective too: where it throws the others are told why
 * @returns undefined on ranks above 0 where they are not: rank 0 says so, and the world has ended
 * @throws SlalomError "device" on rank 0 where one differs, or the error of the first that could not introduce itself
 */
export async function meet<T>(
  { rank, environment }: World,
  introduce: (communicator: Communicator) => Promise<Introduction<T>>,
): Promise<Met<T> | undefined> {
  const communicator = openCommunicator({ environment });
  const introduction = await introduce(communicator).catch((error: unknown) => ({ error }));
  const objection = objectionAmong(communicator, introduction);
  if ("own" in introduction && objection === undefined) return { communicator, own: introduction.own };
  communicator.close();
  if (rank > 0) return undefined;
  throw objection;
}

interface Told {
  readonly traits?: Traits;
  readonly problem?: Failure;
}

/**
 * Who could not introduce itself, or differs from rank 0, in what, the library of the communicator among it, and what to
 * do; undefined where all are the same. Collective, and the same on all.
 */
export function objectionAmong(
  communicator: Pick<Communicator, "rank" | "size" | "members" | "allGather" | "library">,
  introduction: { readonly traits: Traits } | { readonly error: unknown },
): SlalomError | undefined {
  const { size, members, library } = communicator;
  const all = gatherRecords(communicator, toldOf(introduction, library));
  const failure = failureAmong(
    communicator,
    all.map(({ problem }) => problem),
  );
  if (failure !== undefined) return failure;
  const traits = all.map((one) => one.traits ?? {});
  const [first] = traits;
  const differs = traits.findIndex((one) => JSON.stringify(one) !== JSON.stringify(first));
  if (differs < 0) return undefined;
  const names = [...new Set([...Object.keys(first), ...Object.keys(traits[differs])])];
  const found = names.flatMap((name) => {
    const [here, there] = [first, traits[differs]].map((one) => one[name] ?? "unknown");
    return here === there ? [] : [`${name} ${here}, and ${there} there`];
  });
  return new SlalomError(
    "device",
    `${size} processes train together: ${nameOf(members[differs])} differs from ${nameOf(members[0])}, which has ${found.join("; ")}. Expected the same of all: start them by one command, of one installation that every machine sees.`,
  );
}

function toldOf(
  introduction: { readonly traits: Traits } | { readonly error: unknown },
  library: string | undefined,
): Told {
  if ("error" in introduction) return { problem: toldFailure(introduction.error) };
  const traits = { ...introduction.traits, ...(library !== undefined && { "messages by": library }) };
  return {
    traits: Object.fromEntries(Object.entries(traits).map(([name, value]) => [name, short(value)])),
  };
}

/** As many characters as find room whatever they are; what is cut off still tells texts apart. */
const mostCharacters = 200;
const short = (text: string): string =>
  text.length <= mostCharacters
    ? text
    : `${text.slice(0, mostCharacters - 16)}... (${createHash("sha256").update(text).digest("hex").slice(0, 8)})`;
