/** Ranks that are processes: worlds, and what their ranks do together. */
export { aloneCommunicator } from "./alone.js";
export {
  type Communicator,
  type FloatArray,
  type Member,
  type MovableArray,
  type Part,
  type PendingReduction,
  partOf,
  type Reduction,
} from "./communicator.js";
export { type Environment, type LaunchedWorld, type LauncherKind, launchedWorld } from "./launched.js";
export { type OpenCommunicatorOptions, openCommunicator } from "./open.js";
