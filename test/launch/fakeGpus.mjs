/**
 * The command line on a machine with GPUs that are fakes: NODE_OPTIONS="--import .../fakeGpus.mjs". What the CUDA backend
 * finds and computes comes from `fakeGpuBackend.mjs`, in the main thread and in workers; all else is the real thing.
 */
import { register } from "node:module";

register("./fakeGpuHooks.mjs", import.meta.url);
