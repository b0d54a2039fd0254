/** From graphs to plans: programs, passes, memory; and the interface that backends implement. */
export { type Backend, type BackendLabel, checkSteps, checkValues, type Executable } from "./backend.js";
export { optimize, passes } from "./optimize.js";
export type * from "./plan.js";
export { type PlanOptions, planProgram } from "./planProgram.js";
export { checkProgram, type Program, type ProgramEntry } from "./program.js";
