/** Whole programs, with tensors that several blocks share, as emitted CUDA C on the CPU against reference. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../../../src/backends/reference/index.js";
import { allocate, type TypedArray } from "../../../../src/base/dtype.js";
import { sizeOf } from "../../../../src/base/shape.js";
import type { Backend } from "../../../../src/compile/backend.js";
import type { Program } from "../../../../src/compile/program.js";
import { unitsFrom } from "../../../support/numbers.js";
import { Emulation, missingCompiler } from "./emulation.js";
import {
  imagesProgram,
  largeProgram,
  productsProgram,
  regressionProgram,
  updatesProgram,
} from "./programs.js";
import { checkProgram } from "./structure.js";

const programs: readonly (readonly [string, Program])[] = [
  ["softmax regression", regressionProgram()],
  ["a convolutional network", imagesProgram(4)],
  ["a convolutional network whose products round to bfloat16", imagesProgram(2, "bfloat16")],
  ["products", productsProgram()],
  ["updates of many parameters", updatesProgram(20)],
  ["reductions over large tensors, scattered rows", largeProgram()],
];
const steps = 3;

/** All variables and traces after some steps from values between -1 and 1; integers from 0 to 499. */
function results(backend: Backend, program: Program): Record<string, TypedArray> {
  const executable = backend.compile(program);
  const next = unitsFrom(9);
  for (const [name, { shape, dtype }] of Object.entries(program.variables)) {
    const values = allocate(dtype, sizeOf(shape));
    for (let i = 0; i < values.length; i++) {
      const unit = next();
      values[i] = dtype === "int32" ? Math.floor(Math.abs(unit) * 500) : unit;
    }
    executable.write(name, values);
  }
  const run = Math.min(steps, program.traceCapacity);
  executable.run("step", run);
  const found = Object.fromEntries([
    ...Object.keys(program.variables).map((name) => [name, executable.read(name)]),
    ...Object.keys(program.entries.step.traces).map((name) => [name, executable.trace("step", name)]),
  ]);
  executable.release();
  return found;
}

/** The greatest difference, relative to the greatest expected value. */
function greatestError(received: TypedArray, expected: TypedArray): number {
  expect(received.length).toBe(expected.length);
  let scale = 1e-30;
  let error = 0;
  expected.forEach((value, i) => {
    scale = Math.max(scale, Math.abs(value));
    error = Math.max(
      error,
      Number.isNaN(received[i]) ? Number.POSITIVE_INFINITY : Math.abs(received[i] - value),
    );
  });
  return error / scale;
}

const missing = missingCompiler();

describe.skipIf(missing)(`emitted programs on the CPU${missing ? `: ${missing}` : ""}`, () => {
  const emulation = new Emulation(checkProgram);
  beforeAll(async () => {
    for (const [, program] of programs) emulation.add(program);
    await emulation.compile();
  }, 600_000);
  afterAll(() => emulation.release());

  test.each(programs)("%s", { timeout: 300_000 }, (_, program) => {
    const received = results(emulation.backend(), program);
    const expected = results(referenceBackend(), program);
    for (const [name, values] of Object.entries(expected))
      expect.soft(greatestError(received[name], values), name).toBeLessThan(2e-5);
  });
});
