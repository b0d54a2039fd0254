/** The backends that `slalom scale` measures on: one for each number of ranks, as far as there are cores or GPUs for them. */
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import type { BackendChoice } from "../launch/backendChoice.js";
import { describeBackend, makeBackend } from "../launch/backends.js";
import { coreCount } from "../launch/threads.js";
import type { World } from "../launch/world.js";

/**
 * Ranks of each process.
 * @throws SlalomError "device" for more threads than cores, "option" for what the processes of a world can't be
 */
export function ranksOfEach(
  ranks: readonly number[],
  { backend }: Pick<BackendChoice, "backend">,
  world: World | undefined,
): number {
  const most = Math.max(...ranks);
  const processes = world?.size ?? 1;
  if (world && ranks.some((count) => count !== 1 && (count !== most || count % processes !== 0))) {
    throw new SlalomError(
      "option",
      `--ranks ${ranks.join(",")} in ${processes} processes; expected one number that is a multiple of ${processes}, which is held against 1. Measure other numbers with another mpirun.`,
    );
  }
  const each = Math.max(1, most / processes);
  if (backend === "cpu" && each > coreCount()) {
    throw new SlalomError(
      "device",
      `${most} ranks were asked for, and this machine gives ${coreCount()} core${coreCount() === 1 ? "" : "s"}; expected at most one a core: ranks that wait for a core measure the waiting.`,
    );
  }
  return each;
}

/** A backend for each number of ranks. Of several processes the same one serves till the end: they meet once. */
export class Backends {
  private readonly made = new Map<number, Promise<Backend>>();

  /** @param each ranks of a process */
  constructor(
    private readonly choice: BackendChoice,
    private readonly each: number,
    private readonly world: World | undefined,
  ) {}

  /**
   * Looks whether there can be one of so many, before anything is measured.
   * @throws SlalomError as it would when it is made
   */
  async check(ranks: number): Promise<void> {
    await describeBackend(this.choiceFor(ranks));
  }

  async of(ranks: number): Promise<Backend> {
    const made = this.made.get(ranks) ?? makeBackend(this.choiceFor(ranks));
    this.made.set(ranks, made);
    const { close: _ours, ...backend } = await made;
    return backend;
  }

  async close(): Promise<void> {
    // Other processes wait to be told, also where nothing was measured.
    if (this.world) await this.of(this.world.size * this.each);
    for (const made of this.made.values()) await (await made).close?.();
  }

  private choiceFor(ranks: number): BackendChoice {
    const { choice, each, world } = this;
    if (world && ranks > 1) return { ...choice, ranks: each, world };
    const { devices, ...rest } = choice;
    // Of GPUs that were named the first ones; of all of them too.
    const some = devices === undefined || devices === "all" ? {} : { devices: devices.slice(0, ranks) };
    return { ...rest, ...some, ranks };
  }
}
