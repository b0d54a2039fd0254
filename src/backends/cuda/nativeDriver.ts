/** The driver of this machine: what devices there are, and their contexts. */
import type { NativeLibrary } from "../../native/library.js";
import type { DeviceContext, DeviceFacts, Driver } from "./driver.js";
import { DriverCalls } from "./driverCalls.js";
import { NativeContext } from "./nativeContext.js";

/** Enumerators of the C interface. */
const attributes = {
  multiprocessors: 16,
  computeMode: 20,
  capabilityMajor: 75,
  capabilityMinor: 76,
} as const;
const modes = ["default", "exclusive", "prohibited", "exclusive"] as const;

/**
 * Starts the driver.
 * @throws SlalomError "device" where it finds no device or can't serve it, "library" for one that is too old
 */
export function openDriver(library: NativeLibrary): Driver {
  return new NativeDriver(new DriverCalls(library));
}

class NativeDriver implements Driver {
  readonly version: number;

  constructor(private readonly calls: DriverCalls) {
    calls.call("cuInit", 0);
    calls.call("cuDriverGetVersion", calls.resultAt);
    this.version = calls.integer();
  }

  deviceCount(): number {
    this.calls.call("cuDeviceGetCount", this.calls.resultAt);
    return this.calls.integer();
  }

  device(ordinal: number): DeviceFacts {
    const { calls } = this;
    const { result, resultAt } = calls;
    const device = this.deviceOf(ordinal);
    result.fill(0n);
    calls.call("cuDeviceGetName", resultAt, result.byteLength, device);
    const name = new TextDecoder().decode(new Uint8Array(result.buffer)).split("\0")[0];
    calls.call("cuDeviceGetUuid", resultAt, device);
    const uuid = uuidIn(new Uint8Array(result.buffer, result.byteOffset, 16));
    calls.call("cuDeviceTotalMem", resultAt, device);
    const totalBytes = Number(result[0]);
    const attribute = (number: number): number => {
      calls.call("cuDeviceGetAttribute", resultAt, number, device);
      return calls.integer();
    };
    return {
      ordinal,
      name,
      uuid,
      capability: [attribute(attributes.capabilityMajor), attribute(attributes.capabilityMinor)],
      totalBytes,
      multiprocessors: attribute(attributes.multiprocessors),
      mode: modes[attribute(attributes.computeMode)] ?? "default",
    };
  }

  reachesPeer(from: number, to: number): boolean {
    const [device, peer] = [this.deviceOf(from), this.deviceOf(to)];
    this.calls.call("cuDeviceCanAccessPeer", this.calls.resultAt, device, peer);
    return this.calls.integer() !== 0;
  }

  open(ordinal: number): DeviceContext {
    return new NativeContext(this.calls, this.deviceOf(ordinal));
  }

  private deviceOf(ordinal: number): number {
    this.calls.call("cuDeviceGet", this.calls.resultAt, ordinal);
    return this.calls.integer();
  }
}

/** As nvidia-smi writes it. */
function uuidIn(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString("hex");
  return `GPU-${digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}
