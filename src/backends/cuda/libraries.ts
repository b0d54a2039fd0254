/**
 * Where CUDA's libraries are: as the system's loader finds them, in the toolkit that CUDA_HOME or CUDA_PATH names, in the
 * `nvidia-*` Python packages that PyTorch and JAX bring along.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { SlalomError } from "../../base/errors.js";
import { type NativeLibrary, openLibrary, reasonOf } from "../../native/library.js";
import { cudaVersion } from "./driver.js";

export type CudaLibraryName = "driver" | "nvrtc" | "cublasLt" | "cudnn" | "nccl";

export interface FoundLibrary {
  readonly name: CudaLibraryName;
  readonly title: string;
  readonly path: string;
  readonly native: NativeLibrary;
}

/** A file that was tried and why it was not taken. */
export interface CudaRejection {
  readonly name: CudaLibraryName;
  readonly path: string;
  readonly reason: string;
}

export interface CudaLibraryKind {
  readonly title: string;
  /** Best first. */
  readonly files: readonly string[];
  /** Its folders among the Python packages, below `nvidia`. */
  readonly packages: readonly string[];
  /** The command that installs it. */
  readonly install: string;
  /** What is done without it. */
  readonly without: string;
  /** What can be taken where nothing replaces it; default: another backend. */
  readonly instead?: string;
  /** The CUDA that it is built for, such as 13020; absent where that does not matter. */
  readonly builtFor?: (library: NativeLibrary) => number;
}

