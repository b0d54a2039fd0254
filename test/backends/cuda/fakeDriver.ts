/**
 * A driver that runs on the host and keeps a record: it holds bytes where a device would, runs kernels that are functions,
 * and throws where a real one would lose its state: at handles that were never given, already given back or another
 * device's, at memory out of bounds, at calls that a capture forbids, at work that waits for ever.
 */
import type {
  DeviceContext,
  DeviceFacts,
  DeviceMemory,
  Driver,
  Handle,
  LaunchShape,
} from "../../../src/backends/cuda/driver.js";
import { driverError } from "../../../src/backends/cuda/driverErrors.js";
import { FakeStream, type Graph, type Moment, type Order } from "./fakeStreams.js";

/** What a kernel does with its arguments; `at` gives the bytes from an address on. */
export type FakeKernel = (
  args: readonly bigint[],
  at: (address: bigint) => DataView,
  shape: LaunchShape,
) => void;

export interface FakeDriverOptions {
  /** By default 1. */
  readonly devices?: number;
  /** What a kernel of a module does; by default nothing. */
  readonly kernels?: (name: string, image: Uint8Array) => FakeKernel | undefined;
  readonly freeBytes?: number;
  /** Memory with its address; by default addresses that no kernel of machine code can use. */
  readonly memory?: (bytes: number) => { readonly bytes: Uint8Array; readonly address: bigint };
  /** Default "forwards". */
  readonly order?: Order;
  /** The result of a call, where it is not success: by the call's line in the record. */
  readonly failing?: (line: string) => keyof typeof results | undefined;
}

/** What the real driver says. */
const results = {
  outOfMemory: { code: 2, name: "CUDA_ERROR_OUT_OF_MEMORY", text: "out of memory" },
  invalidValue: { code: 1, name: "CUDA_ERROR_INVALID_VALUE", text: "invalid argument" },
  unavailable: {
    code: 46,
    name: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    text: "CUDA-capable device(s) is/are busy or unavailable",
  },
  illegalAddress: {
    code: 700,
    name: "CUDA_ERROR_ILLEGAL_ADDRESS",
    text: "an illegal memory access was encountered",
  },
  oldDriver: {
    code: 222,
    name: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
    text: "the provided PTX was compiled with an unsupported toolchain.",
  },
} as const;

export const fakeFacts: DeviceFacts = {
  ordinal: 0,
  name: "Test GPU",
  uuid: "GPU-00000000-0000-0000-0000-000000000000",
  capability: [9, 0],
  totalBytes: 8e9,
  multiprocessors: 132,
  mode: "default",
};

type Kind = "memory" | "stream" | "event" | "module" | "kernel" | "graph" | "executable";

/** What lies behind a handle. */
interface Held {
  readonly kind: Kind;
  readonly label: string;
  readonly device: number;
  /** Of memory; of a module, its image. */
  readonly bytes?: Uint8Array;
  readonly stream?: FakeStream;
  /** Of an event, when it was recorded last. */
  moment?: Moment;
  /** What a timer keeps. */
  keptMs?: number;
  readonly kernel?: FakeKernel | undefined;
  readonly graph?: Graph;
}

export class FakeDriver implements Driver {
  readonly version = 12_040;
  /** A line for each call. */
  readonly calls: string[] = [];
  /** The device whose context is the thread's. */
  current = -1;
  /** What the clocks of devices show: a kernel takes a millisecond. */
  nowMs = 0;
  readonly order: Order;
  private readonly live = new Map<Handle, Held>();
  private readonly counts = new Map<Kind, number>();
  /** Shares in the contexts of devices. */
  private readonly contexts: number[];
  private nextHandle = 1n << 40n;

  constructor(readonly options: FakeDriverOptions = {}) {
    this.order = options.order ?? "forwards";
    this.contexts = Array.from({ length: options.devices ?? 1 }, () => 0);
  }

  /** The record since the last look. */
  lines(): string {
    return this.calls.splice(0).join("\n");
  }

