/**
 * The calls of MPI that ranks need, with errors thrown. What the library reads or writes between calls (requests,
 * messages on their way) lies in arrays that this class or its caller keeps alive.
 */
import { SlalomError } from "../../base/errors.js";
import type { NativeFunction } from "../../native/library.js";
import { type Abi, type Handle, statusBytes, textBytes, threadMultiple } from "./abi.js";
import type { MpiLibrary } from "./library.js";

/** Numbers that are sent, received or added. */
export interface Span {
  /** Of the first byte. */
  readonly address: number;
  readonly count: number;
  readonly type: Handle;
}

/** Whom a message is from or to. */
export interface Envelope {
  readonly communicator: Handle;
  readonly peer: number;
  readonly tag: number;
}

export class Mpi {
  readonly abi: Abi;
  private readonly functions = new Map<string, NativeFunction>();
  /** Two words, a status, a handle and a text, each at an address of its own. */
  private readonly words = new Int32Array(32);
  private readonly handles = new BigUint64Array(16);
  private readonly status = new Uint8Array(statusBytes + 64);
  private readonly text = new Uint8Array(textBytes);
  private readonly wordsAt: number;
  private readonly handlesAt: number;
  private readonly statusAt: number;

  constructor(readonly library: MpiLibrary) {
    this.abi = library.abi;
    this.wordsAt = this.addressOf(this.words);
    this.handlesAt = this.addressOf(this.handles);
    this.statusAt = this.addressOf(this.status);
  }

  addressOf(array: ArrayBufferView): number {
    return Number(this.library.native.addressOfBytes(array));
  }

  /** Whether any thread of this process has started MPI. */
  isInitialized(): boolean {
    this.call("MPI_Initialized", "uint64", this.wordsAt);
    return this.words[0] !== 0;
  }

  isFinalized(): boolean {
    this.call("MPI_Finalized", "uint64", this.wordsAt);
    return this.words[0] !== 0;
  }

  /** Returns once the other ranks have called it as well. */
  initialize(): void {
    this.call("MPI_Init_thread", "uint64, uint64, int, uint64", 0, 0, threadMultiple, this.wordsAt);
    // MPICH asks the world's handler about requests of any communicator.
    this.returnErrors(this.abi.world);
  }

  finalize(): void {
    this.call("MPI_Finalize", "");
  }

  /** Ends the processes of all ranks, this one too. */
  abort(exitCode: number): void {
    this.call("MPI_Abort", "handle, int", this.abi.world, exitCode);
  }

  rankOf(communicator: Handle): number {
    this.call("MPI_Comm_rank", "handle, uint64", communicator, this.wordsAt);
    return this.words[0];
  }

  sizeOf(communicator: Handle): number {
    this.call("MPI_Comm_size", "handle, uint64", communicator, this.wordsAt);
    return this.words[0];
  }

  /** A communicator of the same ranks, whose messages meet no others, and whose errors are returned. */
  duplicate(communicator: Handle): Handle {
    return this.made("MPI_Comm_dup", "handle, uint64", communicator);
  }

  /** Ranks of one colour, in order of theirs here. */
  split(communicator: Handle, colour: number): Handle {
    const key = this.rankOf(communicator);
    return this.made("MPI_Comm_split", "handle, int, int, uint64", communicator, colour, key);
  }

  /** Ranks that can share memory, in order of theirs here. */
  splitByNode(communicator: Handle): Handle {
    const key = this.rankOf(communicator);
    const { sharedMemory, noInfo } = this.abi;
    const types = "handle, int, int, handle, uint64";
    return this.made("MPI_Comm_split_type", types, communicator, sharedMemory, key, noInfo);
  }

  free(communicator: Handle): void {
    this.store(communicator);
    this.call("MPI_Comm_free", "uint64", this.handlesAt);
  }

  /** Begins to send; `request` is the address of eight bytes that name the transfer. */
  send({ address, count, type }: Span, { communicator, peer, tag }: Envelope, request: number): void {
    const types = "uint64, int, handle, int, int, handle, uint64";
    this.call("MPI_Isend", types, address, count, type, peer, tag, communicator, request);
  }

  /** Begins to receive. */
  receive({ address, count, type }: Span, { communicator, peer, tag }: Envelope, request: number): void {
    const types = "uint64, int, handle, int, int, handle, uint64";
    this.call("MPI_Irecv", types, address, count, type, peer, tag, communicator, request);
  }

  /** Whether a transfer is done; it moves all that are on their way. */
  isDone(request: number): boolean {
    this.call("MPI_Test", "uint64, uint64, uint64", request, this.wordsAt, this.statusAt);
    return this.words[0] !== 0;
  }

  /** How many numbers the transfer brought that was last found to be done. */
  receivedCount(type: Handle): number {
    this.call("MPI_Get_count", "uint64, handle, uint64", this.statusAt, type, this.wordsAt);
    return this.words[0];
  }

  /** Receives a message from whichever rank, if one has come. */
  receiveIfAny({ address, count, type }: Span, communicator: Handle, tag: number): boolean {
    const { anySource } = this.abi;
    const probe = "int, int, handle, uint64, uint64";
    this.call("MPI_Iprobe", probe, anySource, tag, communicator, this.wordsAt, this.statusAt);
    if (this.words[0] === 0) return false;
    const types = "uint64, int, handle, int, int, handle, uint64";
    this.call("MPI_Recv", types, address, count, type, anySource, tag, communicator, this.statusAt);
    return true;
  }

  /** Adds the numbers at `from` to those at `into`. */
  add(from: number, { address, count, type }: Span): void {
    const types = "uint64, uint64, int, handle, handle";
    this.call("MPI_Reduce_local", types, from, address, count, type, this.abi.sum);
  }

  private made(name: string, types: string, ...args: Handle[]): Handle {
    this.call(name, types, ...args, this.handlesAt);
    const made = this.stored();
    this.returnErrors(made);
    return made;
  }

  private returnErrors(communicator: Handle): void {
    this.call("MPI_Comm_set_errhandler", "handle, handle", communicator, this.abi.errorsReturn);
  }

  private store(handle: Handle): void {
    if (this.abi.handle === "int") new Int32Array(this.handles.buffer)[0] = Number(handle);
    else this.handles[0] = BigInt(handle);
  }

  private stored(): Handle {
    return this.abi.handle === "int" ? new Int32Array(this.handles.buffer)[0] : this.handles[0];
  }

  /** @param types of the arguments; "handle" as this library passes them */
  private call(name: string, types: string, ...args: Handle[]): void {
    let bound = this.functions.get(name);
    if (bound === undefined) {
      bound = this.library.native.func(`int ${name}(${types.replaceAll("handle", this.abi.handle)})`);
      this.functions.set(name, bound);
    }
    const code = bound(...args) as number;
    if (code !== 0) throw this.errorOf(name, code);
  }

  private errorOf(name: string, code: number): SlalomError {
    const { title, version } = this.library;
    const describe = this.library.native.func("int MPI_Error_string(int code, uint64 text, uint64 length)");
    const described = describe(code, this.addressOf(this.text), this.wordsAt) === 0;
    const text = described ? new TextDecoder().decode(this.text.subarray(0, this.words[0])) : `error ${code}`;
    return new SlalomError("library", `${name} of ${title} ${version} failed: ${text.trim()}`);
  }
}
