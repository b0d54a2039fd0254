/** Sums over ranks as programs ask for them, whatever carries them: NCCL, or for tests a kernel of ours. */
import type { DType } from "../../base/dtype.js";
import type { SlalomError } from "../../base/errors.js";
import type { DeviceContext, Handle } from "./driver.js";

/** What one rank of this process has in a sum. */
export interface RankSum {
  readonly context: DeviceContext;
  /** Of the rank's device, beside the one that its kernels are in. */
  readonly stream: Handle;
  /** The same number of them, of the same lengths and types, at every rank. */
  readonly arrays: readonly SummedArray[];
}

export interface SummedArray {
  readonly address: Handle;
  readonly dtype: DType;
  readonly count: number;
}

export interface DeviceSums {
  /**
   * Puts the sums into the streams: each array becomes, in place, the sum of those at its number over all ranks.
   * Collective where other processes have ranks too.
   * @param ranks all of this process, in order
   */
  enqueue(ranks: readonly RankSum[]): void;
  /** @throws SlalomError "device" where what is under way will not arrive, or was given up */
  check(): void;
  /** Gives up what is under way, so that nobody waits for it for ever; `check` says why from then on. */
  abort(reason: SlalomError): void;
  /** Programs that sum are released before. */
  release(): void;
}
