/** CUDA C compiled for the device that is there, by NVRTC. */
import { SlalomError } from "../../base/errors.js";
import { NativeMemory } from "../../native/memory.js";
import { bind } from "./bind.js";
import type { DeviceFacts } from "./driver.js";
import { type KernelResources, resourcesIn } from "./kernelResources.js";
import { type FoundLibrary, libraryVersion } from "./libraries.js";

export const nvrtcPrototypes = {
  nvrtcGetErrorString: "str nvrtcGetErrorString(int result)",
  nvrtcGetNumSupportedArchs: "int nvrtcGetNumSupportedArchs(uint64 count)",
  nvrtcGetSupportedArchs: "int nvrtcGetSupportedArchs(uint64 architectures)",
  nvrtcCreateProgram:
    "int nvrtcCreateProgram(uint64 program, str source, str name, int headerCount, uint64 headers, uint64 includeNames)",
  nvrtcDestroyProgram: "int nvrtcDestroyProgram(uint64 program)",
  nvrtcCompileProgram: "int nvrtcCompileProgram(uint64 program, int optionCount, uint64 options)",
  nvrtcGetCUBINSize: "int nvrtcGetCUBINSize(uint64 program, uint64 size)",
  nvrtcGetCUBIN: "int nvrtcGetCUBIN(uint64 program, uint64 image)",
  nvrtcGetPTXSize: "int nvrtcGetPTXSize(uint64 program, uint64 size)",
  nvrtcGetPTX: "int nvrtcGetPTX(uint64 program, uint64 image)",
  nvrtcGetProgramLogSize: "int nvrtcGetProgramLogSize(uint64 program, uint64 size)",
  nvrtcGetProgramLog: "int nvrtcGetProgramLog(uint64 program, uint64 log)",
} as const;

export interface Compiler {
  /** Such as "NVRTC 12.4". */
  readonly title: string;
  /** Architectures that it makes code for, as 90 for compute capability 9.0; ascending. */
  readonly architectures: readonly number[];
  /**
   * @param program its name, for the error
   * @throws SlalomError "internal" with the compiler's log for a source that it refuses
   */
  compile(source: string, target: Target, program: string): Uint8Array;
}

export interface Inspector {
  /**
   * What each kernel of a source takes on an architecture.
   * @throws SlalomError as `compile` does
   */
  resources(source: string, architecture: number, program: string): Map<string, KernelResources>;
}

/** Machine code for one architecture, or PTX, from which a newer driver makes it. */
export interface Target {
  readonly kind: "cubin" | "ptx";
  readonly architecture: number;
}

/** What the compiler makes for a device: its own code, else PTX of the newest architecture before it. */
export function targetFor(
  { name, capability: [major, minor] }: DeviceFacts,
  compiler: Pick<Compiler, "title" | "architectures">,
): Target {
  const architecture = major * 10 + minor;
  const before = compiler.architectures.filter((known) => known <= architecture);
  if (before.length === 0) {
    throw new SlalomError(
      "library",
      `${compiler.title} compiles for compute capability ${dotted(compiler.architectures[0])} and newer, and ${name} has ${major}.${minor}. Install an older one: pip install nvidia-cuda-nvrtc-cu12.`,
    );
  }
  const newest = before[before.length - 1];
  return newest === architecture ? { kind: "cubin", architecture } : { kind: "ptx", architecture: newest };
}

const dotted = (architecture: number): string => `${Math.floor(architecture / 10)}.${architecture % 10}`;

/** As the command line of CUDA's compilers writes them. */
export const compileOptions = ({ kind, architecture }: Target): string[] => [
  `--gpu-architecture=${kind === "cubin" ? "sm" : "compute"}_${architecture}`,
  "--std=c++17",
];

/** @throws SlalomError "library" for a library that is too old */
export function openCompiler(library: FoundLibrary): Compiler & Inspector {
  const functions = bind(library.native, library.title, nvrtcPrototypes);
  const title = `${library.title} ${libraryVersion(library)}`;
  const explained = (code: number): string => `${String(functions.nvrtcGetErrorString(code))} (${code})`;
  type Call = keyof typeof nvrtcPrototypes;
  const call = (name: Call, ...args: (number | bigint | string)[]): void => {
    const code = Number(functions[name](...args));
    if (code === 0) return;
    throw new SlalomError("library", `${title} at ${library.path}: ${name} failed with ${explained(code)}.`);
  };
  /** What a pair of functions gives: so many bytes, and they themselves. */
  const read = (memory: NativeMemory, program: bigint, size: Call, content: Call): Uint8Array => {
    const length = memory.bytes(8);
    call(size, program, length.address);
    const bytes = Number(new BigUint64Array(length.buffer)[0]);
    const { buffer, address } = memory.bytes(bytes);
    call(content, program, address);
    return new Uint8Array(buffer, 0, bytes);
  };
  /** What `take` makes of a compiled program. */
  const compiled = <T>(
    source: string,
    name: string,
    options: readonly string[],
    take: (memory: NativeMemory, program: bigint) => T,
  ): T => {
    const memory = new NativeMemory(library.native);
    const handle = memory.bytes(8);
    call("nvrtcCreateProgram", handle.address, source, `${name}.cu`, 0, 0, 0);
    const program = new BigUint64Array(handle.buffer)[0];
    try {
      const texts = options.map((option) => memory.text(option));
      const code = Number(functions.nvrtcCompileProgram(program, texts.length, memory.words(texts)));
      if (code !== 0) {
        const log = read(memory, program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
        throw refused(`${title} does not compile program ${name}: ${explained(code)}`, log);
      }
      return take(memory, program);
    } finally {
      functions.nvrtcDestroyProgram(handle.address);
    }
  };
  return {
    title,
    architectures: architecturesOf(call, new NativeMemory(library.native)),
    compile: (source, target, name) =>
      compiled(source, name, compileOptions(target), (memory, program) =>
        target.kind === "cubin"
          ? read(memory, program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN")
          : read(memory, program, "nvrtcGetPTXSize", "nvrtcGetPTX"),
      ),
    resources: (source, architecture, name) =>
      compiled(
        source,
        name,
        [...compileOptions({ kind: "cubin", architecture }), "--ptxas-options=-v"],
        (memory, program) =>
          resourcesIn(textOf(read(memory, program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog"))),
      ),
  };
}

/** A string of C. */
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replaceAll("\0", "");

function architecturesOf(
  call: (name: keyof typeof nvrtcPrototypes, ...args: bigint[]) => void,
  memory: NativeMemory,
) {
  const { buffer, address } = memory.bytes(4);
  call("nvrtcGetNumSupportedArchs", address);
  const [count] = new Int32Array(buffer);
  const list = memory.bytes(4 * count);
  call("nvrtcGetSupportedArchs", list.address);
  return [...new Int32Array(list.buffer, 0, count)].sort((a, b) => a - b);
}

const refused = (what: string, log: Uint8Array): SlalomError =>
  new SlalomError(
    "internal",
    `${what} (a bug in Slalom: please report it with what follows).\n${textOf(log).trimEnd()}`,
  );
