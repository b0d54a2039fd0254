/** A device's primary context. */
import type { DeviceContext, DeviceMemory, Handle, LaunchShape } from "./driver.js";
import type { DriverCall, DriverCalls } from "./driverCalls.js";

/** Enumerators of the C interface. */
const maximumDynamicSharedBytes = 8;
/** Work of other streams, the legacy one included, is not waited for. */
const nonBlocking = 1;
/** A waiting thread sleeps; no times are taken. */
const blockingWithoutTiming = 1 | 2;
const blocking = 1;
/** Captured, it is a part of the graph and not a place in the capture. */
const externalRecord = 1;
/** Other threads, and libraries that load their kernels meanwhile, may do anything. */
const relaxedCapture = 2;
/** CUDA_ERROR_NOT_READY. */
const notReady = 600;

/** Dynamic shared memory that a kernel has without asking. */
const freeSharedBytes = 48 * 1024;
const mostArguments = 16;

export class NativeContext implements DeviceContext {
  private readonly context: Handle;
  /** The arguments of launches. */
  private readonly args: BigUint64Array;
  private readonly parametersAt: bigint;
  private readonly staging: Uint8Array;
  private readonly stagingAt: bigint;

  /** @throws SlalomError "device" where the device can't be had */
  constructor(
    private readonly calls: DriverCalls,
    private readonly device: number,
  ) {
    const { memory } = calls;
    const args = memory.bytes(8 * mostArguments);
    this.args = new BigUint64Array(args.buffer);
    this.parametersAt = memory.words(Array.from(this.args, (_, i) => args.address + BigInt(8 * i)));
    const staging = memory.bytes(stagingBytes);
    this.staging = new Uint8Array(staging.buffer);
    this.stagingAt = staging.address;
    this.context = calls.made("cuDevicePrimaryCtxRetain", device);
  }

  within<T>(act: () => T): T {
    this.enter();
    return act();
  }

  release(): void {
    this.calls.call("cuDevicePrimaryCtxRelease", this.device);
  }

  memory(): DeviceMemory {
    this.call("cuMemGetInfo", this.calls.resultAt, this.calls.resultAt + 8n);
    return { freeBytes: Number(this.calls.result[0]), totalBytes: Number(this.calls.result[1]) };
  }

  allocate(bytes: number): Handle {
    return this.made("cuMemAlloc", bytes);
  }

  free(address: Handle): void {
    this.call("cuMemFree", address);
  }

  createStream(): Handle {
    return this.made("cuStreamCreate", nonBlocking);
  }

  destroyStream(stream: Handle): void {
    this.call("cuStreamDestroy", stream);
  }

  createEvent(): Handle {
    return this.made("cuEventCreate", blockingWithoutTiming);
  }

  destroyEvent(event: Handle): void {
    this.call("cuEventDestroy", event);
  }

  record(event: Handle, stream: Handle): void {
    this.call("cuEventRecord", event, stream);
  }

  waitFor(event: Handle): void {
    this.call("cuEventSynchronize", event);
  }

  isReached(event: Handle): boolean {
    this.enter();
    const code = this.calls.code("cuEventQuery", event);
    if (code !== 0 && code !== notReady) throw this.calls.error("cuEventQuery", code);
    return code === 0;
  }

  holdUntil(stream: Handle, event: Handle): void {
    this.call("cuStreamWaitEvent", stream, event, 0);
  }

  createTimer(): Handle {
    return this.made("cuEventCreate", blocking);
  }

  mark(timer: Handle, stream: Handle): void {
    this.call("cuEventRecordWithFlags", timer, stream, externalRecord);
  }

  elapsedMs(from: Handle, to: Handle): number {
    this.call("cuEventElapsedTime", this.calls.resultAt, from, to);
    return new Float32Array(this.calls.result.buffer)[0];
  }

  upload(address: Handle, values: Uint8Array, stream: Handle): void {
    const { bytes, at } = this.standing(values);
    if (bytes !== values) bytes.set(values);
    this.call("cuMemcpyHtoDAsync", address, at, values.byteLength, stream);
    this.call("cuStreamSynchronize", stream);
  }

  download(values: Uint8Array, address: Handle, stream: Handle): void {
    const { bytes, at } = this.standing(values);
    this.call("cuMemcpyDtoHAsync", at, address, values.byteLength, stream);
    this.call("cuStreamSynchronize", stream);
    if (bytes !== values) values.set(bytes);
  }

  clear(address: Handle, bytes: number, stream: Handle): void {
    this.call("cuMemsetD8Async", address, 0, bytes, stream);
  }

  loadModule(image: Uint8Array): Handle {
    return this.made("cuModuleLoadData", this.calls.library.addressOfBytes(image));
  }

  unloadModule(module: Handle): void {
    this.call("cuModuleUnload", module);
  }

  kernel(module: Handle, name: string, sharedBytes: number): Handle {
    const kernel = this.made("cuModuleGetFunction", module, name);
    if (sharedBytes > freeSharedBytes)
      this.call("cuFuncSetAttribute", kernel, maximumDynamicSharedBytes, sharedBytes);
    return kernel;
  }

  launch(
    kernel: Handle,
    { grid, block, sharedBytes }: LaunchShape,
    stream: Handle,
    args: readonly bigint[],
  ): void {
    // The driver reads them before it returns.
    this.args.set(args);
    this.call("cuLaunchKernel", kernel, grid, 1, 1, block, 1, 1, sharedBytes, stream, this.parametersAt, 0);
  }

  beginCapture(stream: Handle): void {
    this.call("cuStreamBeginCapture", stream, relaxedCapture);
  }

  endCapture(stream: Handle): Handle {
    this.calls.result[0] = 0n;
    this.call("cuStreamEndCapture", stream, this.calls.resultAt);
    return this.calls.result[0];
  }

  destroyGraph(graph: Handle): void {
    this.call("cuGraphDestroy", graph);
  }

  instantiate(graph: Handle): Handle {
    return this.made("cuGraphInstantiateWithFlags", graph, 0);
  }

  destroyExecutableGraph(graph: Handle): void {
    this.call("cuGraphExecDestroy", graph);
  }

  launchGraph(graph: Handle, stream: Handle): void {
    this.call("cuGraphLaunch", graph, stream);
  }

  private enter(): void {
    this.calls.call("cuCtxSetCurrent", this.context);
  }

  private call(name: DriverCall, ...args: (number | bigint | string)[]): void {
    this.enter();
    this.calls.call(name, ...args);
  }

  private made(name: DriverCall, ...args: (number | bigint | string)[]): Handle {
    this.enter();
    return this.calls.made(name, ...args);
  }

  /** Bytes that do not move between two calls: the values themselves, or for few of them a place of our own. */
  private standing(values: Uint8Array): { bytes: Uint8Array; at: bigint } {
    if (values.byteLength > stagingBytes)
      return { bytes: values, at: this.calls.library.addressOfBytes(values) };
    return { bytes: this.staging.subarray(0, values.byteLength), at: this.stagingAt };
  }
}

const stagingBytes = 4096;
