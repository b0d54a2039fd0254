/** Optimizers on a GPU against the recorded trajectories of their peers. */
import { gpu } from "./gpu.js";
import { trajectories } from "./trajectories.js";

trajectories("cuda", () => gpu());
