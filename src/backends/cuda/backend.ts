/** The backend on devices that were found, whatever calls them: CUDA's libraries, or a record of calls in tests. */
import { invariant, SlalomError } from "../../base/errors.js";
import type { Communicator } from "../../collectives/index.js";
import type { Backend, ProgramMemory } from "../../compile/backend.js";
import type { Plan } from "../../compile/plan.js";
import { planForRank } from "../../compile/planForRank.js";
import { planProgram } from "../../compile/planProgram.js";
import type { Program } from "../../compile/program.js";
import type { Processes } from "../../processes/leader.js";
import type { EmitCuda } from "./commands.js";
import { type CudaDevice, preparedProgram } from "./device.js";
import type { DeviceFacts, Driver } from "./driver.js";
import { during } from "./driverErrors.js";
import { CudaExecutable } from "./executable.js";
import { Handles } from "./handles.js";
import type { ConvolutionLibrary, ProductLibrary } from "./libraryCalls.js";
import type { ProductPrecision } from "./products.js";
import type { RouteChoices } from "./routeChoices.js";
import { Routes } from "./routes.js";
import type { DeviceSums } from "./sums.js";

export interface CudaBackend extends Backend {
  readonly ranks: number;
  readonly processes: number;
  /** A program that was planned elsewhere, as this process runs it: those that follow another are told plans. */
  load(plan: Plan, traceCapacity: number): CudaExecutable;
  planOf(program: Program): Plan;
  memoryOf(plan: Plan): ProgramMemory;
  /** Gives the devices back; its programs are released before. */
  close(): Promise<void>;
}

export interface FoundDevices {
  readonly description: string;
  readonly driver: Driver;
  readonly devices: readonly FoundDevice[];
  readonly emit: EmitCuda;
  /** Of products and convolutions of float32 that no plan rounds; default "float32". */
  readonly precision?: ProductPrecision;
  /** Absent: kernels of the source compute them. */
  readonly openProducts?: () => ProductLibrary;
  readonly openConvolutions?: () => ConvolutionLibrary;
  /** By what libraries and our own kernels take the faster one is chosen. Absent: libraries compute what they can. */
  readonly choices?: RouteChoices;
  /** Absent where there is one rank. */
  readonly ranks?: FoundRanks;
}

export interface FoundDevice extends Pick<CudaDevice, "compile"> {
  readonly facts: DeviceFacts;
}

/** Ranks that train together. */
export interface FoundRanks {
  /** On each device; more than one in tests alone. */
  readonly ofDevice: number;
  /** This process' number among those that train together, and how many they are. */
  readonly process: number;
  readonly processes: number;
  /** Of these processes, where there are several. */
  readonly communicator?: Pick<Communicator, "allReduce">;
  /** The other processes; only where this one leads them. */
  readonly others?: Processes;
  /** @param devices that of each rank of this process */
  readonly openSums: (devices: readonly CudaDevice[]) => DeviceSums;
}

/** Takes nothing of a device before the first program. */
export function cudaBackendOn(found: FoundDevices): CudaBackend {
  const { description, devices } = found;
  const { ofDevice = 1, process = 0, processes = 1, others, openSums } = found.ranks ?? {};
  const all = devices.length * ofDevice * processes;
  const handles = new Handles();
  const opened: (CudaDevice | undefined)[] = devices.map(() => undefined);
  let sums: DeviceSums | undefined;
  let closed = false;
  const device = (i: number): CudaDevice => {
    invariant(!closed, "a closed backend compiles no more");
    opened[i] ??= openDevice(found, devices[i], handles);
    return opened[i];
  };
  /** The device of each rank of this process. */
  const ofRanks = (): CudaDevice[] =>
    devices.flatMap((_, i) => Array.from({ length: ofDevice }, () => device(i)));
  const load = (plan: Plan, traceCapacity: number): CudaExecutable => {
    if (plan.processes === 1) return new CudaExecutable(plan, traceCapacity, { devices: [device(0)] });
    invariant(openSums && plan.processes === all, "a program of several ranks is for all there are");
    return new CudaExecutable(plan, traceCapacity, {
      devices: ofRanks(),
      process,
      ...(found.ranks?.communicator && { communicator: found.ranks.communicator }),
      openSums: () => {
        sums ??= handles.own(openSums(ofRanks()), (one) => one.release());
        return sums;
      },
    });
  };
  /** With kernels side by side, unless what that takes is not free and less would do. */
  const planOf = (program: Program): Plan => {
    const { ranks = 1 } = program;
    if (ranks > 1) return planProgram(program, { processes: ranks });
    const plan = planProgram(program, { waves: true });
    const one = device(0);
    if (preparedProgram(plan, one).layout.bytes <= one.context.memory().freeBytes) return plan;
    const smallest = planProgram(program);
    return smallest.arenaBytes < plan.arenaBytes ? smallest : plan;
  };
  return {
    name: "cuda",
    description,
    ranks: all,
    processes: all,
    compile(program) {
      const { ranks = 1 } = program;
      if (ranks !== 1 && ranks !== all) {
        throw new SlalomError(
          "device",
          `program ${program.name}: is for ${ranks} ranks, and the cuda backend has ${all}; expected ${all === 1 ? "1 rank. Take more GPUs" : "as many, or 1"}.`,
        );
      }
      const plan = planOf(program);
      const { traceCapacity } = program;
      return others && ranks > 1 ? others.compile(plan, traceCapacity, load) : load(plan, traceCapacity);
    },
    planOf,
    load,
    memoryOf(plan) {
      const together = plan.processes === 1 ? [device(0)] : [...new Set(ofRanks())];
      const { layout } = preparedProgram(planForRank(plan, 0), together[0]);
      const shares = together.map(({ context, facts }) => ({
        bytes: Math.floor(context.memory().freeBytes / (plan.processes === 1 ? 1 : ofDevice)),
        facts,
      }));
      const least = shares.reduce((a, b) => (b.bytes < a.bytes ? b : a));
      return {
        workspaceBytes: layout.bytes - plan.arenaBytes,
        mostBytes: least.bytes,
        limit: `all that is free on device ${least.facts.ordinal} (${least.facts.name})`,
        onDevice: true,
      };
    },
    close: async () => {
      closed = true;
      // They give back what sums took, which waits for all of them.
      others?.close();
      handles.release();
    },
  };
}

/** @param handles gives it back */
function openDevice(
  { driver, emit, openProducts, openConvolutions, precision, choices }: FoundDevices,
  { facts, compile }: FoundDevice,
  handles: Handles,
): CudaDevice {
  return during(`cuda device ${facts.ordinal} (${facts.name})`, () => {
    const own = new Handles();
    const device = own.orReleased(() => {
      const context = own.own(driver.open(facts.ordinal), (one) => one.release());
      const opened = <L extends ProductLibrary | ConvolutionLibrary>(open?: () => L): L | undefined =>
        open && own.own(context.within(open), (one) => context.within(() => one.release()));
      const products = opened(openProducts);
      const convolutions = opened(openConvolutions);
      const routes = new Routes(
        { context, compile },
        {
          ...(products && { products }),
          ...(convolutions && { convolutions }),
          ...(precision && { precision }),
          ...(choices && { choices }),
        },
      );
      return { context, facts, emit, compile, routes, prepared: new WeakMap() };
    });
    handles.own(own, (all) => all.release());
    return device;
  });
}
