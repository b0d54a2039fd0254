/** What there is of CUDA on this machine, for `slalom doctor`. */
import { reasonOf } from "../../native/library.js";
import { cudaVersion, type DeviceFacts, type DeviceMemory, type Driver } from "./driver.js";
import {
  type CudaLibraryKind,
  type CudaLibraryName,
  type CudaRejection,
  cudaLibraryKinds,
  type Environment,
  findLibrary,
  type LibraryFiles,
  libraryPlaces,
  libraryVersion,
  requireLibrary,
  systemFiles,
} from "./libraries.js";
import { openDriver } from "./nativeDriver.js";

export interface CudaProbe {
  /** Of libraries that were found, the driver's first. */
  readonly libraries: readonly CudaLibraryProbe[];
  readonly missing: readonly MissingLibrary[];
  readonly devices: readonly DeviceProbe[];
  /** Pairs of devices, and whether they reach each other's memory without the host. */
  readonly links: readonly { readonly between: readonly [number, number]; readonly peers: boolean }[];
  /** Why the driver serves no device; undefined where it does, or where there is none. */
  readonly problem?: string;
}

export interface CudaLibraryProbe {
  readonly name: CudaLibraryName;
  readonly title: string;
  readonly version: string;
  readonly path: string;
}

export interface MissingLibrary extends Pick<CudaLibraryKind, "title" | "install" | "without"> {
  readonly name: CudaLibraryName;
  readonly rejections: readonly CudaRejection[];
}

export interface DeviceProbe extends DeviceFacts {
  /** Undefined where the device can't be used. */
  readonly freeBytes?: number;
  /** Why it can't be used. */
  readonly problem?: string;
}

/** What a process sees of CUDA without taking a device. */
export interface CudaSight {
  /** The newest CUDA that the driver runs, such as 12040. */
  readonly driverVersion: number;
  readonly devices: readonly DeviceFacts[];
  /** What it would call. */
  readonly libraries: readonly CudaLibraryProbe[];
}

export interface ProbeOptions {
  /** Variables of the environment, which say where libraries are. */
  readonly environment: Environment;
  readonly files?: LibraryFiles;
}

/** Looks for libraries, starts the driver and takes every device for a moment. */
export function probeCuda({ environment, files = systemFiles }: ProbeOptions): CudaProbe {
  const places = libraryPlaces(environment, files);
  const libraries: CudaLibraryProbe[] = [];
  const missing: MissingLibrary[] = [];
  let driver: Driver | undefined;
  let problem: string | undefined;
  for (const name of Object.keys(cudaLibraryKinds) as CudaLibraryName[]) {
    const served = driver ? { driverVersion: driver.version, files } : { files };
    const { library, rejections } = findLibrary(name, places, served);
    if (library === undefined) {
      const { title, install, without } = cudaLibraryKinds[name];
      missing.push({ name, title, install, without, rejections });
      continue;
    }
    let version = "";
    if (name === "driver") {
      try {
        driver = openDriver(library.native);
        version = cudaVersion(driver.version);
      } catch (error) {
        problem = reasonOf(error);
      }
    } else version = libraryVersion(library);
    libraries.push({ name, title: library.title, version, path: library.path });
  }
  const devices = driver ? devicesOf(driver) : [];
  return {
    libraries,
    missing,
    devices,
    links: driver ? linksOf(driver, devices) : [],
    ...(problem !== undefined && { problem }),
  };
}

/** @throws SlalomError "library" where the driver is not found, "device" where it serves no device */
export function lookAtCuda({ environment, files = systemFiles }: ProbeOptions): CudaSight {
  const places = libraryPlaces(environment, files);
  const driver = openDriver(requireLibrary("driver", places, { files }).native);
  const served = { driverVersion: driver.version, files };
  const names = (Object.keys(cudaLibraryKinds) as CudaLibraryName[]).filter((name) => name !== "driver");
  return {
    driverVersion: driver.version,
    devices: Array.from({ length: driver.deviceCount() }, (_, ordinal) => driver.device(ordinal)),
    libraries: names.flatMap((name) => {
      const { library } = findLibrary(name, places, served);
      if (library === undefined) return [];
      return [{ name, title: library.title, version: libraryVersion(library), path: library.path }];
    }),
  };
}

function devicesOf(driver: Driver): DeviceProbe[] {
  return Array.from({ length: driver.deviceCount() }, (_, ordinal) => {
    const facts = driver.device(ordinal);
    try {
      return { ...facts, freeBytes: memoryOf(driver, ordinal).freeBytes };
    } catch (error) {
      return { ...facts, problem: reasonOf(error) };
    }
  });
}

function memoryOf(driver: Driver, ordinal: number): DeviceMemory {
  const context = driver.open(ordinal);
  try {
    return context.memory();
  } finally {
    context.release();
  }
}

function linksOf(driver: Driver, devices: readonly DeviceProbe[]): CudaProbe["links"] {
  return devices.flatMap(({ ordinal: a }) =>
    devices.slice(a + 1).map(({ ordinal: b }) => ({
      between: [a, b] as const,
      peers: driver.reachesPeer(a, b) && driver.reachesPeer(b, a),
    })),
  );
}
