/**
 * The CUDA backend on the CPU: g++ compiles emitted CUDA C as C++, where a header of ours stands in for what CUDA gives, and
 * the driver is a fake whose memory the host's machine code can use. A compiler takes a second for one program and little
 * more for hundreds: so programs are collected first, then compiled together, then run.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CudaBackend, cudaBackendOn, type FoundRanks } from "../../../../src/backends/cuda/backend.js";
import type { CudaLibraries, CudaProgram } from "../../../../src/backends/cuda/commands.js";
import { deviceSource } from "../../../../src/backends/cuda/kernels/device/index.js";
import { emitCuda, kernelsMark } from "../../../../src/backends/cuda/kernels/index.js";
import type { ProductPrecision } from "../../../../src/backends/cuda/products.js";
import { nullBackend } from "../../../../src/backends/null/index.js";
import { referenceBackend } from "../../../../src/backends/reference/index.js";
import { unknownName } from "../../../../src/base/errors.js";
import type { Backend } from "../../../../src/compile/backend.js";
import type { Plan } from "../../../../src/compile/plan.js";
import { planForRank } from "../../../../src/compile/planForRank.js";
import { planProgram } from "../../../../src/compile/planProgram.js";
import type { Program } from "../../../../src/compile/program.js";
import { type NativeFunction, type NativeLibrary, openLibrary } from "../../../../src/native/library.js";
import { FakeDriver, type FakeDriverOptions, type FakeKernel, fakeFacts } from "../fakeDriver.js";

/** Why programs can't be compiled as C++ here; undefined where they can. */
export function missingCompiler(): string | undefined {
  return spawnSync("g++", ["--version"]).status === 0 ? undefined : "no g++ is here";
}

/** Every kernel is one of ours. */
export const withoutLibraries: CudaLibraries = { products: () => false, convolutions: () => false };

const libraries = ["folds", "random", "products", "convolutions", "pooling", "scatter"] as const;
/** Functions of every library, once. */
export const allDeviceFunctions = deviceSource(new Set(["instructions", ...libraries]));
/** Without those that are PTX, which the header has. */
export const functionsInC = deviceSource(new Set(libraries));

/** The kernels of a program without the device functions that all programs share, under names of its own. */
export function kernelsAlone({ source }: Pick<CudaProgram, "source">, prefix: string): string {
  return source
    .slice(Math.max(0, source.indexOf(kernelsMark)))
    .replace(/(__launch_bounds__\([\d, ]+\) )(\w+)/g, `$1${prefix}_$2`);
}

/** Programs on their way from source to machine code. */
export class Emulation {
  private readonly numbers = new Map<string, number>();
  private readonly programs: CudaProgram[] = [];
  private libraries: { readonly library: NativeLibrary; readonly run: NativeFunction }[] = [];
  private folder: string | undefined;

  constructor(
    private readonly check: (program: CudaProgram, plan: Plan) => void,
    private readonly options: EmulatedGpu = {},
  ) {}

  /**
   * Emits what it is given, and checks that. One rank computes as `reference` does; what is trained on several gives
   * nothing but zeros.
   */
  collecting(ranks = 1): Backend {
    const answering = ranks === 1 ? referenceBackend() : { ...nullBackend(), ranks };
    return {
      ...answering,
      compile: (program) => {
        this.add(program);
        return answering.compile(program);
      },
    };
  }

  add(program: Program): CudaProgram {
    return this.addPlan(planProgram(program, { processes: program.ranks ?? 1, waves: true }));
  }

  addPlan(plan: Plan): CudaProgram {
    const ofRanks = Array.from({ length: plan.processes }, (_, rank) => {
      const own = planForRank(plan, 0, rank);
      const cuda = this.emit(own);
      this.check(cuda, own);
      this.addProgram(cuda);
      return cuda;
    });
    return ofRanks[0];
  }

  /** Kernels that no program has. */
  addSource(source: string): void {
    this.addProgram({ source, arenaBytes: 0, entries: {} });
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
      writeFileSync(`${path}.cpp`, [`#include "${header}"`, functionsInC, ...programs].join("\n"));
      return path;
    });
    const waiting = [...units];
    const worker = async (): Promise<void> => {
      for (let path = waiting.shift(); path; path = waiting.shift())
        await compileUnit(path, this.options.architecture);
    };
    await Promise.all([worker(), worker()]);
    this.libraries = units.map((path) => {
      const library = openLibrary(`${path}.so`);
      const prototype = "void runKernel(void *kernel, uint blocks, uint threads, void *arguments)";
      return { library, run: library.func(prototype) };
    });
  }

  /** Runs what was collected and compiled, on one device and one rank unless `options` say otherwise. */
  backend(options: EmulatedOptions = {}): CudaBackend {
    const driver = options.driver ?? this.driver();
    return cudaBackendOn({
      description: "CUDA C as C++",
      driver,
      devices: Array.from({ length: driver.deviceCount() }, (_, ordinal) => ({
        facts: { ...fakeFacts, ordinal },
        compile: (source: string, program: string) => {
          const number = this.numbers.get(source);
          if (number === undefined) throw unknownName("collected program", program, []);
          return new TextEncoder().encode(`${number}`);
        },
      })),
      emit: this.emit,
      ...(options.ranks && { ranks: options.ranks }),
    });
  }

  /** A driver whose kernels are those that were compiled. */
  driver(options: Omit<FakeDriverOptions, "kernels" | "memory"> = {}): FakeDriver {
    return new FakeDriver({
      ...options,
      memory: (count) => this.memory(count),
      kernels: (name, image) => this.kernel(name, Number(new TextDecoder().decode(image))),
    });
  }

  release(): void {
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }

  private readonly emit = (plan: Plan): CudaProgram =>
    emitCuda(plan, withoutLibraries, this.options.precision);

  private addProgram(program: CudaProgram): void {
    if (this.numbers.has(program.source)) return;
    this.numbers.set(program.source, this.programs.length);
    this.programs.push(program);
  }

  private kernel(name: string, number: number): FakeKernel {
    const { library, run } = this.libraries[Math.floor(number / programsOfUnit)];
    const kernel = library.symbol(`p${number}_${name}`)!;
    const words = new BigUint64Array(mostArguments);
    return (args, _, { grid, block }) => {
      words.set(args);
      run(kernel, grid, block, words);
    };
  }

  /** Aligned as devices align it. */
  private memory(count: number): { bytes: Uint8Array; address: bigint } {
    const [{ library }] = this.libraries;
    const memory = new Uint8Array(count + alignment);
    const start = library.addressOfBytes(memory);
    const skipped = Number(-start & BigInt(alignment - 1));
    return { bytes: memory.subarray(skipped, skipped + count), address: start + BigInt(skipped) };
  }
}

export interface EmulatedGpu {
  /** Of NVRTC, as 70 for compute capability 7.0; default 80. */
  readonly architecture?: number;
  /** Of products of float32; default "float32". */
  readonly precision?: ProductPrecision;
}

export interface EmulatedOptions {
  readonly driver?: FakeDriver;
  readonly ranks?: FoundRanks;
}

const programsOfUnit = 250;
/** As the header passes them. */
const mostArguments = 9;
const alignment = 256;

function compileUnit(path: string, architecture = 80): Promise<void> {
  const options = [
    `-D__CUDA_ARCH__=${architecture}0`,
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
