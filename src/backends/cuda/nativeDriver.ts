/** The driver through its C interface, libcuda; of the versions from 11.4 on. */
import type { NativeFunction, NativeLibrary } from "../../native/library.js";
import { NativeMemory } from "../../native/memory.js";
import { bind } from "./bind.js";
import type { DeviceFacts, DeviceMemory, Driver, Handle, LaunchShape } from "./driver.js";
import { driverError } from "./driverErrors.js";

export const driverPrototypes = {
  cuInit: "int cuInit(uint flags)",
  cuDriverGetVersion: "int cuDriverGetVersion(uint64 version)",
  cuGetErrorName: "int cuGetErrorName(int error, uint64 text)",
  cuGetErrorString: "int cuGetErrorString(int error, uint64 text)",
  cuDeviceGetCount: "int cuDeviceGetCount(uint64 count)",
  cuDeviceGet: "int cuDeviceGet(uint64 device, int ordinal)",
  cuDeviceGetName: "int cuDeviceGetName(uint64 name, int length, int device)",
  cuDeviceTotalMem: "int cuDeviceTotalMem_v2(uint64 bytes, int device)",
  cuDeviceGetAttribute: "int cuDeviceGetAttribute(uint64 value, int attribute, int device)",
  cuDeviceCanAccessPeer: "int cuDeviceCanAccessPeer(uint64 can, int device, int peer)",
  cuDevicePrimaryCtxRetain: "int cuDevicePrimaryCtxRetain(uint64 context, int device)",
  cuDevicePrimaryCtxRelease: "int cuDevicePrimaryCtxRelease_v2(int device)",
  cuCtxSetCurrent: "int cuCtxSetCurrent(uint64 context)",
  cuMemGetInfo: "int cuMemGetInfo_v2(uint64 free, uint64 total)",
  cuMemAlloc: "int cuMemAlloc_v2(uint64 address, size_t bytes)",
  cuMemFree: "int cuMemFree_v2(uint64 address)",
  cuMemcpyHtoDAsync: "int cuMemcpyHtoDAsync_v2(uint64 to, uint64 from, size_t bytes, uint64 stream)",
  cuMemcpyDtoHAsync: "int cuMemcpyDtoHAsync_v2(uint64 to, uint64 from, size_t bytes, uint64 stream)",
  cuMemsetD8Async: "int cuMemsetD8Async(uint64 address, uchar value, size_t bytes, uint64 stream)",
  cuStreamCreate: "int cuStreamCreate(uint64 stream, uint flags)",
  cuStreamDestroy: "int cuStreamDestroy_v2(uint64 stream)",
  cuStreamSynchronize: "int cuStreamSynchronize(uint64 stream)",
  cuEventCreate: "int cuEventCreate(uint64 event, uint flags)",
  cuEventDestroy: "int cuEventDestroy_v2(uint64 event)",
  cuEventRecord: "int cuEventRecord(uint64 event, uint64 stream)",
  cuEventSynchronize: "int cuEventSynchronize(uint64 event)",
  cuModuleLoadData: "int cuModuleLoadData(uint64 module, uint64 image)",
  cuModuleUnload: "int cuModuleUnload(uint64 module)",
  cuModuleGetFunction: "int cuModuleGetFunction(uint64 kernel, uint64 module, str name)",
  cuFuncSetAttribute: "int cuFuncSetAttribute(uint64 kernel, int attribute, int value)",
  cuLaunchKernel:
    "int cuLaunchKernel(uint64 kernel, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, uint64 stream, uint64 parameters, uint64 extra)",
  cuStreamBeginCapture: "int cuStreamBeginCapture_v2(uint64 stream, int mode)",
  cuStreamEndCapture: "int cuStreamEndCapture(uint64 stream, uint64 graph)",
  cuGraphDestroy: "int cuGraphDestroy(uint64 graph)",
  cuGraphInstantiateWithFlags:
    "int cuGraphInstantiateWithFlags(uint64 executable, uint64 graph, uint64 flags)",
  cuGraphExecDestroy: "int cuGraphExecDestroy(uint64 executable)",
  cuGraphLaunch: "int cuGraphLaunch(uint64 executable, uint64 stream)",
} as const;

type Call = keyof typeof driverPrototypes;

/** Enumerators of the C interface. */
const attributes = {
  multiprocessors: 16,
  computeMode: 20,
  capabilityMajor: 75,
  capabilityMinor: 76,
} as const;
const modes = ["default", "exclusive", "prohibited", "exclusive"] as const;
const maximumDynamicSharedBytes = 8;
/** Work of other streams, the legacy one included, is not waited for. */
const nonBlocking = 1;
/** A waiting thread sleeps; no times are taken. */
const blockingWithoutTiming = 1 | 2;
/** Other threads, and libraries that load their kernels meanwhile, may do anything. */
const relaxedCapture = 2;

/** Dynamic shared memory that a kernel has without asking. */
const freeSharedBytes = 48 * 1024;
const mostArguments = 16;

