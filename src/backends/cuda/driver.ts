/**
 * What the backend asks of CUDA's driver. Every call that fails throws a SlalomError "device" that names the call, the
 * driver's error and what to do.
 */

/** An address of the device's memory, or a handle of the driver: numbers, as it gives them. */
export type Handle = bigint;

export interface DeviceFacts {
  readonly ordinal: number;
  readonly name: string;
  /** The device's own, the same for every process of the machine: "GPU-", and 32 digits. */
  readonly uuid: string;
  /** Compute capability, such as [9, 0]. */
  readonly capability: readonly [major: number, minor: number];
  readonly totalBytes: number;
  readonly multiprocessors: number;
  /** Who may use it: everyone, nobody, or one process at a time. */
  readonly mode: "default" | "prohibited" | "exclusive";
}

export interface DeviceMemory {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export interface LaunchShape {
  readonly grid: number;
  readonly block: number;
  /** Dynamic shared memory of a block. */
  readonly sharedBytes: number;
}

export interface Driver {
  /** The newest CUDA that it runs, such as 12040 for 12.4. */
  readonly version: number;
  deviceCount(): number;
  device(ordinal: number): DeviceFacts;
  /** Whether `from` reads and writes the memory of `to` without the host. */
  reachesPeer(from: number, to: number): boolean;
  /** Takes a share in the device's primary context. */
  open(ordinal: number): DeviceContext;
}

/**
 * A device as programs use it. Each call is made under its context, whichever the thread had before, so devices may take
 * turns. Handles are of the device that gave them.
 */
export interface DeviceContext {
  /** Runs `act` under the context: what it calls of a library is of this device. */
  within<T>(act: () => T): T;
  /** Gives the share back. */
  release(): void;
  memory(): DeviceMemory;
  allocate(bytes: number): Handle;
  free(address: Handle): void;

  createStream(): Handle;
  destroyStream(stream: Handle): void;
  /** Something to wait for without keeping a core busy. */
  createEvent(): Handle;
  destroyEvent(event: Handle): void;
  record(event: Handle, stream: Handle): void;
  waitFor(event: Handle): void;
  /** Whether all is done that was in the stream when the event was recorded; does not wait. */
  isReached(event: Handle): boolean;
  /** What is put into the stream from here on waits for the event, as it is recorded now. */
  holdUntil(stream: Handle, event: Handle): void;

  /** An event for `mark`, given back as others are. */
  createTimer(): Handle;
  /** In a capture: the timer keeps when the graph came by last. */
  mark(timer: Handle, stream: Handle): void;
  /** Between what two timers keep, of work that is done. */
  elapsedMs(from: Handle, to: Handle): number;

  /** Copies in the order of the stream, and returns when `values` may change. */
  upload(address: Handle, values: Uint8Array, stream: Handle): void;
  /** Waits for the stream's work and fills `values` with what is then at the address. */
  download(values: Uint8Array, address: Handle, stream: Handle): void;
  /** Zeros in the order of the stream. */
  clear(address: Handle, bytes: number, stream: Handle): void;

  /** Loads machine code, or PTX, which the driver compiles. */
  loadModule(image: Uint8Array): Handle;
  unloadModule(module: Handle): void;
  /** A function of the module, allowed that much dynamic shared memory. */
  kernel(module: Handle, name: string, sharedBytes: number): Handle;
  /** Arguments of 64 bits each. */
  launch(kernel: Handle, shape: LaunchShape, stream: Handle, args: readonly bigint[]): void;

  /**
   * What is put into the stream from here on becomes a graph instead of being run; so does what is put into a stream that
   * is held until an event of this one, until this one is held until an event of that.
   */
  beginCapture(stream: Handle): void;
  endCapture(stream: Handle): Handle;
  destroyGraph(graph: Handle): void;
  instantiate(graph: Handle): Handle;
  destroyExecutableGraph(graph: Handle): void;
  launchGraph(graph: Handle, stream: Handle): void;
}

/** "12.4" of 12040. */
export const cudaVersion = (version: number): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
