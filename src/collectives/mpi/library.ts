/** Which MPI library is there: found as the system's loader finds it, told apart by what it says of itself. */
import { SlalomError } from "../../base/errors.js";
import { type NativeLibrary, openLibrary, reasonOf, setDefaultVariable } from "../../native/library.js";
import { type Abi, abiOf, type MpiFamily, textBytes } from "./abi.js";

export interface MpiLibrary {
  /** Such as "Open MPI". */
  readonly title: string;
  readonly version: string;
  readonly path: string;
  readonly native: NativeLibrary;
  readonly abi: Abi;
}

/** A file that was tried and why it was not taken. */
export interface MpiRejection {
  readonly path: string;
  readonly reason: string;
}

export interface FindMpiOptions {
  /** Taken before others. */
  readonly prefer?: MpiFamily;
  /** The one file to take. */
  readonly path?: string;
}

const files: Readonly<Record<MpiFamily, { readonly [platform: string]: readonly string[] }>> = {
  openmpi: {
    linux: ["libmpi.so.40", "libmpi.so", "/usr/lib64/openmpi/lib/libmpi.so.40"],
    darwin: ["libmpi.40.dylib", "/opt/homebrew/lib/libmpi.40.dylib", "/usr/local/lib/libmpi.40.dylib"],
  },
  mpich: {
    linux: ["libmpich.so.12", "libmpi.so.12", "/usr/lib64/mpich/lib/libmpi.so.12"],
    darwin: ["libmpi.12.dylib", "/opt/homebrew/lib/libmpi.12.dylib", "/usr/local/lib/libmpi.12.dylib"],
  },
};

/** The command that installs a library and its mpirun. */
export function installCommand(family: MpiFamily): string {
  if (process.platform === "darwin")
    return family === "openmpi" ? "brew install open-mpi" : "brew install mpich";
  return family === "openmpi"
    ? "sudo apt-get install libopenmpi3 openmpi-bin (Debian; on a cluster: module load openmpi)"
    : "sudo apt-get install libmpich12 mpich (Debian; on a cluster: module load mpich)";
}

/** Every library that loads here, the preferred family first; nothing is started. */
export function findMpi({ prefer = "openmpi", path }: FindMpiOptions = {}): {
  readonly libraries: MpiLibrary[];
  readonly rejections: MpiRejection[];
} {
  const families: readonly MpiFamily[] = prefer === "openmpi" ? ["openmpi", "mpich"] : ["mpich", "openmpi"];
  const paths =
    path === undefined ? families.flatMap((family) => files[family][process.platform] ?? []) : [path];
  const libraries: MpiLibrary[] = [];
  const rejections: MpiRejection[] = [];
  for (const candidate of paths) {
    try {
      const library = openMpiLibrary(candidate);
      // Names of one file: a link without a version, and the file itself.
      if (!libraries.some((other) => isSame(other, library))) libraries.push(library);
    } catch (error) {
      rejections.push({ path: candidate, reason: reasonOf(error) });
    }
  }
  return { libraries, rejections };
}

/** @throws SlalomError "library" where no library loads, with what was tried and the command that installs one */
export function selectMpi(options: FindMpiOptions = {}): MpiLibrary {
  const { libraries, rejections } = findMpi(options);
  if (libraries.length > 0) return libraries[0];
  const tried = rejections.map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
  throw new SlalomError(
    "library",
    `MPI: no library loads here; expected Open MPI or MPICH. Looked for:${tried || " nothing, none is known for this system"}\nInstall the one that your mpirun is of: ${installCommand(options.prefer ?? "openmpi")}. If it is elsewhere, set LD_LIBRARY_PATH.`,
  );
}

/**
 * How MPI gets along with a JavaScript runtime: UCX, which carries messages for many an MPI, leaves alone the signal by
 * which WebAssembly notices an access out of bounds, and both UCX and Open MPI the code of brk and munmap, which other
 * threads are running while they would rewrite it. They read these variables when they are loaded and started.
 */
const defaults = {
  UCX_ERROR_SIGNALS: "ILL,BUS,FPE",
  UCX_MEM_MMAP_HOOK_MODE: "none",
  OMPI_MCA_memory: "^patcher",
} as const;

function openMpiLibrary(path: string): MpiLibrary {
  for (const [name, value] of Object.entries(defaults)) setDefaultVariable(name, value);
  const native = openLibrary(path, { global: true });
  const text = describe(native);
  return { ...named(text), path, native, abi: abiOf(native) };
}

function describe(native: NativeLibrary): string {
  const version = native.func("int MPI_Get_library_version(uint64 text, uint64 length)");
  const text = new Uint8Array(textBytes);
  const length = new Int32Array(32);
  const failed = version(native.addressOfBytes(text), native.addressOfBytes(length));
  if (failed !== 0)
    throw new SlalomError("library", `${native.path}: MPI_Get_library_version gives ${failed}`);
  return new TextDecoder().decode(text.subarray(0, length[0])).replaceAll("\0", "");
}

/** How libraries begin to speak of themselves. */
const speeches: readonly (readonly [title: string, pattern: RegExp])[] = [
  ["Open MPI", /^Open MPI v([\w.]+)/],
  ["Intel MPI", /Intel\(R\) MPI Library ([\d.]+)/],
  ["MVAPICH", /MVAPICH\S* Version\s*:\s*(\S+)/],
  ["Cray MPICH", /CRAY MPICH version ([\d.]+)/i],
  ["MPICH", /MPICH Version:\s*(\S+)/],
];

/** Title and version from what MPI_Get_library_version says. */
export function named(text: string): { readonly title: string; readonly version: string } {
  for (const [title, pattern] of speeches) {
    const version = pattern.exec(text)?.[1];
    if (version !== undefined) return { title, version };
  }
  return { title: text.split("\n")[0].slice(0, 60).trim() || "MPI", version: "" };
}

const isSame = (a: MpiLibrary, b: MpiLibrary): boolean =>
  a.title === b.title && a.version === b.version && a.abi.family === b.abi.family;
