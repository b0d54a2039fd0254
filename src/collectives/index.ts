/** Ranks that are processes: worlds, and what their ranks do together. */
export { type Part, partOf } from "../base/parts.js";
export { aloneCommunicator } from "./alone.js";
export type {
  Communicator,
  FloatArray,
  Member,
  MovableArray,
  PendingExchange,
  Reduction,
} from "./communicator.js";
export { type Environment, type LaunchedWorld, type LauncherKind, launchedWorld } from "./launched.js";
export { type OpenCommunicatorOptions, openCommunicator } from "./open.js";
