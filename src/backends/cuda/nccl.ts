/** Sums over GPUs by NCCL: those that this process drives, and those of other processes. */
import { type DType, isFloat } from "../../base/dtype.js";
import { invariant, SlalomError } from "../../base/errors.js";
import type { Communicator } from "../../collectives/index.js";
import { NativeMemory } from "../../native/memory.js";
import { type Bound, bind } from "./bind.js";
import type { CudaDevice } from "./device.js";
import type { Handle } from "./driver.js";
import { Handles } from "./handles.js";
import type { FoundLibrary } from "./libraries.js";
import type { DeviceSums, RankSum } from "./sums.js";

export const ncclPrototypes = {
  ncclGetErrorString: "str ncclGetErrorString(int result)",
  ncclGetUniqueId: "int ncclGetUniqueId(uint64 id)",
  ncclCommInitRank: "int ncclCommInitRank(uint64 communicator, int size, ncclUniqueId id, int rank)",
  ncclCommGetAsyncError: "int ncclCommGetAsyncError(uint64 communicator, uint64 result)",
  ncclCommAbort: "int ncclCommAbort(uint64 communicator)",
  ncclCommDestroy: "int ncclCommDestroy(uint64 communicator)",
  ncclGroupStart: "int ncclGroupStart()",
  ncclGroupEnd: "int ncclGroupEnd()",
  ncclAllReduce:
    "int ncclAllReduce(uint64 from, uint64 to, size_t count, int type, int operation, uint64 communicator, uint64 stream)",
} as const;

type Call = keyof typeof ncclPrototypes;

/** Enumerators of the C interface. */
const types: Readonly<Partial<Record<DType, number>>> = { float32: 7, float64: 8 };
const sum = 0;
const remoteError = 6;
const inProgress = 7;

/** `ncclUniqueId`, a structure that is passed by its value. */
const idBytes = 128;

export interface NcclOptions {
  readonly library: FoundLibrary;
  /** The device of each rank of this process. */
  readonly devices: readonly CudaDevice[];
  /** Of the processes that train together, each with as many ranks; absent: this one is alone. */
  readonly communicator?: Pick<Communicator, "rank" | "size" | "broadcast">;
}

/**
 * Makes the ranks known to each other. Collective over the processes.
 * @throws SlalomError "library" for an NCCL that is too old, "device" where it can't connect the devices
 */
export function openNccl(options: NcclOptions): DeviceSums {
  return new NcclSums(options);
}

class NcclSums implements DeviceSums {
  private readonly functions: Bound<typeof ncclPrototypes>;
  private readonly handles = new Handles();
  /** One for each rank of this process. */
  private readonly communicators: readonly Handle[];
  /** A result, or a handle, that a call writes. */
  private readonly written: { readonly buffer: ArrayBuffer; readonly address: bigint };
  private reason: SlalomError | undefined;

  constructor(private readonly options: NcclOptions) {
    const { native, title } = options.library;
    native.structure("ncclUniqueId", idBytes);
    this.functions = bind(native, title, ncclPrototypes);
    const memory = new NativeMemory(native);
    this.written = memory.bytes(8);
    this.communicators = this.handles.orReleased(() => this.connect(memory));
  }

  enqueue(ranks: readonly RankSum[]): void {
    this.check();
    this.inGroup(() => {
      for (const [rank, { context, stream, arrays }] of ranks.entries()) {
        context.within(() => {
          for (const { address, dtype, count } of arrays) {
            invariant(isFloat(dtype), "ranks sum numbers with a fraction");
            this.call(
              "ncclAllReduce",
              ...[address, address, count, types[dtype]!, sum, this.communicators[rank], stream],
            );
          }
        });
      }
    });
  }

  check(): void {
    if (this.reason !== undefined) throw this.reason;
    const result = new Int32Array(this.written.buffer);
    for (const [i, communicator] of this.communicators.entries()) {
      this.call("ncclCommGetAsyncError", communicator, this.written.address);
      if (result[0] !== 0 && result[0] !== inProgress) throw this.error(this.rankName(i), result[0]);
    }
  }

  abort(reason: SlalomError): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    // What can't be told any more is not told: the reason says more.
    for (const [i, communicator] of this.communicators.entries())
      this.options.devices[i].context.within(() => this.functions.ncclCommAbort(communicator));
  }

  release(): void {
    if (this.reason === undefined) this.handles.release();
  }

  private connect(memory: NativeMemory): Handle[] {
    const { devices, communicator } = this.options;
    const [process, size] = communicator ? [communicator.rank, communicator.size] : [0, 1];
    const id = memory.bytes(idBytes);
    if (process === 0) this.call("ncclGetUniqueId", id.address);
    const bytes = new Uint8Array(id.buffer);
    communicator?.broadcast(bytes);
    const places = devices.map(() => memory.bytes(8));
    this.inGroup(() => {
      for (const [i, { context }] of devices.entries()) {
        const rank = process * devices.length + i;
        const all = size * devices.length;
        context.within(() => this.call("ncclCommInitRank", places[i].address, all, { bytes }, rank));
      }
    });
    return places.map(({ buffer }, i) =>
      this.handles.own(new BigUint64Array(buffer)[0], (handle) =>
        devices[i].context.within(() => this.call("ncclCommDestroy", handle)),
      ),
    );
  }

  /** Calls that NCCL takes as one: a thread that waited in one for another would wait for ever. */
  private inGroup(act: () => void): void {
    this.call("ncclGroupStart");
    try {
      act();
    } catch (error) {
      this.functions.ncclGroupEnd();
      throw error;
    }
    this.call("ncclGroupEnd");
  }

  private rankName(i: number): string {
    const { devices, communicator } = this.options;
    const { ordinal, name } = devices[i].facts;
    return `rank ${(communicator?.rank ?? 0) * devices.length + i} on device ${ordinal} (${name})`;
  }

  private call(name: Call, ...args: (number | bigint | object)[]): void {
    const code = Number(this.functions[name](...args));
    if (code !== 0) throw this.error(name, code);
  }

  private error(what: string, code: number): SlalomError {
    const { path, title } = this.options.library;
    const text = String(this.functions.ncclGetErrorString(code)).replace(/\.$/, "");
    return new SlalomError(
      "device",
      `${title} at ${path}: ${what} failed with ${text} (${code}). ${remedies[code] ?? "A bug in Slalom: please report it"}.`,
    );
  }
}

const shown =
  "Set NCCL_DEBUG=WARN to be told why; it may be the driver, the links between the GPUs (`slalom doctor` shows them), or too little shared memory (--shm-size of a container)";

const remedies: Readonly<Record<number, string>> = {
  1: shown,
  2: shown,
  3: "Set NCCL_DEBUG=WARN to be told why. A bug in Slalom or in NCCL: please report it",
  [remoteError]:
    "A GPU of another process is lost, or its process ended: what that said is the cause. Interrupted studies go on from their checkpoints",
};
