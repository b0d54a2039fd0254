/** The backend on a device that was found, whatever calls it: CUDA's libraries, or a record of calls in tests. */
import { invariant, SlalomError } from "../../base/errors.js";
import type { Backend, ProgramMemory } from "../../compile/backend.js";
import type { Plan } from "../../compile/plan.js";
import { planProgram } from "../../compile/planProgram.js";
import { type CudaDevice, prepareProgram } from "./device.js";
import { during } from "./driverErrors.js";
import { CudaExecutable } from "./executable.js";
import { Handles } from "./handles.js";
import type { ConvolutionLibrary, ProductLibrary } from "./libraryCalls.js";

export interface CudaBackend extends Backend {
  memoryOf(plan: Plan): ProgramMemory;
  /** Gives the device back; its programs are released before. */
  close(): Promise<void>;
}

export interface FoundDevice extends Pick<CudaDevice, "driver" | "facts" | "emit" | "compile"> {
  readonly description: string;
  /** Absent: kernels of the source compute them. */
  readonly openProducts?: () => ProductLibrary;
  readonly openConvolutions?: () => ConvolutionLibrary;
}

/** Takes nothing of the device before the first program. */
export function cudaBackendOn({
  description,
  openProducts,
  openConvolutions,
  ...found
}: FoundDevice): CudaBackend {
  const { driver, facts } = found;
  const handles = new Handles();
  let opened: CudaDevice | undefined;
  let closed = false;
  const device = (): CudaDevice => {
    invariant(!closed, "a closed backend compiles no more");
    opened ??= handles.orReleased(() =>
      during(`cuda device ${facts.ordinal} (${facts.name})`, () => {
        driver.retainContext(facts.ordinal);
        handles.own(facts.ordinal, (ordinal) => driver.releaseContext(ordinal));
        const products = openProducts && handles.own(openProducts(), (one) => one.release());
        const convolutions = openConvolutions && handles.own(openConvolutions(), (one) => one.release());
        return { ...found, ...(products && { products }), ...(convolutions && { convolutions }) };
      }),
    );
    return opened;
  };
  return {
    name: "cuda",
    description,
    compile(program) {
      if ((program.ranks ?? 1) !== 1) {
        throw new SlalomError(
          "device",
          `program ${program.name}: is for ${program.ranks} ranks, and the cuda backend has 1 GPU; expected 1 rank. Only the cpu backend has more.`,
        );
      }
      return new CudaExecutable(planProgram(program), program.traceCapacity, device());
    },
    memoryOf(plan) {
      const { layout } = prepareProgram(plan, device());
      return {
        workspaceBytes: layout.bytes - plan.arenaBytes,
        mostBytes: driver.memory().freeBytes,
        limit: `all that is free on device ${facts.ordinal} (${facts.name})`,
        onDevice: true,
      };
    },
    close: async () => {
      closed = true;
      handles.release();
    },
  };
}
