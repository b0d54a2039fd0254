/** Who writes the kernels of a program. */
import { SlalomError } from "../../base/errors.js";
import type { EmitCuda } from "./commands.js";

/** Until kernels are emitted a program is refused. To join: `export { emitCuda } from "./kernels/index.js";`. */
export const emitCuda: EmitCuda = ({ name }) => {
  throw new SlalomError(
    "library",
    `program ${name}: this version of Slalom emits no kernels for GPUs yet. Take --backend cpu.`,
  );
};
