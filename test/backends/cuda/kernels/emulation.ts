/**
 * A backend that runs emitted CUDA C on the CPU: g++ compiles it as C++, where a header of ours stands in for what CUDA
 * gives. A compiler takes a second for one program and little more for hundreds: so programs are collected first, by a
 * backend that answers as `reference` does, then compiled together, then run.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CudaLibraries, CudaProgram } from "../../../../src/backends/cuda/commands.js";
import { deviceSource } from "../../../../src/backends/cuda/kernels/device/index.js";
import { emitCuda, kernelsMark } from "../../../../src/backends/cuda/kernels/index.js";
import { referenceBackend } from "../../../../src/backends/reference/index.js";
import { allocate, dtypes, type TypedArray } from "../../../../src/base/dtype.js";
import { unknownName } from "../../../../src/base/errors.js";
import { sizeOf } from "../../../../src/base/shape.js";
import { type Backend, checkSteps, checkValues, type Executable } from "../../../../src/compile/backend.js";
import type { Plan, PlanBuffer } from "../../../../src/compile/plan.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import type { Program } from "../../../../src/compile/program.js";
import { type NativeFunction, type NativeLibrary, openLibrary } from "../../../../src/native/library.js";

/** Why programs can't be compiled as C++ here; undefined where they can. */
export function missingCompiler(): string | undefined {
  return spawnSync("g++", ["--version"]).status === 0 ? undefined : "no g++ is here";
}

/** Every kernel is one of ours. */
export const withoutLibraries: CudaLibraries = { products: () => false, convolutions: () => false };

/** Functions of every library, once. */
export const allDeviceFunctions = deviceSource(
  new Set(["folds", "random", "products", "convolutions", "pooling", "scatter"] as const),
);

/** The kernels of a program without the device functions that all programs share, under names of its own. */
export function kernelsAlone({ source }: CudaProgram, prefix: string): string {
  const at = source.indexOf(kernelsMark);
  return source.slice(at).replace(/(__launch_bounds__\(\d+\) )(\w+)/g, `$1${prefix}_$2`);
}

/** Programs on their way from source to machine code. */
export class Emulation {
  private readonly numbers = new Map<string, number>();
  private readonly programs: CudaProgram[] = [];
  private libraries: { readonly library: NativeLibrary; readonly run: NativeFunction }[] = [];
  private folder: string | undefined;

  constructor(private readonly check: (program: CudaProgram, plan: Plan) => void) {}

  /** Emits what it is given, checks that, and computes as `reference` does. */
  collecting(): Backend {
    const reference = referenceBackend();
    return {
      ...reference,
      compile: (program) => {
        this.add(program);
        return reference.compile(program);
      },
    };
  }

  add(program: Program): CudaProgram {
    const plan = planProgram(program);
    const cuda = emitCuda(plan, withoutLibraries);
    this.check(cuda, plan);
    if (!this.numbers.has(cuda.source)) {
      this.numbers.set(cuda.source, this.programs.length);
      this.programs.push(cuda);
    }
    return cuda;
  }

  get sources(): readonly CudaProgram[] {
    return this.programs;
  }

  /** Compiles all programs, some hundreds at a time. */
  async compile(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "slalom-cuda-"));
    this.folder = folder;
    const header = fileURLToPath(new URL("cudaOnCpu.h", import.meta.url));
    const units = Array.from({ length: Math.ceil(this.programs.length / programsOfUnit) }, (_, unit) => {
      const programs = this.programs
        .slice(unit * programsOfUnit, (unit + 1) * programsOfUnit)
        .map((program, i) => {
          const name = `p${unit * programsOfUnit + i}`;
          return `namespace ${name} {\n${kernelsAlone(program, name)}}\n`;
        });
      const path = join(folder, `unit${unit}`);
      writeFileSync(`${path}.cpp`, [`#include "${header}"`, allDeviceFunctions, ...programs].join("\n"));
      return path;
    });
    const waiting = [...units];
    const worker = async (): Promise<void> => {
      for (let path = waiting.shift(); path; path = waiting.shift()) await compileUnit(path);
    };
    await Promise.all([worker(), worker()]);
    this.libraries = units.map((path) => {
      const library = openLibrary(`${path}.so`);
      const prototype = "void runKernel(void *kernel, uint blocks, uint threads, void *arena, void *step)";
      return { library, run: library.func(prototype) };
    });
  }

  /** Runs what was collected and compiled. */
  backend(): Backend {
    return {
      name: "emulation",
      description: "CUDA C as C++",
      compile: (program) => {
        const plan = planProgram(program);
        const cuda = emitCuda(plan, withoutLibraries);
        const number = this.numbers.get(cuda.source);
        if (number === undefined) throw unknownName("collected program", program.name, []);
        const { library, run } = this.libraries[Math.floor(number / programsOfUnit)];
        const launch = (kernel: string, ...rest: (number | bigint)[]): void => {
          run(library.symbol(`p${number}_${kernel}`)!, ...rest);
        };
        return new EmulatedExecutable(plan, cuda, program.traceCapacity, launch, library);
      },
    };
  }

  release(): void {
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}

