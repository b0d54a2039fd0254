/** Choices among routes on a GPU: made once, kept, and with the same bits by whoever finds them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { choicesIn, routesFolder } from "../../src/backends/cuda/routeChoices.js";
import { ownRoute } from "../../src/backends/cuda/routeTrials.js";
import type { TypedArray } from "../../src/base/dtype.js";
import type { Program } from "../../src/compile/program.js";
import { conv2d, matmul, mul, reshape, sum, variable } from "../../src/graph/index.js";
import { grad, withProductPrecision } from "../../src/transform/index.js";
import { unitsFrom } from "../support/numbers.js";
import { gpu } from "./gpu.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-routes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const x = variable("x", [50, 14, 14, 8]);
const w = variable("w", [16, 5, 5, 8]);
const weights = variable("weights", [14 * 14 * 16, 32]);

/** A convolution, a product and their gradients. */
function program(precision: "float32" | "bfloat16"): Program {
  const convolved = conv2d(x, w, { padding: "same" });
  const logits = matmul(reshape(convolved, [50, 14 * 14 * 16]), weights);
  const outputs = [logits, ...grad(sum(mul(logits, logits)), [x, w, weights])];
  const [value, byX, byW, byWeights] =
    precision === "bfloat16" ? withProductPrecision(outputs, precision) : outputs;
  return {
    ...{ name: "routes", variables: { x, w, weights }, traceCapacity: 1 },
    entries: { go: { updates: {}, traces: { value, byX, byW, byWeights } } },
  };
}

function results(precision: "float32" | "bfloat16", compileCache: string): TypedArray[] {
  const executable = gpu({ compileCache }).compile(program(precision));
  for (const [i, one] of [x, w, weights].entries()) {
    const next = unitsFrom(i + 1);
    const count = one.shape.reduce((product, extent) => product * extent, 1);
    executable.write(`${["x", "w", "weights"][i]}`, Float32Array.from({ length: count }, next));
  }
  executable.run("go");
  const values = ["value", "byX", "byW", "byWeights"].map((name) => executable.trace("go", name));
  executable.release();
  return values;
}

describe.each(["float32", "bfloat16"] as const)("routes in %s", (precision) => {
  test("are timed once, kept, and give the same bits to whoever finds them", () => {
    const cache = join(folder, precision);
    const first = results(precision, cache);
    const kept = choicesIn(routesFolder(cache));
    const kinds = kept.map(({ computes }) => computes.split(" ")[0]);
    expect(kinds.filter((kind) => kind === "product")).toHaveLength(3);
    // cuDNN may have nothing for one of the three.
    expect(kinds.filter((kind) => kind === "convolution").length).toBeLessThanOrEqual(3);
    for (const { computes, us, route, refused } of kept) {
      expect(refused, computes).toEqual({});
      expect(Object.keys(us)).toContain(ownRoute);
      expect(Object.keys(us).length).toBeGreaterThan(1);
      for (const time of Object.values(us)) expect(time).toBeGreaterThanOrEqual(us[route]);
      expect(us[route]).toBeGreaterThan(0);
    }
    expect(results(precision, cache)).toEqual(first);
    expect(choicesIn(routesFolder(cache))).toEqual(kept);
  });
});
