/** A compiled program on a device: its block of memory, its kernels, its entries as graphs. */
import { allocate, type TypedArray } from "../../base/dtype.js";
import { invariant, unknownName } from "../../base/errors.js";
import { sizeOf } from "../../base/shape.js";
import { checkSteps, checkValues, type Executable } from "../../compile/backend.js";
import type { Plan, PlanBuffer } from "../../compile/plan.js";
import type { CudaCommand, CudaEntry, CudaProgram } from "./commands.js";
import { type CudaDevice, type PreparedProgram, prepareProgram } from "./device.js";
import type { Driver, Handle } from "./driver.js";
import { during } from "./driverErrors.js";
import { StepGraphs } from "./graphs.js";
import { Handles } from "./handles.js";
import { libraryKernelSource, libraryKernels, type Surroundings } from "./libraryCalls.js";
import { allocateBlock } from "./memory.js";

export class CudaExecutable implements Executable {
  readonly bytes: number;
  private readonly driver: Driver;
  private readonly handles = new Handles();
  private readonly prepared: PreparedProgram;
  private readonly place: Place;
  private readonly step: Handle;
  private readonly graphs: ReadonlyMap<string, StepGraphs>;
  private readonly named: ReadonlyMap<string, PlanBuffer>;
  private readonly lastSteps = new Map<string, number>();
  private released = false;

  /**
   * The device's context is the calling thread's.
   * @throws SlalomError "device" where the memory is too little or the device refuses; nothing stays on it then
   */
  constructor(
    private readonly plan: Plan,
    private readonly traceCapacity: number,
    device: CudaDevice,
  ) {
    this.driver = device.driver;
    this.prepared = prepareProgram(plan, device);
    const { program, layout } = this.prepared;
    this.bytes = layout.bytes;
    this.named = new Map(
      plan.buffers
        .filter(({ role }) => role !== "temporary" && role !== "constant")
        .map((buffer) => [buffer.name, buffer]),
    );
    this.place = this.handles.orReleased(() => takePlace(plan, this.prepared, device, this.handles));
    this.step = this.place.memory + BigInt(layout.stepOffset);
    this.graphs = this.handles.orReleased(
      () => new Map(Object.entries(program.entries).map(([name, entry]) => [name, this.graphsOf(entry)])),
    );
  }

  run(entry: string, steps = 1): void {
    invariant(!this.released, "a released program runs no more");
    const graphs = this.graphs.get(entry);
    if (!graphs) throw unknownName("entry", entry, [...this.graphs.keys()]);
    checkSteps(steps, this.traceCapacity);
    if (steps > 0) {
      during(`program ${this.plan.name}, entry ${entry}`, () => {
        const { driver } = this;
        const { stream, event } = this.place;
        driver.clear(this.step, stepBytes, stream);
        graphs.launch(steps);
        driver.record(event, stream);
        driver.waitFor(event);
      });
    }
    this.lastSteps.set(entry, steps);
  }

  read(name: string): TypedArray {
    const buffer = this.buffer(name);
    return this.download(buffer, sizeOf(buffer.shape));
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const buffer = this.buffer(name);
    checkValues(name, buffer, values.length);
    const data = allocate(buffer.dtype, values.length);
    data.set(values);
    if (data.length === 0) return;
    during(`program ${this.plan.name}, writing ${name}`, () =>
      this.driver.upload(this.addressOf(buffer), bytesIn(data), this.place.stream),
    );
  }

  trace(entry: string, trace: string): TypedArray {
    const buffer = this.buffer(`${entry}/${trace}`);
    return this.download(buffer, (this.lastSteps.get(entry) ?? 0) * sizeOf(buffer.shape.slice(1)));
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    during(`program ${this.plan.name}, releasing`, () => this.handles.release());
  }

  /** The first `count` elements of a buffer. */
  private download(buffer: PlanBuffer, count: number): TypedArray {
    invariant(!this.released, "a released program has no values");
    const data = allocate(buffer.dtype, count);
    if (count > 0) {
      during(`program ${this.plan.name}, reading ${buffer.name}`, () =>
        this.driver.download(bytesIn(data), this.addressOf(buffer), this.place.stream),
      );
    }
    return data;
  }

  private buffer(name: string): PlanBuffer {
    const buffer = this.named.get(name);
    if (!buffer) throw unknownName("variable", name, [...this.named.keys()]);
    return buffer;
  }

  private addressOf({ offset }: PlanBuffer): Handle {
    return this.place.memory + BigInt(offset);
  }

  private graphsOf({ commands }: CudaEntry): StepGraphs {
    const { driver, handles } = this;
    const { stream } = this.place;
    const put = commands.map((command) => this.enqueuing(command));
    return new StepGraphs({
      driver,
      stream,
      handles,
      commands: commands.length,
      enqueue: () => {
        for (const [i, one] of put.entries()) during(nameOf(commands[i]), one);
      },
    });
  }

  /** Puts a command into the stream. */
  private enqueuing(command: CudaCommand): () => void {
    const { memory, kernels, stream, surroundings } = this.place;
    if (command.kind === "launch") {
      const args = [memory, this.step];
      return () => this.driver.launch(kernels.get(command.kernel)!, command, stream, args);
    }
    const kernel = command.kind === "product" ? command.product : command.convolution;
    const call = this.prepared.calls.get(kernel);
    invariant(call, `${nameOf(command)} is a call of a library that was asked about it`);
    return () => call.enqueue(surroundings);
  }
}

/** What a program has on the device. */
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
  { driver, facts, compile }: CudaDevice,
  handles: Handles,
): Place {
  const ownKernels = [...calls.values()].some(({ usesKernels }) => usesKernels);
  const source = ownKernels ? `${program.source}\n${libraryKernelSource}` : program.source;
  const image = compile(source, plan.name);
  const memory = handles.own(allocateBlock(driver, facts, plan, layout.bytes), (one) => driver.free(one));
  return during(`program ${plan.name}`, () => {
    const stream = handles.own(driver.createStream(), (one) => driver.destroyStream(one));
    const event = handles.own(driver.createEvent(), (one) => driver.destroyEvent(one));
    const module = handles.own(driver.loadModule(image), (one) => driver.unloadModule(one));
    const names = sharedBytesOf(program, ownKernels ? Object.keys(libraryKernels) : []);
    const kernels = new Map(
      [...names].map(([name, sharedBytes]) => [
        name,
        during(`kernel ${name}`, () => driver.kernel(module, name, sharedBytes)),
      ]),
    );
    const surroundings: Surroundings = {
      arena: memory,
      workspace: memory + BigInt(layout.workspaceOffset),
      stream,
      launch: (name, shape, args) => driver.launch(kernels.get(name)!, shape, stream, args),
    };
    driver.clear(memory, layout.bytes, stream);
    if (calls.size > 0) {
      tryOut(calls, surroundings);
      driver.record(event, stream);
      driver.waitFor(event);
      driver.clear(memory, layout.bytes, stream);
    }
    for (const { buffer, data } of plan.constants) {
      if (data.length > 0) driver.upload(memory + BigInt(plan.buffers[buffer].offset), bytesIn(data), stream);
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
function sharedBytesOf({ entries }: CudaProgram, more: readonly string[]): Map<string, number> {
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

function nameOf(command: CudaCommand): string {
  switch (command.kind) {
    case "launch":
      return `kernel ${command.kernel}`;
    case "product":
      return `product ${command.product.name}`;
    case "convolution":
      return `convolution ${command.convolution.name}`;
  }
}
