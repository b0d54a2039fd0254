/** The one block of device memory that a program has: its arena, workspaces of libraries, the number of the step. */
import { bytesOf } from "../../base/dtype.js";
import { SlalomError } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { formatBytes } from "../../compile/explain.js";
import type { Plan } from "../../compile/plan.js";
import type { DeviceContext, DeviceFacts, Handle } from "./driver.js";
import { during } from "./driverErrors.js";

/** Byte offsets in the block, and its size. */
export interface MemoryLayout {
  readonly workspaceOffset: number;
  readonly stepOffset: number;
  readonly bytes: number;
}

/** What addresses of a device are aligned to when memory is allocated. */
export const alignment = 256;
export const alignedBytes = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export function layoutOf(arenaBytes: number, workspaceBytes: number): MemoryLayout {
  const workspaceOffset = alignedBytes(arenaBytes);
  const stepOffset = workspaceOffset + alignedBytes(workspaceBytes);
  return { workspaceOffset, stepOffset, bytes: stepOffset + alignment };
}

/** @throws SlalomError "device", before anything is allocated, where less is free, with the figures */
export function allocateBlock(
  context: DeviceContext,
  device: DeviceFacts,
  plan: Plan,
  bytes: number,
): Handle {
  const { freeBytes, totalBytes } = context.memory();
  if (bytes > freeBytes) {
    const largest = plan.buffers.reduce((most, buffer) =>
      bufferBytes(buffer) > bufferBytes(most) ? buffer : most,
    );
    throw new SlalomError(
      "device",
      `program ${plan.name}: needs ${formatBytes(bytes)} on device ${device.ordinal} (${device.name}), and ${formatBytes(freeBytes)} of its ${formatBytes(totalBytes)} are free; its largest tensor is ${largest.name} with ${formatBytes(bufferBytes(largest))}. Use fewer lanes, a smaller batch or parts of it in turn (microBatch), or a smaller model${
        bytes > totalBytes ? "." : "; or end other programs on the GPU (nvidia-smi lists them)."
      }`,
    );
  }
  return during(`program ${plan.name}, ${formatBytes(bytes)} of memory`, () => context.allocate(bytes));
}

const bufferBytes = ({ shape, dtype }: Plan["buffers"][number]): number => sizeOf(shape) * bytesOf(dtype);
