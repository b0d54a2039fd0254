/** Waiting for several devices at once, one of which may never come. */
import { during } from "./driverErrors.js";
import type { DeviceStreams } from "./graphs.js";
import type { DeviceSums } from "./sums.js";

/** How long the thread sleeps between two looks, ms: little beside a run of steps. */
const pauseMs = 0.1;

/**
 * Returns when the first event of each device is reached.
 * @throws SlalomError "device" of the device that failed, however long others would wait for it, or of their sums
 */
export function waitForAll(devices: readonly DeviceStreams[], sums: DeviceSums): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const isUnderway = ({ name, context, streams: [{ event }] }: DeviceStreams): boolean =>
    during(name, () => !context.isReached(event));
  for (let left = devices.filter(isUnderway); left.length > 0; left = left.filter(isUnderway)) {
    sums.check();
    Atomics.wait(pause, 0, 0, pauseMs);
  }
}
