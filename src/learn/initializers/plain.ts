/** Initializers whose spread is stated: fixed values, uniform, normal, truncated normal. */
import { SlalomError } from "../../base/errors.js";
import { add, full, mul, randomNormal, randomTruncatedNormal, randomUniform } from "../../graph/index.js";
import { type Initializer, namedInitializer } from "./initializer.js";

/** 0 everywhere. For weights only where the loss is convex: equal hidden units would stay equal. */
export const zeroValues: Initializer = (_key, shape) => full(shape, 0);

/** `value` everywhere: any finite number. */
export function constantValue(value: number): Initializer {
  if (!Number.isFinite(value)) throw refuse("constantValue", "value", value, "a finite number");
  return namedInitializer(`constantValue(${value})`, (_key, shape) => full(shape, value));
}

/** Uniform on [-limit, limit); `limit` above 0. Standard deviation: limit / sqrt 3. */
export function uniform(limit: number): Initializer {
  requirePositive("uniform", "limit", limit);
  return namedInitializer(`uniform(${limit})`, (key, shape) =>
    add(mul(randomUniform(key, shape), 2 * limit), -limit),
  );
}

/** Normal with mean 0 and standard deviation `sigma`, above 0. */
export function normal(sigma: number): Initializer {
  requirePositive("normal", "sigma", sigma);
  return namedInitializer(`normal(${sigma})`, (key, shape) => mul(randomNormal(key, shape), sigma));
}

/**
 * Normal with mean 0 and standard deviation `sigma` (above 0), cut to [-2 sigma, 2 sigma]: what remains has
 * standard deviation 0.8796 sigma, as TensorFlow's `truncated_normal` has.
 */
export function truncatedNormal(sigma: number): Initializer {
  requirePositive("truncatedNormal", "sigma", sigma);
  return namedInitializer(`truncatedNormal(${sigma})`, (key, shape) =>
    mul(randomTruncatedNormal(key, shape), sigma),
  );
}

function requirePositive(operation: string, option: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value)))
    throw refuse(operation, option, value, "a finite number above 0");
}

const refuse = (operation: string, option: string, value: number, expected: string): SlalomError =>
  new SlalomError("option", `${operation}: received ${option} ${value}; expected ${expected}.`);