  /** Everything that was taken and not given back. */
  held(): string[] {
    return [
      ...[...this.live.values()].filter(({ kind }) => kind !== "kernel").map(({ label }) => label),
      ...this.contexts.flatMap((count, device) =>
        count > 0 ? [`${this.prefix(device)}context x ${count}`] : [],
      ),
    ];
  }

  deviceCount(): number {
    return this.contexts.length;
  }

  device(ordinal = 0): DeviceFacts {
    return { ...fakeFacts, ordinal };
  }

  reachesPeer(): boolean {
    return false;
  }

  open(ordinal: number): DeviceContext {
    this.note(ordinal, "cuDevicePrimaryCtxRetain", String(ordinal));
    this.contexts[ordinal]++;
    return new FakeContext(this, ordinal);
  }

  close(ordinal: number): void {
    this.note(ordinal, "cuDevicePrimaryCtxRelease", String(ordinal));
    if (this.contexts[ordinal]-- <= 0) throw new Error("a context was given back that nobody has");
  }

  /** Puts a call into the record, or fails. */
  note(device: number, call: string, text: string): void {
    const line = `${this.prefix(device)}${call} ${text}`.trim();
    this.calls.push(line);
    const failure = this.options.failing?.(line);
    if (failure) throw driverError(call, results[failure]);
  }

  take(taken: Omit<Held, "label"> & { readonly label?: string }, address?: Handle): Handle {
    const count = (this.counts.get(taken.kind) ?? 0) + 1;
    this.counts.set(taken.kind, count);
    const handle = address ?? this.nextHandle;
    this.nextHandle += BigInt(Math.ceil(((taken.bytes?.length ?? 0) + 1) / 4096) * 4096);
    this.live.set(handle, { ...taken, label: taken.label ?? `${taken.kind}${count}` });
    return handle;
  }

  give(handle: Handle): void {
    this.live.delete(handle);
  }

  get(device: number, kind: Kind, handle: Handle): Held {
    const found = this.live.get(handle);
    if (found?.kind !== kind) throw new Error(`${handle} is no ${kind}, or was given back`);
    if (found.device !== device)
      throw new Error(`${found.label} is of device ${found.device}, and device ${device} was told of it`);
    return found;
  }

  /** A stream, whoever calls: libraries know devices by other means. */
  stream(handle: Handle): { readonly label: string; readonly device: number; readonly stream: FakeStream } {
    const found = this.live.get(handle);
    if (!found?.stream) throw new Error(`${handle} is no stream, or was given back`);
    return { ...found, stream: found.stream };
  }

  outsideOfCapture(): void {
    if ([...this.live.values()].some(({ stream }) => stream?.isCapturing))
      throw new Error("a call that a capture forbids");
  }

  /** Where an address leads: "memory1+64". */
  place(device: number, address: bigint): string {
    const found = this.find(device, address);
    if (!found) throw new Error(`${address} lies in no memory of device ${device}`);
    return `${found.label}+${address - found.start}`;
  }

  find(
    device: number,
    address: bigint,
  ): { readonly start: bigint; readonly label: string; readonly bytes: Uint8Array } | undefined {
    for (const [start, { kind, label, bytes, device: own }] of this.live) {
      if (kind === "memory" && own === device && address >= start && address < start + BigInt(bytes!.length))
        return { start, label, bytes: bytes! };
    }
    return undefined;
  }

  bytesAt(device: number, address: bigint, count: number): Uint8Array {
    const found = this.find(device, address);
    const start = found && Number(address - found.start);
    if (!found || start! + count > found.bytes.length)
      throw new Error(`${address} + ${count} is out of bounds`);
    return found.bytes.subarray(start, start! + count);
  }

  private prefix(device: number): string {
    return this.contexts.length === 1 ? "" : `device${device}: `;
  }
}

class FakeContext implements DeviceContext {
  constructor(
    private readonly driver: FakeDriver,
    private readonly ordinal: number,
  ) {}

