/**
 * A driver that runs on the host and keeps a record: it holds bytes where a device would, runs kernels that are functions,
 * and throws where a real one would lose its state: at handles that were never given or already given back, at memory out
 * of bounds, at calls that a capture forbids.
 */
import type {
  DeviceFacts,
  DeviceMemory,
  Driver,
  Handle,
  LaunchShape,
} from "../../../src/backends/cuda/driver.js";
import { driverError } from "../../../src/backends/cuda/driverErrors.js";

/** What a kernel does with its arguments; `at` gives the bytes from an address on. */
export type FakeKernel = (args: readonly bigint[], at: (address: bigint) => DataView) => void;

export interface FakeDriverOptions {
  readonly kernels?: Readonly<Record<string, FakeKernel>>;
  readonly freeBytes?: number;
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
  capability: [9, 0],
  totalBytes: 8e9,
  multiprocessors: 132,
  mode: "default",
};

type Kind = "memory" | "stream" | "event" | "module" | "kernel" | "graph" | "executable";

interface Block {
  readonly kind: Kind;
  readonly label: string;
  readonly bytes: Uint8Array;
  readonly work: (() => void)[];
}

const block = (kind: Kind, label: string, bytes = 0): Block => ({
  kind,
  label,
  bytes: new Uint8Array(bytes),
  work: [],
});

export class FakeDriver implements Driver {
  readonly version = 12_040;
  /** A line for each call. */
  readonly calls: string[] = [];
  private readonly live = new Map<Handle, Block>();
  private readonly counts = new Map<Kind, number>();
  private contexts = 0;
  private nextHandle = 1n << 40n;
  /** What a capture collects. */
  private captured: (() => void)[] | undefined;

  constructor(private readonly options: FakeDriverOptions = {}) {}

  /** The record since the last look. */
  lines(): string {
    return this.calls.splice(0).join("\n");
  }

  /** Everything that was taken and not given back. */
  held(): string[] {
    return [
      ...[...this.live.values()].filter(({ kind }) => kind !== "kernel").map(({ label }) => label),
      ...(this.contexts > 0 ? [`context x ${this.contexts}`] : []),
    ];
  }

  deviceCount(): number {
    return 1;
  }

  device(): DeviceFacts {
    return fakeFacts;
  }

  reachesPeer(): boolean {
    return false;
  }

  retainContext(ordinal: number): void {
    this.note("cuDevicePrimaryCtxRetain", String(ordinal));
    this.contexts++;
  }

  releaseContext(ordinal: number): void {
    this.note("cuDevicePrimaryCtxRelease", String(ordinal));
    if (this.contexts-- <= 0) throw new Error("a context was given back that nobody has");
  }

  memory(): DeviceMemory {
    this.note("cuMemGetInfo", "");
    return { freeBytes: this.options.freeBytes ?? 4e9, totalBytes: fakeFacts.totalBytes };
  }

  allocate(bytes: number): Handle {
    this.note("cuMemAlloc", `${bytes} bytes`);
    this.outsideOfCapture();
    return this.take(block("memory", "", bytes));
  }

  free(address: Handle): void {
    this.give("cuMemFree", "memory", address);
  }

  createStream(): Handle {
    this.note("cuStreamCreate", "");
    return this.take(block("stream", ""));
  }

  destroyStream(stream: Handle): void {
    this.give("cuStreamDestroy", "stream", stream);
  }

  createEvent(): Handle {
    this.note("cuEventCreate", "");
    return this.take(block("event", ""));
  }

  destroyEvent(event: Handle): void {
    this.give("cuEventDestroy", "event", event);
  }

  upload(address: Handle, values: Uint8Array, stream: Handle): void {
    this.note(
      "cuMemcpyHtoDAsync",
      `${this.place(address)}, ${values.length} bytes, ${this.get("stream", stream).label}`,
    );
    this.outsideOfCapture();
    this.bytesAt(address, values.length).set(values);
  }

  download(values: Uint8Array, address: Handle, stream: Handle): void {
    this.note(
      "cuMemcpyDtoHAsync",
      `${this.place(address)}, ${values.length} bytes, ${this.get("stream", stream).label}`,
    );
    this.outsideOfCapture();
    values.set(this.bytesAt(address, values.length));
  }

  clear(address: Handle, bytes: number, stream: Handle): void {
    this.note(
      "cuMemsetD8Async",
      `${this.place(address)}, ${bytes} bytes, ${this.get("stream", stream).label}`,
    );
    this.put(() => this.bytesAt(address, bytes).fill(0));
  }

  loadModule(image: Uint8Array): Handle {
    this.note("cuModuleLoadData", `${image.length} bytes`);
    return this.take(block("module", ""));
  }

  unloadModule(module: Handle): void {
    this.give("cuModuleUnload", "module", module);
  }

