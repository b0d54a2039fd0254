/**
 * CUDA's libraries with a clock around each launch. What a program would capture as a graph is run as it is put into the
 * stream instead, between two events; the graph itself is nothing then, and its launch does nothing. So a step does what
 * it always does, once, and tells how long each part of it took.
 */
import {
  type LibraryFiles,
  type NativeFunction,
  type NativeLibrary,
  NativeMemory,
  systemFiles,
} from "../slalom.js";

/** A launch, or a library's call that launches. */
export interface TimedLaunch {
  /** The kernel's function in the source, or the library's call. */
  readonly name: string;
  readonly us: number;
}

type CArgument = Parameters<NativeFunction>[number];
type Call = (...args: CArgument[]) => unknown;

/** Files whose libraries are timed, and what was measured so far: all launches of all captures, in their order. */
export class TimedLibraries {
  readonly files: LibraryFiles;
  private readonly names = new Map<bigint, string>();
  private readonly launches: { readonly name: string; readonly from: bigint; readonly to: bigint }[] = [];
  /** The stream of the capture that would be under way. */
  private capturing: CArgument | undefined;
  private clock: Clock | undefined;

  constructor(files: LibraryFiles = systemFiles) {
    this.files = { ...files, open: (path) => this.timed(files.open(path)) };
  }

  /** Waits for all of it. */
  measured(): TimedLaunch[] {
    return this.launches.map(({ name, from, to }) => ({ name, us: this.clock!.microseconds(from, to) }));
  }

  private timed(library: NativeLibrary): NativeLibrary {
    const wrapped = (prototype: string, found: NativeFunction): NativeFunction => {
      const name = /(\w+)\(/.exec(prototype)![1].replace(/_v\d$/, "");
      return (this.replacement(name, found, library) ?? found) as NativeFunction;
    };
    return new Proxy(library, {
      get: (target, key) => {
        if (key === "func") return (prototype: string) => wrapped(prototype, target.func(prototype));
        if (key === "optional") {
          return (prototype: string) => {
            const found = target.optional(prototype);
            return found && wrapped(prototype, found);
          };
        }
        const value = target[key as keyof NativeLibrary] as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  private replacement(name: string, found: NativeFunction, library: NativeLibrary): Call | undefined {
    switch (name) {
      case "cuModuleGetFunction": {
        const handle = new NativeMemory(library).bytes(8);
        return (at, module, kernel) => {
          const code = found(handle.address, module, kernel);
          if (code === 0) this.names.set(new BigUint64Array(handle.buffer)[0], String(kernel));
          return found(at, module, kernel);
        };
      }
      case "cuStreamBeginCapture":
        return (stream) => {
          this.clock ??= new Clock(library);
          this.capturing = stream;
          return 0;
        };
      case "cuStreamEndCapture":
        return () => {
          this.capturing = undefined;
          return 0;
        };
      case "cuGraphInstantiateWithFlags":
      case "cuGraphDestroy":
      case "cuGraphExecDestroy":
      case "cuGraphLaunch":
        return () => 0;
      case "cuLaunchKernel":
        return (kernel, ...rest) =>
          this.between(this.names.get(BigInt(kernel as bigint)) ?? name, () => found(kernel, ...rest));
      default:
        return /^(cublasLtMatmul|cudnnConvolution(Forward|BackwardData|BackwardFilter))$/.test(name)
          ? (...args) => this.between(name, () => found(...args))
          : undefined;
    }
  }

  private between(name: string, act: () => unknown): unknown {
    if (this.capturing === undefined) return act();
    const from = this.clock!.now(this.capturing);
    const result = act();
    this.launches.push({ name, from, to: this.clock!.now(this.capturing) });
    return result;
  }
}

/** Events of the driver. */
class Clock {
  private readonly result: { readonly buffer: ArrayBuffer; readonly address: bigint };
  private readonly create: NativeFunction;
  private readonly record: NativeFunction;
  private readonly wait: NativeFunction;
  private readonly elapsed: NativeFunction;

  constructor(driver: NativeLibrary) {
    this.result = new NativeMemory(driver).bytes(8);
    this.create = driver.func("int cuEventCreate(uint64 event, uint flags)");
    this.record = driver.func("int cuEventRecord(uint64 event, uint64 stream)");
    this.wait = driver.func("int cuEventSynchronize(uint64 event)");
    this.elapsed = driver.func("int cuEventElapsedTime(uint64 ms, uint64 from, uint64 to)");
  }

  /** An event that tells when the stream was there. */
  now(stream: CArgument): bigint {
    succeeded("cuEventCreate", this.create(this.result.address, 0));
    const event = new BigUint64Array(this.result.buffer)[0];
    succeeded("cuEventRecord", this.record(event, stream));
    return event;
  }

  microseconds(from: bigint, to: bigint): number {
    succeeded("cuEventSynchronize", this.wait(to));
    succeeded("cuEventElapsedTime", this.elapsed(this.result.address, from, to));
    return new Float32Array(this.result.buffer)[0] * 1000;
  }
}

function succeeded(call: string, code: unknown): void {
  if (code !== 0) throw new Error(`${call} failed with ${code}`);
}