export const cudaLibraryKinds: Readonly<Record<CudaLibraryName, CudaLibraryKind>> = {
  driver: {
    title: "NVIDIA driver",
    files: ["libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"],
    packages: [],
    install:
      "sudo apt-get install nvidia-driver (Debian, from non-free; on a cluster ask for a GPU, in a container run it with --gpus all)",
    without: "the cuda backend can't be used",
  },
  nvrtc: {
    title: "NVRTC",
    files: ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"],
    packages: ["cu13", "cuda_nvrtc"],
    install: "pip install nvidia-cuda-nvrtc (CUDA 13; nvidia-cuda-nvrtc-cu12 for a driver of CUDA 12)",
    without: "the cuda backend can't be used",
    builtFor: (library) => {
      const version = new Int32Array(64);
      const at = library.addressOfBytes(version);
      library.func("int nvrtcVersion(uint64 major, uint64 minor)")(at, at + 4n);
      return version[0] * 1000 + version[1] * 10;
    },
  },
  cublasLt: {
    title: "cuBLASLt",
    files: ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"],
    packages: ["cu13", "cublas"],
    install: "pip install nvidia-cublas (CUDA 13; nvidia-cublas-cu12 for a driver of CUDA 12)",
    without: "matrix products are computed by our own kernels",
    builtFor: (library) => Number(library.func("size_t cublasLtGetCudartVersion()")()),
  },
  cudnn: {
    title: "cuDNN",
    files: ["libcudnn.so.9", "libcudnn.so.8", "libcudnn.so"],
    packages: ["cudnn"],
    install: "pip install nvidia-cudnn-cu13 (nvidia-cudnn-cu12 for a driver of CUDA 12)",
    without: "convolutions are computed by our own kernels",
    builtFor: (library) => Number(library.func("size_t cudnnGetCudartVersion()")()),
  },
  nccl: {
    title: "NCCL",
    files: ["libnccl.so.2", "libnccl.so"],
    packages: ["nccl"],
    install: "pip install nvidia-nccl-cu13 (nvidia-nccl-cu12 for a driver of CUDA 12)",
    without: "a training runs on one GPU",
    instead: "one GPU",
  },
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** What is asked of the file system; tests have another. */
export interface LibraryFiles {
  readonly exists: (path: string) => boolean;
  /** Names in a folder; none where there is no such folder. */
  readonly list: (folder: string) => readonly string[];
  readonly open: (path: string) => NativeLibrary;
}

export const systemFiles: LibraryFiles = {
  exists: existsSync,
  list: (folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
  open: (path) => openLibrary(path, { global: true }),
};

/** Where libraries are looked for, beside the loader's own places. */
export interface LibraryPlaces {
  /** Folders with libraries of a toolkit. */
  readonly toolkits: readonly string[];
  /** Folders of Python packages that have an `nvidia` in them. */
  readonly packages: readonly string[];
}

export function libraryPlaces(environment: Environment, files: LibraryFiles = systemFiles): LibraryPlaces {
  const roots = [environment.CUDA_HOME, environment.CUDA_PATH, "/usr/local/cuda"].filter(Boolean) as string[];
  const toolkits = roots.flatMap((root) => [join(root, "lib64"), join(root, "lib")]);
  return {
    toolkits: distinct(toolkits).filter(files.exists),
    packages: pythonPackages(environment, files).filter((folder) => files.exists(join(folder, "nvidia"))),
  };
}

/** Of the environment that is active, of the `python3` that a shell would start, of the user. No Python is started. */
function pythonPackages(
  { VIRTUAL_ENV, CONDA_PREFIX, PATH = "" }: Environment,
  files: LibraryFiles,
): string[] {
  const started = PATH.split(delimiter).find(
    (folder) => folder !== "" && files.exists(join(folder, "python3")),
  );
  const prefixes = [VIRTUAL_ENV, CONDA_PREFIX, started && dirname(started), join(homedir(), ".local")];
  const within = prefixes.filter(Boolean).flatMap((prefix) => {
    const libraries = join(prefix!, "lib");
    const versions = files.list(libraries).filter((name) => /^python3(\.\d+)?$/.test(name));
    return versions.flatMap((version) =>
      ["site-packages", "dist-packages"].map((packages) => join(libraries, version, packages)),
    );
  });
  return distinct(within);
}

const distinct = (paths: readonly string[]): string[] => [...new Set(paths)];

/**
 * The first file of that library which loads, and for which the driver is new enough.
 * @param driverVersion such as 12040; absent: any will do
 */
export function findLibrary(
  name: CudaLibraryName,
  places: LibraryPlaces,
  { driverVersion = Number.POSITIVE_INFINITY, files = systemFiles }: FindOptions = {},
): { readonly library?: FoundLibrary; readonly rejections: readonly CudaRejection[] } {
  const kind = cudaLibraryKinds[name];
  const rejections: CudaRejection[] = [];
  for (const path of candidates(kind, places, files)) {
    try {
      const native = files.open(path);
      checkServed(kind, native, driverVersion);
      return { library: { name, title: kind.title, path, native }, rejections };
    } catch (error) {
      rejections.push({ name, path, reason: reasonOf(error) });
    }
  }
  return { rejections };
}

export interface FindOptions {
  readonly driverVersion?: number;
  readonly files?: LibraryFiles;
}

/** The library, which nothing replaces. @throws SlalomError "library" with what was tried and the command that installs it */
export function requireLibrary(
  name: CudaLibraryName,
  places: LibraryPlaces,
  options: FindOptions = {},
): FoundLibrary {
  const { library, rejections } = findLibrary(name, places, options);
  if (library !== undefined) return library;
  const { title, install, packages, instead = "--backend cpu" } = cudaLibraryKinds[name];
  const tried = rejections.map(({ path, reason }) => `\n  ${path}: ${withoutName(path, reason)}`).join("");
  const folders = [...places.toolkits, ...places.packages];
  const beside =
    folders.length === 0
      ? "There is no CUDA toolkit and no Python package with it beside."
      : `Looked in ${folders.join(", ")} too.`;
  throw new SlalomError(
    "library",
    `cuda: ${title} was not found; expected one of these files to load:${tried}\n${
      packages.length > 0 ? `${beside}\n` : ""
    }Install it: ${install}. If it is elsewhere, set LD_LIBRARY_PATH or CUDA_HOME. Or take ${instead}.`,
  );
}

/** The loader names the file again. */
const withoutName = (path: string, reason: string): string =>
  reason.replace(/^Failed to load shared library: /, "").replace(`${path}: `, "");

function candidates(
  { files: names, packages }: CudaLibraryKind,
  places: LibraryPlaces,
  files: LibraryFiles,
): string[] {
  const folders = [
    ...places.toolkits,
    ...places.packages.flatMap((folder) => packages.map((name) => join(folder, "nvidia", name, "lib"))),
  ];
  const plain = names.filter((name) => !name.includes("/"));
  return [
    ...plain,
    ...names.filter((name) => name.includes("/")).filter(files.exists),
    ...folders.flatMap((folder) => plain.map((name) => join(folder, name))).filter(files.exists),
  ];
}

/** Within one major version of CUDA any library runs on any driver; of a newer one, none. */
function checkServed({ builtFor }: CudaLibraryKind, library: NativeLibrary, driverVersion: number): void {
  const version = builtFor?.(library) ?? 0;
  if (Math.floor(version / 1000) <= Math.floor(driverVersion / 1000)) return;
  throw new SlalomError(
    "library",
    `is for CUDA ${cudaVersion(version)}, and the NVIDIA driver runs CUDA ${cudaVersion(driverVersion)}`,
  );
}

/** "8.9.7" of 8907, "9.1.0" of 90100: what libraries say of their version, and from which number on in two more digits. */
export function libraryVersion({ name, native }: FoundLibrary): string {
  const dotted = (version: number, thousands: number): string =>
    [Math.floor(version / thousands), Math.floor((version % thousands) / 100), version % 100].join(".");
  switch (name) {
    case "driver":
      return "";
    case "nvrtc":
      return cudaVersion(cudaLibraryKinds.nvrtc.builtFor!(native));
    case "cublasLt":
      return dotted(Number(native.func("size_t cublasLtGetVersion()")()), 10_000);
    case "cudnn": {
      const version = Number(native.func("size_t cudnnGetVersion()")());
      return dotted(version, version < 10_000 ? 1000 : 10_000);
    }
    case "nccl": {
      const version = new Int32Array(64);
      native.func("int ncclGetVersion(uint64 version)")(native.addressOfBytes(version));
      return dotted(version[0], version[0] < 10_000 ? 1000 : 10_000);
    }
  }
}
