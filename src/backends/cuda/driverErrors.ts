/** Errors of CUDA's driver as errors of ours: which call, what it said, what to do. */
import { SlalomError } from "../../base/errors.js";

/** What a call returned: its number, and the driver's own name and text for it. */
export interface DriverResult {
  readonly code: number;
  readonly name: string;
  readonly text: string;
}

/** The error of a call that did not return 0. */
export function driverError(call: string, { code, name, text }: DriverResult): SlalomError {
  return new SlalomError(
    "device",
    `${call} failed with ${name} (${code}): ${text.replace(/\.$/, "")}. ${remedyOf(code)}`,
  );
}

/** Runs `act`; an error of the device says what it happened in, if that has a name. */
export function during<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (what === "" || !(error instanceof SlalomError) || error.code !== "device") throw error;
    throw new SlalomError("device", `${what}: ${error.message}`, { cause: error });
  }
}

const lost =
  "The device's state is lost, and with it what this process had there. Start again, and interrupted studies go on from their checkpoints; if it happens again, the kernel that is named, or the last that ran, is at fault: please report it";

const driverTooOld =
  "The NVIDIA driver is older than the CUDA libraries. Update the driver, or install libraries for the CUDA version that `slalom doctor` shows for it";

/** By CUresult. */
const remedies: Readonly<Record<number, string>> = {
  1: "A bug in Slalom: please report it",
  2: "The device has too little free memory. Use fewer lanes, a smaller batch or a smaller model, or end other programs on the GPU (nvidia-smi lists them)",
  3: "The driver was not started. A bug in Slalom: please report it",
  4: "The driver is shutting down: the process ends",
  34: "The libcuda.so.1 that was found is a stub for linking. Put the driver's own before it in LD_LIBRARY_PATH",
  36: driverTooOld,
  46: "The device is busy: another process has it for itself (exclusive mode), or it is about to be reset. Wait for that process to end (nvidia-smi lists it), take another device (--devices), or set nvidia-smi -c DEFAULT",
  100: "No GPU is visible. Is CUDA_VISIBLE_DEVICES empty, or does the job or container have no GPU (--gres=gpu:1, --gpus all)?",
  101: "There is no device of that number: `slalom doctor` lists them",
  200: driverTooOld,
  209: driverTooOld,
  214: "The GPU's memory has an error that can't be corrected: its administrator must reset or replace it",
  222: driverTooOld,
  700: lost,
  701: "A kernel wants more registers or shared memory than the device has. A bug in Slalom: please report it",
  702: "The system ended a kernel that took too long, as it does on a GPU that drives a display. Use fewer lanes or a smaller batch, or another GPU",
  710: lost,
  714: lost,
  715: lost,
  716: lost,
  717: lost,
  718: lost,
  719: lost,
  802: "The system's GPU fabric is not ready yet (nvidia-fabricmanager). Wait, or ask its administrator",
  803: "The driver's library and its kernel module have different versions, as after an update. Restart the machine, or the container with the host's libraries",
  804: "The forward compatibility libraries do not serve this GPU. Take them out of LD_LIBRARY_PATH",
};

function remedyOf(code: number): string {
  const remedy =
    remedies[code] ?? "`slalom doctor` shows what was found of CUDA; nvidia-smi, what the device is doing";
  return remedy.endsWith("?") ? remedy : `${remedy}.`;
}