  within<T>(act: () => T): T {
    this.driver.current = this.ordinal;
    return act();
  }

  release(): void {
    this.driver.close(this.ordinal);
  }

  memory(): DeviceMemory {
    this.note("cuMemGetInfo", "");
    return { freeBytes: this.driver.options.freeBytes ?? 4e9, totalBytes: fakeFacts.totalBytes };
  }

  allocate(bytes: number): Handle {
    this.note("cuMemAlloc", `${bytes} bytes`);
    this.driver.outsideOfCapture();
    const { memory } = this.driver.options;
    const given = memory?.(bytes) ?? { bytes: new Uint8Array(bytes), address: undefined };
    return this.driver.take({ kind: "memory", device: this.ordinal, bytes: given.bytes }, given.address);
  }

  free(address: Handle): void {
    this.give("cuMemFree", "memory", address);
  }

  createStream(): Handle {
    this.note("cuStreamCreate", "");
    return this.take("stream", { stream: new FakeStream() });
  }

  destroyStream(stream: Handle): void {
    this.give("cuStreamDestroy", "stream", stream);
  }

  createEvent(): Handle {
    this.note("cuEventCreate", "");
    return this.take("event");
  }

  destroyEvent(event: Handle): void {
    this.give("cuEventDestroy", "event", event);
  }

  upload(address: Handle, values: Uint8Array, stream: Handle): void {
    const bytes = this.copied("cuMemcpyHtoDAsync", address, values.length, stream);
    bytes.set(values);
  }

  download(values: Uint8Array, address: Handle, stream: Handle): void {
    values.set(this.copied("cuMemcpyDtoHAsync", address, values.length, stream));
  }

  clear(address: Handle, bytes: number, stream: Handle): void {
    const held = this.get("stream", stream);
    this.note("cuMemsetD8Async", `${this.place(address)}, ${bytes} bytes, ${held.label}`);
    held.stream!.put({ run: () => this.driver.bytesAt(this.ordinal, address, bytes).fill(0) });
  }

  loadModule(image: Uint8Array): Handle {
    this.note("cuModuleLoadData", `${image.length} bytes`);
    return this.take("module", { bytes: image });
  }

  unloadModule(module: Handle): void {
    this.give("cuModuleUnload", "module", module);
  }

  kernel(module: Handle, name: string, sharedBytes: number): Handle {
    const shared = sharedBytes > 0 ? `, ${sharedBytes} bytes shared` : "";
    const { label, bytes } = this.get("module", module);
    this.note("cuModuleGetFunction", `${label}, ${name}${shared}`);
    return this.take("kernel", { label: name, kernel: this.driver.options.kernels?.(name, bytes!) });
  }

  launch(kernel: Handle, shape: LaunchShape, stream: Handle, args: readonly bigint[]): void {
    const { driver, ordinal } = this;
    const { label, kernel: run } = this.get("kernel", kernel);
    const places = args.map((value) => (driver.find(ordinal, value) ? this.place(value) : String(value)));
    const size = `${shape.grid} x ${shape.block}${shape.sharedBytes > 0 ? `, ${shape.sharedBytes} bytes shared` : ""}`;
    const held = this.get("stream", stream);
    this.note("cuLaunchKernel", `${label} ${size}, ${held.label}: ${places.join(", ")}`);
    const at = (address: bigint): DataView => {
      const { start, bytes } = driver.find(ordinal, address)!;
      return new DataView(bytes.buffer, bytes.byteOffset + Number(address - start));
    };
    held.stream!.put({
      run: () => {
        driver.nowMs++;
        run?.(args, at, shape);
      },
    });
  }

  beginCapture(stream: Handle): void {
    const [held] = this.noted("cuStreamBeginCapture", ["stream", stream]);
    held.stream!.begin();
  }

  endCapture(stream: Handle): Handle {
    const held = this.get("stream", stream);
    // It is at an end, even where the call fails.
    const graph = held.stream!.end();
    this.note("cuStreamEndCapture", held.label);
    return this.take("graph", { graph });
  }

