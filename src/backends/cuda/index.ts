/** The CUDA backend: fused kernels that NVRTC compiles, products by cuBLASLt, convolutions by cuDNN, steps as CUDA graphs. */
import { checkKeys, SlalomError, unknownName } from "../../base/errors.js";
import { type CudaBackend, cudaBackendOn } from "./backend.js";
import { defaultCompileCache, withCache } from "./compileCache.js";
import { cudnnConvolutions } from "./convolutions.js";
import { CublasLt } from "./cublasLt.js";
import { Cudnn } from "./cudnn.js";
import { cudaVersion } from "./driver.js";
import { emitCuda } from "./kernels/index.js";
import {
  type Environment,
  findLibrary,
  type LibraryFiles,
  libraryPlaces,
  libraryVersion,
  requireLibrary,
  systemFiles,
} from "./libraries.js";
import { openDriver } from "./nativeDriver.js";
import { openCompiler, targetFor } from "./nvrtc.js";
import { cublasLtProducts, type ProductPrecision } from "./products.js";

export type { CudaBackend } from "./backend.js";

export interface CudaBackendOptions {
  /** Number of the device among those that CUDA_VISIBLE_DEVICES leaves; default 0. */
  readonly device?: number;
  /**
   * How products of float32 are computed that the program does not round itself: "float32" (the default) as they are,
   * "tf32" by tensor cores that keep 10 bits of significand.
   */
  readonly precision?: ProductPrecision;
  /** Variables of the environment, which say where libraries are; by default none. */
  readonly environment?: Environment;
  /** Where compiled programs are kept; default `.cache/slalom/cuda` in the user's own folder. */
  readonly compileCache?: string;
  /** How libraries are looked for and opened; default: as the system does. */
  readonly files?: LibraryFiles;
}

const precisions = ["float32", "tf32"] as const;

/**
 * Programs run on one GPU, from the thread that made the backend.
 * @throws SlalomError "library" where the driver or NVRTC is not found, "device" where there is no such GPU or it can't be
 * used, "option" for an unknown option
 */
export function cudaBackend(options: CudaBackendOptions = {}): CudaBackend {
  checkKeys("cudaBackend", options, ["device", "precision", "environment", "compileCache", "files"]);
  const { device: ordinal = 0, precision = "float32", environment = {}, files = systemFiles } = options;
  if (!precisions.includes(precision)) throw unknownName("precision", precision, precisions, "option");
  const places = libraryPlaces(environment, files);
  const driver = openDriver(requireLibrary("driver", places, { files }).native);
  const served = { driverVersion: driver.version, files };
  const compiler = openCompiler(requireLibrary("nvrtc", places, served));
  const count = driver.deviceCount();
  if (!Number.isInteger(ordinal) || ordinal < 0 || ordinal >= count) {
    throw new SlalomError(
      "device",
      `cuda: received device ${ordinal}, and ${count === 0 ? "no GPU is visible" : `${count} ${count === 1 ? "is" : "are"} visible; expected 0 to ${count - 1}`}. CUDA_VISIBLE_DEVICES says which are; \`slalom doctor\` lists them.`,
    );
  }
  const facts = driver.device(ordinal);
  const target = targetFor(facts, compiler);
  const cached = withCache(compiler, options.compileCache ?? defaultCompileCache());
  const lt = findLibrary("cublasLt", places, served).library;
  const cudnn = findLibrary("cudnn", places, served).library;
  const found = [
    `compute capability ${facts.capability.join(".")}`,
    `driver for CUDA ${cudaVersion(driver.version)}`,
    compiler.title,
    lt ? `${lt.title} ${libraryVersion(lt)}` : "own products",
    cudnn ? `${cudnn.title} ${libraryVersion(cudnn)}` : "own convolutions",
    ...(precision === "float32" ? [] : [precision]),
  ];
  return cudaBackendOn({
    description: `cuda (${facts.name}, ${found.join(", ")})`,
    driver,
    facts,
    emit: emitCuda,
    compile: (source, program) => cached.compile(source, target, program),
    ...(lt && { openProducts: () => cublasLtProducts(new CublasLt(lt), precision) }),
    ...(cudnn && { openConvolutions: () => cudnnConvolutions(new Cudnn(cudnn), precision) }),
  });
}
