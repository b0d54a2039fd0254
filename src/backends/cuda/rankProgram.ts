/** A plan as one rank runs it on its device: its kernels, its block of memory, its stream. */
import type { TypedArray } from "../../base/dtype.js";
import { invariant } from "../../base/errors.js";
import type { Plan } from "../../compile/plan.js";
import type { CudaCommand, CudaProgram, Sum } from "./commands.js";
import { type CudaDevice, type PreparedProgram, preparedProgram } from "./device.js";
import type { DeviceContext, Handle } from "./driver.js";
import { during } from "./driverErrors.js";
import type { Handles } from "./handles.js";
import { libraryKernelSource, libraryKernels, type Surroundings } from "./libraryCalls.js";
import { allocateBlock } from "./memory.js";
import { surroundingsIn, takeStreams } from "./surroundings.js";

/** What the device runs for itself. */
export type OwnCommand = Exclude<CudaCommand, Sum>;

export class RankProgram {
  readonly context: DeviceContext;
  readonly entries: CudaProgram["entries"];
  /** Of memory. */
  readonly bytes: number;
  /** Address of the block, at which the arena begins. */
  readonly memory: Handle;
  readonly stream: Handle;
  readonly event: Handle;
  private readonly prepared: PreparedProgram;
  private readonly place: Place;
  private readonly step: Handle;

  /**
   * @param plan as this rank runs it
   * @param handles gives back what it has of the device
   * @throws SlalomError "device" where the memory is too little or the device refuses
   */
  constructor(
    readonly plan: Plan,
    readonly device: CudaDevice,
    handles: Handles,
  ) {
    this.context = device.context;
    this.prepared = preparedProgram(plan, device);
    const { program, layout } = this.prepared;
    this.entries = program.entries;
    this.bytes = layout.bytes;
    this.place = takePlace(plan, this.prepared, device, handles);
    this.stream = this.place.stream;
    this.event = this.place.event;
    this.memory = this.place.memory;
    this.step = this.memory + BigInt(layout.stepOffset);
  }

  /** What puts a command into the rank's stream. */
  putting(command: OwnCommand): () => void {
    const { context, memory, step, stream } = this;
    const { kernels, surroundings } = this.place;
    if (command.kind === "launch") {
      const kernel = kernels.get(command.kernel)!;
      return () => context.launch(kernel, command, stream, [memory, step]);
    }
    const kernel = command.kind === "product" ? command.product : command.convolution;
    const call = this.prepared.calls.get(kernel);
    invariant(call, `${nameOf(command)} is a call of a library that was asked about it`);
    return () => context.within(() => call.enqueue(surroundings));
  }

  /** The next step is the first of a run. */
  beginRun(stream: Handle): void {
    this.context.clear(this.step, stepBytes, stream);
  }

  upload(offset: number, values: TypedArray): void {
    this.context.upload(this.memory + BigInt(offset), bytesIn(values), this.stream);
  }

  download(offset: number, values: TypedArray): void {
    this.context.download(bytesIn(values), this.memory + BigInt(offset), this.stream);
  }
}

/** What a rank has on its device. */
interface Place {
  readonly memory: Handle;
  readonly stream: Handle;
  readonly event: Handle;
  /** Functions of its module by name. */
  readonly kernels: ReadonlyMap<string, Handle>;
  readonly surroundings: Surroundings;
}

/** Compiles, takes memory and fills it: constants as they are, all else zeros. */
function takePlace(
  plan: Plan,
  { program, calls, layout }: PreparedProgram,
  { context, facts, compile }: CudaDevice,
  handles: Handles,
): Place {
  const ownKernels = [...calls.values()].some(({ usesKernels }) => usesKernels);
  const source = ownKernels ? `${program.source}\n${libraryKernelSource}` : program.source;
  const image = compile(source, plan.name);
  const block = allocateBlock(context, facts, plan, layout.bytes);
  const memory = handles.own(block, (one) => context.free(one));
  return during(`program ${plan.name}`, () => {
    const branches = Math.max(1, ...[...calls.values()].map((call) => call.branches));
    const streams = takeStreams(context, branches, handles);
    const [{ stream, event }] = streams;
    const module = handles.own(context.loadModule(image), (one) => context.unloadModule(one));
    const names = sharedBytesOf(program, ownKernels ? Object.keys(libraryKernels) : []);
    const kernels = new Map(
      [...names].map(([name, sharedBytes]) => [
        name,
        during(`kernel ${name}`, () => context.kernel(module, name, sharedBytes)),
      ]),
    );
    const surroundings = surroundingsIn({
      context,
      arena: memory,
      workspace: memory + BigInt(layout.workspaceOffset),
      streams,
      kernels,
    });
    context.clear(memory, layout.bytes, stream);
    if (calls.size > 0) {
      context.within(() => tryOut(calls, surroundings));
      context.record(event, stream);
      context.waitFor(event);
      context.clear(memory, layout.bytes, stream);
    }
    for (const { buffer, data } of plan.constants) {
      if (data.length === 0) continue;
      context.upload(memory + BigInt(plan.buffers[buffer].offset), bytesIn(data), stream);
    }
    return { memory, stream, event, kernels, surroundings };
  });
}

/**
 * Makes each call of a library once, on zeros: what it loads at its first use a capture would forbid, and what it refuses
 * is told before anything is trained.
 */
function tryOut(calls: PreparedProgram["calls"], surroundings: Surroundings): void {
  for (const [kernel, call] of calls)
    during(`${kernel.kind === "gemm" ? "product" : "convolution"} ${kernel.name}`, () =>
      call.enqueue(surroundings),
    );
}

/** Kernels by name, each with the most dynamic shared memory that a launch of it wants. */
export function sharedBytesOf(
  { entries }: Pick<CudaProgram, "entries">,
  more: readonly string[],
): Map<string, number> {
  const shared = new Map<string, number>(more.map((name) => [name, 0]));
  for (const { commands } of Object.values(entries)) {
    for (const command of commands) {
      if (command.kind === "launch")
        shared.set(command.kernel, Math.max(shared.get(command.kernel) ?? 0, command.sharedBytes));
    }
  }
  return shared;
}

/** Of the number of the step. */
const stepBytes = 4;

const bytesIn = ({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** As errors name a command. */
export function nameOf(command: CudaCommand): string {
  switch (command.kind) {
    case "launch":
      return `kernel ${command.kernel}`;
    case "product":
      return `product ${command.product.name}`;
    case "convolution":
      return `convolution ${command.convolution.name}`;
    case "beginSum":
    case "finishSum":
      return "sum over ranks";
  }
}
