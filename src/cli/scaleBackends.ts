/** The backends that `slalom scale` measures on: one for each number of ranks, as far as this machine has cores for them. */
import { SlalomError } from "../base/errors.js";
import type { Backend } from "../compile/backend.js";
import { type BackendChoice, makeBackend } from "../launch/backendChoice.js";
import { coreCount } from "../launch/threads.js";
import type { World } from "../launch/world.js";

/**
 * Threads of each process.
 * @throws SlalomError "device" for more ranks than cores, "option" for what the processes of a world can't be
 */
export function threadsOf(ranks: readonly number[], world: World | undefined): number {
  const most = Math.max(...ranks);
  const processes = world?.size ?? 1;
  if (world && ranks.some((count) => count !== 1 && (count !== most || count % processes !== 0))) {
    throw new SlalomError(
      "option",
      `--ranks ${ranks.join(",")} in ${processes} processes; expected one number that is a multiple of ${processes}, which is held against 1. Measure other numbers with another mpirun.`,
    );
  }
  const threads = Math.max(1, most / processes);
  if (threads > coreCount()) {
    throw new SlalomError(
      "device",
      `${most} ranks were asked for, and this machine gives ${coreCount()} core${coreCount() === 1 ? "" : "s"}; expected at most one a core: ranks that wait for a core measure the waiting.`,
    );
  }
  return threads;
}

/** A backend for each number of ranks. Of several processes the same one serves till the end: they meet once. */
export class Backends {
  private readonly made = new Map<number, Promise<Backend>>();

  constructor(
    private readonly choice: BackendChoice,
    private readonly threads: number,
    private readonly world: World | undefined,
  ) {}

  async of(ranks: number): Promise<Backend> {
    const { choice, threads, world } = this;
    const known = this.made.get(ranks);
    const made =
      known ??
      (world && ranks > 1
        ? makeBackend({ ...choice, ranks: threads, world })
        : makeBackend({ ...choice, ranks }));
    this.made.set(ranks, made);
    const { close: _ours, ...backend } = await made;
    return backend;
  }

  async close(): Promise<void> {
    // Other processes wait to be told, also where nothing was measured.
    if (this.world) await this.of(this.world.size * this.threads);
    for (const made of this.made.values()) await (await made).close?.();
  }
}