const programsOfUnit = 250;

function compileUnit(path: string): Promise<void> {
  const options = [
    "-std=c++17",
    "-O0",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fPIC",
    "-shared",
    "-w",
  ];
  const child = spawn("g++", [...options, `${path}.cpp`, "-o", `${path}.so`]);
  const complaints: string[] = [];
  child.stderr.on("data", (data: Buffer) => complaints.push(data.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`g++ ended with ${code}: ${complaints.join("").slice(0, 4000)}`));
    });
  });
}

type LaunchFunction = (kernel: string, blocks: number, threads: number, arena: bigint, step: bigint) => void;

class EmulatedExecutable implements Executable {
  readonly bytes: number;
  private readonly arena: Uint8Array;
  private readonly step = new Uint32Array(32);
  private readonly addresses: { readonly arena: bigint; readonly step: bigint };
  private readonly named: ReadonlyMap<string, PlanBuffer>;
  private readonly lastSteps = new Map<string, number>();

  constructor(
    plan: Plan,
    private readonly program: CudaProgram,
    private readonly traceCapacity: number,
    private readonly launch: LaunchFunction,
    library: NativeLibrary,
  ) {
    this.bytes = program.arenaBytes;
    const memory = new Uint8Array(program.arenaBytes + 256);
    const from = Number(-library.addressOfBytes(memory) & 127n);
    this.arena = memory.subarray(from, from + program.arenaBytes);
    this.addresses = {
      arena: library.addressOfBytes(memory) + BigInt(from),
      step: library.addressOfBytes(this.step),
    };
    for (const { buffer, data } of plan.constants) this.view(plan.buffers[buffer]).set(data);
    this.named = new Map(
      plan.buffers
        .filter(({ role }) => role !== "temporary" && role !== "constant")
        .map((buffer) => [buffer.name, buffer]),
    );
  }

  run(entry: string, steps = 1): void {
    const found = this.program.entries[entry];
    if (!found) throw unknownName("entry", entry, Object.keys(this.program.entries));
    checkSteps(steps, this.traceCapacity);
    const { arena, step } = this.addresses;
    this.step[0] = 0;
    for (let i = 0; i < steps; i++) {
      for (const command of found.commands) {
        if (command.kind !== "launch") throw unknownName("command", command.kind, ["launch"]);
        this.launch(command.kernel, command.grid, command.block, arena, step);
      }
    }
    if (this.step[0] !== steps) throw unknownName("number of steps", `${this.step[0]}`, [`${steps}`]);
    this.lastSteps.set(entry, steps);
  }

  read(name: string): TypedArray {
    return this.view(this.buffer(name)).slice();
  }

  write(name: string, values: TypedArray | readonly number[]): void {
    const buffer = this.buffer(name);
    checkValues(name, buffer, values.length);
    this.view(buffer).set(values);
  }

  trace(entry: string, trace: string): TypedArray {
    const buffer = this.buffer(`${entry}/${trace}`);
    const length = (this.lastSteps.get(entry) ?? 0) * sizeOf(buffer.shape.slice(1));
    return this.view(buffer).slice(0, length);
  }

  release(): void {}

  private buffer(name: string): PlanBuffer {
    const buffer = this.named.get(name);
    if (!buffer) throw unknownName("variable", name, [...this.named.keys()]);
    return buffer;
  }

  private view({ dtype, shape, offset }: PlanBuffer): TypedArray {
    const { buffer, byteOffset } = this.arena;
    const count = sizeOf(shape);
    return count === 0 ? allocate(dtype, 0) : new dtypes[dtype].array(buffer, byteOffset + offset, count);
  }
}
