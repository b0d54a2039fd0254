/** Functions that loops call: float64 functions of the host, and helpers that every module of loops has. */
import type { PlanBuffer } from "../../../compile/plan.js";
import {
  type Code,
  call,
  type FunctionReference,
  type ModuleBuilder,
  type WasmFeatures,
} from "../wasm/index.js";
import { definePermute, type PermuteFunction } from "./random.js";

/** What a module with loops imports as `math`: `instantiate(module, { math: mathImports, env: { memory } })`. */
export const mathImports = {
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  pow: Math.pow,
} as const;

export type MathName = keyof typeof mathImports;
type UnaryMathName = Exclude<MathName, "pow">;

const unaryParameters = { x: "f64" } as const;
const powParameters = { x: "f64", y: "f64" } as const;

type MathFunctions = {
  readonly [N in UnaryMathName]: FunctionReference<typeof unaryParameters, "f64">;
} & { readonly pow: FunctionReference<typeof powParameters, "f64"> };

/** A module under construction, and all that loops in it need. */
export interface LoopTarget {
  readonly module: ModuleBuilder;
  readonly buffers: readonly PlanBuffer[];
  readonly features: WasmFeatures;
  readonly math: MathFunctions;
  readonly permute: PermuteFunction;
}

/**
 * Prepares `module` for `emitLoop` and `emitScatterAdd`: imports `math`, adds helpers.
 *
 * Call it after the module's other imports and before its first function.
 */
export function createLoopTarget(
  module: ModuleBuilder,
  buffers: readonly PlanBuffer[],
  features: WasmFeatures,
): LoopTarget {
  const unary = (name: UnaryMathName) =>
    module.importFunction({ module: "math", name }, { parameters: unaryParameters, result: "f64" });
  const math: MathFunctions = {
    exp: unary("exp"),
    log: unary("log"),
    log1p: unary("log1p"),
    sin: unary("sin"),
    cos: unary("cos"),
    tanh: unary("tanh"),
    pow: module.importFunction({ module: "math", name: "pow" }, { parameters: powParameters, result: "f64" }),
  };
  return { module, buffers, features, math, permute: definePermute(module) };
}

/** A call of a float64 function; operands: one, for pow two. */
export function callMath(target: LoopTarget, name: MathName, operands: readonly Code<"f64">[]): Code<"f64"> {
  const [x, y] = operands;
  return name === "pow" ? call(target.math.pow, { x, y }) : call(target.math[name], { x });
}
