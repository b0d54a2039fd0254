/** The CUDA backend: fused kernels that NVRTC compiles, products by cuBLASLt, convolutions by cuDNN, steps as CUDA graphs. */
import { checkKeys, SlalomError, unknownName } from "../../base/errors.js";
import type { Communicator } from "../../collectives/index.js";
import { followLeader } from "../../processes/follow.js";
import { Processes } from "../../processes/leader.js";
import { type CudaBackend, cudaBackendOn, type FoundDevices, type FoundRanks } from "./backend.js";
import { defaultCompileCache, withCache } from "./compileCache.js";
import { cudnnConvolutions } from "./convolutions.js";
import { CublasLt } from "./cublasLt.js";
import { Cudnn } from "./cudnn.js";
import { cudaVersion } from "./driver.js";
import { emitCuda } from "./kernels/index.js";
import {
  type CudaLibraryName,
  type Environment,
  type FoundLibrary,
  findLibrary,
  type LibraryFiles,
  libraryPlaces,
  libraryVersion,
  requireLibrary,
  systemFiles,
} from "./libraries.js";
import { mostLogicalRanks, openLogicalSums } from "./logicalSums.js";
import { openDriver } from "./nativeDriver.js";
import { openNccl } from "./nccl.js";
import { openCompiler, targetFor } from "./nvrtc.js";
import { cublasLtProducts, type ProductPrecision } from "./products.js";
import { RouteChoices, routesFolder } from "./routeChoices.js";

export type { CudaBackend } from "./backend.js";

export interface CudaBackendOptions {
  /**
   * Numbers of the devices, among those that CUDA_VISIBLE_DEVICES leaves; default [0]. Each is a rank; several train
   * together by NCCL.
   */
  readonly devices?: readonly number[];
  /**
   * Processes that train together, each with as many devices: rank 0 leads, the others call `followCudaBackend` with the
   * same options.
   */
  readonly communicator?: Communicator;
  /** For tests: so many ranks on one device, which make nothing faster. */
  readonly logicalRanks?: number;
  /**
   * How products of float32 are computed that the program does not round itself: "float32" (the default) as they are,
   * "tf32" by tensor cores that keep 10 bits of significand.
   */
  readonly precision?: ProductPrecision;
  /** Variables of the environment, which say where libraries are; by default none. */
  readonly environment?: Environment;
  /**
   * Who computes products and convolutions: "fastest" (the default) libraries or our own kernels, whichever take less time
   * on the device for the shape, "libraries" what they can, as they think best, "own" all of it by our own kernels.
   */
  readonly routes?: RoutesOption;
  /** Where compiled programs and choices of routes are kept; default `.cache/slalom/cuda` in the user's own folder. */
  readonly compileCache?: string;
  /** How libraries are looked for and opened; default: as the system does. */
  readonly files?: LibraryFiles;
}

export type RoutesOption = (typeof routeOptions)[number];

const optionNames = [
  ...["devices", "communicator", "logicalRanks", "precision", "routes"],
  ...["environment", "compileCache", "files"],
];
const precisions = ["float32", "tf32"] as const;
const routeOptions = ["fastest", "libraries", "own"] as const;

/**
 * Programs run on GPUs, from the thread that made the backend.
 * @throws SlalomError "library" where the driver or NVRTC is not found, or for several ranks NCCL; "device" where there are
 * no such GPUs or one can't be used; "option" for an unknown option
 */
export function cudaBackend(options: CudaBackendOptions = {}): CudaBackend {
  return cudaBackendOn(foundBy("cudaBackend", options, { place: options.communicator, timing: true }));
}

/**
 * What `cudaBackend` says of itself in a world of so many processes, 1 by default; no other process is spoken to.
 * @throws SlalomError as `cudaBackend` does
 */
export function describeCudaBackend({
  processes = 1,
  ...options
}: Omit<CudaBackendOptions, "communicator"> & { readonly processes?: number }): Omit<
  CudaBackend,
  "compile" | "load"
> {
  const place = { rank: 0, size: processes };
  const found = foundBy("describeCudaBackend", options, { place, timing: false });
  const { compile: _compile, load: _load, ...description } = cudaBackendOn(found);
  return description;
}

/**
 * Computes what rank 0 of the communicator compiles and runs, until that closes its backend.
 * @throws SlalomError as `cudaBackend` does
 */
export async function followCudaBackend(
  options: CudaBackendOptions & Required<Pick<CudaBackendOptions, "communicator">>,
): Promise<void> {
  const backend = cudaBackend(options);
  followLeader(options.communicator, backend.load);
  await backend.close();
}

interface FindingOptions {
  /** This process among those that train together; absent: it is alone. */
  readonly place: Pick<Communicator, "rank" | "size"> | undefined;
  /** Whether it may time what nobody chose a route for yet. */
  readonly timing: boolean;
}