/**
 * Starts the driver.
 * @throws SlalomError "device" where it finds no device or can't serve it, "library" for one that is too old
 */
export function openDriver(library: NativeLibrary): Driver {
  return new NativeDriver(library);
}

class NativeDriver implements Driver {
  readonly version: number;
  private readonly functions: { readonly [C in Call]: NativeFunction };
  /** Two words that calls write to, and the arguments of launches. */
  private readonly result: BigUint64Array;
  private readonly resultAt: bigint;
  private readonly args: BigUint64Array;
  private readonly parametersAt: bigint;
  private readonly staging: Uint8Array;
  private readonly stagingAt: bigint;

  constructor(private readonly library: NativeLibrary) {
    this.functions = bind(library, "The NVIDIA driver", driverPrototypes);
    const memory = new NativeMemory(library);
    const result = memory.bytes(256);
    this.result = new BigUint64Array(result.buffer);
    this.resultAt = result.address;
    const args = memory.bytes(8 * mostArguments);
    this.args = new BigUint64Array(args.buffer);
    this.parametersAt = memory.words(Array.from(this.args, (_, i) => args.address + BigInt(8 * i)));
    const staging = memory.bytes(stagingBytes);
    this.staging = new Uint8Array(staging.buffer);
    this.stagingAt = staging.address;
    this.call("cuInit", 0);
    this.call("cuDriverGetVersion", this.resultAt);
    this.version = this.integer();
  }

  deviceCount(): number {
    this.call("cuDeviceGetCount", this.resultAt);
    return this.integer();
  }

  device(ordinal: number): DeviceFacts {
    const device = this.deviceOf(ordinal);
    this.result.fill(0n);
    this.call("cuDeviceGetName", this.resultAt, this.result.byteLength, device);
    const name = new TextDecoder().decode(new Uint8Array(this.result.buffer)).split("\0")[0];
    this.call("cuDeviceTotalMem", this.resultAt, device);
    const totalBytes = Number(this.result[0]);
    const attribute = (number: number): number => {
      this.call("cuDeviceGetAttribute", this.resultAt, number, device);
      return this.integer();
    };
    return {
      ordinal,
      name,
      capability: [attribute(attributes.capabilityMajor), attribute(attributes.capabilityMinor)],
      totalBytes,
      multiprocessors: attribute(attributes.multiprocessors),
      mode: modes[attribute(attributes.computeMode)] ?? "default",
    };
  }

  reachesPeer(from: number, to: number): boolean {
    const [device, peer] = [this.deviceOf(from), this.deviceOf(to)];
    this.call("cuDeviceCanAccessPeer", this.resultAt, device, peer);
    return this.integer() !== 0;
  }

  retainContext(ordinal: number): void {
    const device = this.deviceOf(ordinal);
    const context = this.made("cuDevicePrimaryCtxRetain", device);
    this.call("cuCtxSetCurrent", context);
  }

  releaseContext(ordinal: number): void {
    this.call("cuDevicePrimaryCtxRelease", this.deviceOf(ordinal));
  }

  memory(): DeviceMemory {
    this.call("cuMemGetInfo", this.resultAt, this.resultAt + 8n);
    return { freeBytes: Number(this.result[0]), totalBytes: Number(this.result[1]) };
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
    return this.made("cuModuleLoadData", this.library.addressOfBytes(image));
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
    this.result[0] = 0n;
    this.call("cuStreamEndCapture", stream, this.resultAt);
    return this.result[0];
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

  private deviceOf(ordinal: number): number {
    this.call("cuDeviceGet", this.resultAt, ordinal);
    return this.integer();
  }

  /** Calls a function whose first parameter receives a new handle. */
  private made(name: Call, ...args: (number | bigint | string)[]): Handle {
    this.result[0] = 0n;
    this.call(name, this.resultAt, ...args);
    return this.result[0];
  }

  /** What a call wrote as a 32-bit integer. */
  private integer(): number {
    return Number(BigInt.asIntN(32, this.result[0]));
  }

  private call(name: Call, ...args: (number | bigint | string)[]): void {
    const code = Number(this.functions[name](...args));
    if (code === 0) return;
    const [errorName, text] = (["cuGetErrorName", "cuGetErrorString"] as const).map((describe) => {
      const known = this.functions[describe](code, this.resultAt) === 0;
      return known ? this.library.readText(this.result[0]) : undefined;
    });
    throw driverError(name, {
      code,
      name: errorName ?? "an error",
      text: text ?? "the driver does not say what it is",
    });
  }

  /** Bytes that do not move between two calls: the values themselves, or for few of them a place of our own. */
  private standing(values: Uint8Array): { bytes: Uint8Array; at: bigint } {
    if (values.byteLength > stagingBytes) return { bytes: values, at: this.library.addressOfBytes(values) };
    return { bytes: this.staging.subarray(0, values.byteLength), at: this.stagingAt };
  }
}

const stagingBytes = 4096;
