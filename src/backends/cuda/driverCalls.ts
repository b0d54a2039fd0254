/** The driver's C interface, libcuda, of the versions from 11.4 on: its functions, and what they write. */
import type { NativeFunction, NativeLibrary } from "../../native/library.js";
import { NativeMemory } from "../../native/memory.js";
import { bind } from "./bind.js";
import type { Handle } from "./driver.js";
import { driverError } from "./driverErrors.js";

export const driverPrototypes = {
  cuInit: "int cuInit(uint flags)",
  cuDriverGetVersion: "int cuDriverGetVersion(uint64 version)",
  cuGetErrorName: "int cuGetErrorName(int error, uint64 text)",
  cuGetErrorString: "int cuGetErrorString(int error, uint64 text)",
  cuDeviceGetCount: "int cuDeviceGetCount(uint64 count)",
  cuDeviceGet: "int cuDeviceGet(uint64 device, int ordinal)",
  cuDeviceGetName: "int cuDeviceGetName(uint64 name, int length, int device)",
  cuDeviceGetUuid: "int cuDeviceGetUuid_v2(uint64 uuid, int device)",
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
  cuEventQuery: "int cuEventQuery(uint64 event)",
  cuEventRecordWithFlags: "int cuEventRecordWithFlags(uint64 event, uint64 stream, uint flags)",
  cuEventElapsedTime: "int cuEventElapsedTime(uint64 ms, uint64 from, uint64 to)",
  cuStreamWaitEvent: "int cuStreamWaitEvent(uint64 stream, uint64 event, uint flags)",
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

export type DriverCall = keyof typeof driverPrototypes;

type Argument = number | bigint | string;

export class DriverCalls {
  readonly memory: NativeMemory;
  /** 256 bytes that calls write to. */
  readonly result: BigUint64Array;
  readonly resultAt: bigint;
  private readonly functions: { readonly [C in DriverCall]: NativeFunction };

  /** @throws SlalomError "library" for a driver that is too old */
  constructor(readonly library: NativeLibrary) {
    this.functions = bind(library, "The NVIDIA driver", driverPrototypes);
    this.memory = new NativeMemory(library);
    const result = this.memory.bytes(256);
    this.result = new BigUint64Array(result.buffer);
    this.resultAt = result.address;
  }

  /** @throws SlalomError "device" unless it succeeds */
  call(name: DriverCall, ...args: Argument[]): void {
    const code = this.code(name, ...args);
    if (code !== 0) throw this.error(name, code);
  }

  /** What a call returns: 0 for success. */
  code(name: DriverCall, ...args: Argument[]): number {
    return Number(this.functions[name](...args));
  }

  error(name: DriverCall, code: number): Error {
    const [errorName, text] = (["cuGetErrorName", "cuGetErrorString"] as const).map((describe) => {
      const known = this.code(describe, code, this.resultAt) === 0;
      return known ? this.library.readText(this.result[0]) : undefined;
    });
    return driverError(name, {
      code,
      name: errorName ?? "an error",
      text: text ?? "the driver does not say what it is",
    });
  }

  /** Calls a function whose first parameter receives a new handle. */
  made(name: DriverCall, ...args: Argument[]): Handle {
    this.result[0] = 0n;
    this.call(name, this.resultAt, ...args);
    return this.result[0];
  }

  /** What a call wrote as a 32-bit integer. */
  integer(): number {
    return Number(BigInt.asIntN(32, this.result[0]));
  }
}