function foundBy(
  where: string,
  options: CudaBackendOptions,
  { place = { rank: 0, size: 1 }, timing }: FindingOptions,
): FoundDevices {
  checkKeys(where, options, optionNames);
  const { devices: ordinals = [0], precision = "float32", environment = {}, files = systemFiles } = options;
  const { routes = "fastest", compileCache = defaultCompileCache() } = options;
  if (!precisions.includes(precision)) throw unknownName("precision", precision, precisions, "option");
  if (!routeOptions.includes(routes)) throw unknownName("routes", routes, routeOptions, "option");
  const places = libraryPlaces(environment, files);
  const driver = openDriver(requireLibrary("driver", places, { files }).native);
  const served = { driverVersion: driver.version, files };
  const compiler = openCompiler(requireLibrary("nvrtc", places, served));
  checkDevices(ordinals, driver.deviceCount());
  const cached = withCache(compiler, compileCache);
  const devices = ordinals.map((ordinal) => {
    const facts = driver.device(ordinal);
    const target = targetFor(facts, compiler);
    return {
      facts,
      compile: (source: string, program: string) => cached.compile(source, target, program),
    };
  });
  const find = (name: CudaLibraryName): FoundLibrary | undefined =>
    routes === "own" ? undefined : findLibrary(name, places, served).library;
  const [lt, cudnn] = [find("cublasLt"), find("cudnn")];
  const ranks = ranksOf(options, ordinals.length, place, () => requireLibrary("nccl", places, served));
  const names = devices.map(({ facts }) => facts.name);
  const computing = [
    `compute capability ${[...new Set(devices.map(({ facts }) => facts.capability.join(".")))].join(" and ")}`,
    `driver for CUDA ${cudaVersion(driver.version)}`,
    compiler.title,
    lt ? `${lt.title} ${libraryVersion(lt)}` : "own products",
    cudnn ? `${cudnn.title} ${libraryVersion(cudnn)}` : "own convolutions",
    ...(precision === "float32" ? [] : [precision]),
  ];
  const isTimed = routes === "fastest" && (lt ?? cudnn) !== undefined;
  const found = [
    namesOf(names),
    ...computing,
    ...(isTimed ? ["fastest routes"] : []),
    ...(ranks ? [ranks.description] : []),
  ];
  return {
    description: `cuda (${found.join(", ")})`,
    driver,
    devices,
    emit: (plan, libraries) => emitCuda(plan, libraries, precision),
    precision,
    ...(lt && { openProducts: () => cublasLtProducts(new CublasLt(lt), precision) }),
    ...(cudnn && { openConvolutions: () => cudnnConvolutions(new Cudnn(cudnn), precision) }),
    ...(isTimed && {
      choices: new RouteChoices({
        folder: routesFolder(compileCache),
        on: [[...new Set(names)].join(" and "), ...computing],
        timing,
      }),
    }),
    ...(ranks && { ranks }),
  };
}

/** @throws SlalomError "device" unless all of them are visible, "option" unless each is asked for once */
function checkDevices(ordinals: readonly number[], count: number): void {
  const asked = `device${ordinals.length === 1 ? "" : "s"} ${ordinals.join(", ") || "none"}`;
  if (ordinals.length === 0 || new Set(ordinals).size < ordinals.length) {
    throw new SlalomError("option", `cuda: received ${asked}; expected at least one, each once.`);
  }
  if (ordinals.every((one) => Number.isInteger(one) && one >= 0 && one < count)) return;
  const visible =
    count === 0
      ? "no GPU is visible"
      : `${count} ${count === 1 ? "is" : "are"} visible; expected 0 to ${count - 1}`;
  throw new SlalomError(
    "device",
    `cuda: received ${asked}, and ${visible}. CUDA_VISIBLE_DEVICES says which are; \`slalom doctor\` lists them.`,
  );
}

/** How ranks train together; undefined for one. */
function ranksOf(
  { communicator, logicalRanks = 1 }: CudaBackendOptions,
  devices: number,
  { rank: process, size: processes }: Pick<Communicator, "rank" | "size">,
  findNccl: () => FoundLibrary,
): (FoundRanks & { readonly description: string }) | undefined {
  if (!Number.isInteger(logicalRanks) || logicalRanks < 1 || logicalRanks > mostLogicalRanks) {
    throw new SlalomError(
      "option",
      `cudaBackend: received ${logicalRanks} logical ranks; expected an integer from 1 to ${mostLogicalRanks}.`,
    );
  }
  const alone = devices * processes === 1;
  if (logicalRanks > 1) {
    if (!alone) {
      throw new SlalomError(
        "option",
        `cudaBackend: received ${logicalRanks} logical ranks and ${devices * processes} devices; expected one device: logical ranks are tests of what several do.`,
      );
    }
    return {
      description: `${logicalRanks} logical ranks on one GPU, for tests`,
      ofDevice: logicalRanks,
      process,
      processes,
      openSums: ([device]) => openLogicalSums(device, logicalRanks),
    };
  }
  if (alone) return undefined;
  const library = findNccl();
  const world = communicator && processes > 1 ? { communicator } : {};
  return {
    description: [
      `${library.title} ${libraryVersion(library)}`,
      `${devices * processes} ranks`,
      ...(processes > 1 ? [`${processes} processes`] : []),
    ].join(", "),
    ofDevice: 1,
    process,
    processes,
    ...world,
    ...(world.communicator && process === 0 && { others: new Processes(world.communicator) }),
    openSums: (ofRanks) => openNccl({ library, devices: ofRanks, ...world }),
  };
}

/** "2 x NVIDIA A100", "NVIDIA A100 and NVIDIA H100". */
function namesOf(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} x ${name}`)).join(" and ");
}