  kernel(module: Handle, name: string, sharedBytes: number): Handle {
    const shared = sharedBytes > 0 ? `, ${sharedBytes} bytes shared` : "";
    this.note("cuModuleGetFunction", `${this.get("module", module).label}, ${name}${shared}`);
    return this.take(block("kernel", name));
  }

  launch(kernel: Handle, shape: LaunchShape, stream: Handle, args: readonly bigint[]): void {
    const { label } = this.get("kernel", kernel);
    const places = args.map((value) => (this.find(value) ? this.place(value) : String(value))).join(", ");
    const size = `${shape.grid} x ${shape.block}${shape.sharedBytes > 0 ? `, ${shape.sharedBytes} bytes shared` : ""}`;
    this.note("cuLaunchKernel", `${label} ${size}, ${this.get("stream", stream).label}: ${places}`);
    const run = this.options.kernels?.[label];
    this.put(() => {
      run?.(args, (address) => {
        const [start, { bytes }] = this.find(address)!;
        return new DataView(bytes.buffer, Number(address - start));
      });
    });
  }

  beginCapture(stream: Handle): void {
    this.noteHandles("cuStreamBeginCapture", ["stream", stream]);
    if (this.captured) throw new Error("a capture within a capture");
    this.captured = [];
  }

  endCapture(stream: Handle): Handle {
    this.noteHandles("cuStreamEndCapture", ["stream", stream]);
    if (!this.captured) throw new Error("no capture to end");
    const graph = block("graph", "");
    graph.work.push(...this.captured);
    this.captured = undefined;
    return this.take(graph);
  }

  destroyGraph(graph: Handle): void {
    this.give("cuGraphDestroy", "graph", graph);
  }

  instantiate(graph: Handle): Handle {
    this.noteHandles("cuGraphInstantiate", ["graph", graph]);
    const executable = block("executable", "");
    executable.work.push(...this.get("graph", graph).work);
    return this.take(executable);
  }

  destroyExecutableGraph(graph: Handle): void {
    this.give("cuGraphExecDestroy", "executable", graph);
  }

  launchGraph(graph: Handle, stream: Handle): void {
    this.noteHandles("cuGraphLaunch", ["executable", graph], ["stream", stream]);
    this.outsideOfCapture();
    for (const run of this.get("executable", graph).work) run();
  }

  waitFor(event: Handle): void {
    this.noteHandles("cuEventSynchronize", ["event", event]);
    this.outsideOfCapture();
  }

  record(event: Handle, stream: Handle): void {
    this.noteHandles("cuEventRecord", ["event", event], ["stream", stream]);
  }

  private note(call: string, text: string): void {
    const line = `${call} ${text}`.trim();
    this.calls.push(line);
    const failure = this.options.failing?.(line);
    if (failure) throw driverError(call, results[failure]);
  }

  private noteHandles(call: string, ...handles: readonly [Kind, Handle][]): void {
    this.note(call, handles.map(([kind, handle]) => this.get(kind, handle).label).join(", "));
  }

  private put(run: () => void): void {
    if (this.captured) this.captured.push(run);
    else run();
  }

  private outsideOfCapture(): void {
    if (this.captured) throw new Error("a call that a capture forbids");
  }

  private take(taken: Block): Handle {
    const count = (this.counts.get(taken.kind) ?? 0) + 1;
    this.counts.set(taken.kind, count);
    const handle = this.nextHandle;
    this.nextHandle += BigInt(Math.ceil((taken.bytes.length + 1) / 4096) * 4096);
    this.live.set(handle, taken.label === "" ? { ...taken, label: `${taken.kind}${count}` } : taken);
    return handle;
  }

  private get(kind: Kind, handle: Handle): Block {
    const found = this.live.get(handle);
    if (found?.kind === kind) return found;
    throw new Error(`${handle} is no ${kind}, or was given back`);
  }

  private give(call: string, kind: Kind, handle: Handle): void {
    const { label } = this.get(kind, handle);
    if (kind !== "graph" && kind !== "executable") this.outsideOfCapture();
    this.live.delete(handle);
    this.note(call, label);
  }

  private find(address: bigint): [start: bigint, block: Block] | undefined {
    return [...this.live].find(
      ([start, { kind, bytes }]) =>
        kind === "memory" && address >= start && address < start + BigInt(bytes.length),
    );
  }

  private place(address: bigint): string {
    const found = this.find(address);
    if (!found) throw new Error(`${address} lies in no memory`);
    return `${found[1].label}+${address - found[0]}`;
  }

  private bytesAt(address: bigint, count: number): Uint8Array {
    const found = this.find(address);
    const start = found && Number(address - found[0]);
    if (!found || start! + count > found[1].bytes.length)
      throw new Error(`${address} + ${count} is out of bounds`);
    return found[1].bytes.subarray(start, start! + count);
  }
}
