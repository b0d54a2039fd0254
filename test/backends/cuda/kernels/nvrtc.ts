/** NVIDIA's run-time compiler, as much of it as tests of emitted source need; it compiles without a device. */
import { type NativeLibrary, openLibrary } from "../../../../src/native/library.js";

export interface Compiler {
  /** As the library counts: [13, 0]. */
  readonly version: readonly [number, number];
  /** Machine code of `source` for an architecture such as "sm_80". Throws with the compiler's log where it is wrong. */
  machineCode(source: string, architecture: string): Uint8Array;
  /** Its assembly for an architecture such as "compute_80". */
  assembly(source: string, architecture: string): string;
}

/** @param path of the library */
export function openCompiler(path: string): Compiler {
  const library = openLibrary(path);
  const handle = "void *program";
  const functions = {
    version: library.func("int nvrtcVersion(_Out_ int *major, _Out_ int *minor)"),
    create: library.func(
      "int nvrtcCreateProgram(_Out_ void **program, str source, str name, int headers, void *texts, void *names)",
    ),
    compile: library.func(`int nvrtcCompileProgram(${handle}, int count, const char **options)`),
    destroy: library.func("int nvrtcDestroyProgram(void **program)"),
  };
  const [major, minor] = [[0], [0]];
  check("nvrtcVersion", functions.version(major, minor));
  const compiled = (source: string, architecture: string, what: Output): Uint8Array => {
    const program: unknown[] = [null];
    check("nvrtcCreateProgram", functions.create(program, source, "program.cu", 0, null, null));
    const [pointer] = program as [object];
    try {
      const options = [`--gpu-architecture=${architecture}`, "--std=c++17"];
      const status = functions.compile(pointer, options.length, options);
      if (status !== 0) {
        const log = new TextDecoder().decode(output(library, pointer, "ProgramLog"));
        throw new Error(`${architecture}: ${log.slice(0, 4000)}`);
      }
      return output(library, pointer, what);
    } finally {
      functions.destroy([pointer]);
    }
  };
  return {
    version: [major[0], minor[0]],
    machineCode: (source, architecture) => compiled(source, architecture, "CUBIN"),
    assembly: (source, architecture) => new TextDecoder().decode(compiled(source, architecture, "PTX")),
  };
}

type Output = "ProgramLog" | "PTX" | "CUBIN";

function output(library: NativeLibrary, program: object, what: Output): Uint8Array {
  const size: (number | bigint)[] = [0];
  check(
    `nvrtcGet${what}Size`,
    library.func(`int nvrtcGet${what}Size(void *program, _Out_ size_t *size)`)(program, size),
  );
  const bytes = new Uint8Array(Math.max(Number(size[0]), 128));
  check(`nvrtcGet${what}`, library.func(`int nvrtcGet${what}(void *program, void *to)`)(program, bytes));
  return bytes.subarray(0, Number(size[0]));
}

function check(name: string, status: unknown): void {
  if (status !== 0) throw new Error(`${name} ended with ${status}`);
}