  destroyGraph(graph: Handle): void {
    this.give("cuGraphDestroy", "graph", graph);
  }

  instantiate(graph: Handle): Handle {
    const [held] = this.noted("cuGraphInstantiate", ["graph", graph]);
    return this.take("executable", { graph: held.graph! });
  }

  destroyExecutableGraph(graph: Handle): void {
    this.give("cuGraphExecDestroy", "executable", graph);
  }

  launchGraph(graph: Handle, stream: Handle): void {
    const [executable, held] = this.noted("cuGraphLaunch", ["executable", graph], ["stream", stream]);
    this.driver.outsideOfCapture();
    held.stream!.launch(executable.graph!);
  }

  record(event: Handle, stream: Handle): void {
    const [own, held] = this.noted("cuEventRecord", ["event", event], ["stream", stream]);
    own.moment = held.stream!.moment();
  }

  waitFor(event: Handle): void {
    this.finish("cuEventSynchronize", event);
  }

  isReached(event: Handle): boolean {
    this.finish("cuEventQuery", event);
    return true;
  }

  holdUntil(stream: Handle, event: Handle): void {
    const [held, own] = this.noted("cuStreamWaitEvent", ["stream", stream], ["event", event]);
    if (!own.moment) throw new Error(`${own.label} was never recorded`);
    held.stream!.holdUntil(own.moment);
  }

  createTimer(): Handle {
    this.note("cuEventCreate", "with timing");
    return this.take("event");
  }

  mark(timer: Handle, stream: Handle): void {
    const [own, held] = this.noted("cuEventRecordWithFlags", ["event", timer], ["stream", stream]);
    if (!held.stream!.isCapturing) throw new Error("a mark outside of a capture");
    held.stream!.put({
      run: () => {
        own.keptMs = this.driver.nowMs;
      },
    });
  }

  elapsedMs(from: Handle, to: Handle): number {
    const [first, last] = this.noted("cuEventElapsedTime", ["event", from], ["event", to]);
    if (first.keptMs === undefined || last.keptMs === undefined)
      throw new Error("a timer that nothing passed");
    return last.keptMs - first.keptMs;
  }

  private finish(call: string, event: Handle): void {
    const [{ moment, label }] = this.noted(call, ["event", event]);
    this.driver.outsideOfCapture();
    if (!moment || moment.capture) throw new Error(`${label} was not recorded, or in a capture`);
    for (const work of moment.after) work.finish(this.driver.order);
  }

  private copied(call: string, address: Handle, count: number, stream: Handle): Uint8Array {
    const held = this.get("stream", stream);
    this.note(call, `${this.place(address)}, ${count} bytes, ${held.label}`);
    this.driver.outsideOfCapture();
    held.stream!.finish(this.driver.order);
    return this.driver.bytesAt(this.ordinal, address, count);
  }

  private note(call: string, text: string): void {
    this.driver.current = this.ordinal;
    this.driver.note(this.ordinal, call, text);
  }

  private noted(call: string, ...handles: readonly [Kind, Handle][]): Held[] {
    const held = handles.map(([kind, handle]) => this.get(kind, handle));
    this.note(call, held.map(({ label }) => label).join(", "));
    return held;
  }

  private take(kind: Kind, more: Omit<Partial<Held>, "kind" | "device"> = {}): Handle {
    return this.driver.take({ kind, device: this.ordinal, ...more });
  }

  private give(call: string, kind: Kind, handle: Handle): void {
    const { label } = this.get(kind, handle);
    if (kind !== "graph" && kind !== "executable") this.driver.outsideOfCapture();
    this.driver.give(handle);
    this.note(call, label);
  }

  private get(kind: Kind, handle: Handle): Held {
    return this.driver.get(this.ordinal, kind, handle);
  }

  private place(address: bigint): string {
    return this.driver.place(this.ordinal, address);
  }
}
