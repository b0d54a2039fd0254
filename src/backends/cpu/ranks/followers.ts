/** The threads of ranks 1 and up, as the leading rank sees them: it hands out work and waits for all of them. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type Failure, SlalomError } from "../../../base/errors.js";
import { controlInts, type FollowerStart, finishedAt, type ToFollower, turnAt } from "./messages.js";

export interface FollowersOptions extends Pick<FollowerStart, "gemm" | "searchPaths" | "features"> {
  /** Ranks in all, the leader among them. */
  readonly ranks: number;
  /** How long a rank may be late before it is taken for dead. */
  readonly patienceMs: number;
}

interface Follower {
  readonly rank: number;
  readonly worker: Worker;
  readonly port: MessagePort;
}

export class Followers {
  private readonly control: Int32Array;
  private members: readonly Follower[] = [];
  private sent = 0;
  private programs = 0;
  /** Why they can do nothing more. */
  private dead: SlalomError | undefined;

  constructor(private readonly options: FollowersOptions) {
    this.control = new Int32Array(new SharedArrayBuffer(4 * controlInts(options.ranks)));
  }

  /** A number for a program, by which they know it. */
  nextProgram(): number {
    return this.programs++;
  }

  /** Hands `message` to all; they begin at once. The first message starts them. */
  begin(message: ToFollower): void {
    if (this.dead) throw this.dead;
    if (this.members.length === 0) this.members = this.started();
    for (const { port } of this.members) port.postMessage(message);
    this.sent++;
    Atomics.add(this.control, turnAt, 1);
    Atomics.notify(this.control, turnAt);
  }

  /**
   * Waits until all have dealt with what was begun; throws the first failure among them.
   * @throws SlalomError "device" naming a rank that does not answer
   */
  end(): void {
    if (this.dead) throw this.dead;
    const failures: SlalomError[] = [];
    for (const { rank, port } of this.members) {
      this.await(rank);
      for (let sent = receiveMessageOnPort(port); sent; sent = receiveMessageOnPort(port)) {
        const { code, message } = sent.message as Failure;
        failures.push(new SlalomError(code, `rank ${rank}: ${message}`));
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async close(): Promise<void> {
    this.dead ??= new SlalomError("device", "ranks: the backend is closed; expected an open one.");
    await Promise.all(this.members.map(({ worker }) => worker.terminate()));
    for (const { port } of this.members) port.close();
  }

  /** The threads; they end with this one, and idle ones do not keep the process alive. */
  private started(): Follower[] {
    const { ranks, gemm, searchPaths, features } = this.options;
    return Array.from({ length: ranks - 1 }, (_, i): Follower => {
      const { port1, port2 } = new MessageChannel();
      const start: FollowerStart = { rank: i + 1, control: this.control, gemm, searchPaths, features };
      const worker = new Worker(followerUrl(), {
        workerData: { ...start, port: port2 },
        transferList: [port2],
      });
      worker.unref();
      port1.unref();
      return { rank: i + 1, worker, port: port1 };
    });
  }

  private await(rank: number): void {
    const at = finishedAt(rank);
    const { patienceMs } = this.options;
    for (let done = Atomics.load(this.control, at); done !== this.sent; ) {
      if (Atomics.wait(this.control, at, done, patienceMs) === "timed-out") {
        this.dead = new SlalomError(
          "device",
          `rank ${rank} has not answered for ${patienceMs / 1000} s: its thread ended or hangs. Start again, with fewer ranks if memory is short.`,
        );
        throw this.dead;
      }
      done = Atomics.load(this.control, at);
    }
  }
}

/** Tests run this file from its source; threads need what the compiler made of it. */
const followerUrl = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("../../../../dist/backends/cpu/ranks/follower.js", import.meta.url)
    : new URL("./follower.js", import.meta.url);
