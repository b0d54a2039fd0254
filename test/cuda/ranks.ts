/** Trainings shared by ranks of a backend against one rank, and the certificate that says so. */
import { afterAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/compile/backend.js";
import { certify } from "../../src/lab/certificate.js";
import { study } from "../../src/lab/index.js";
import { blobs } from "../../src/learn/datasets/index.js";
import { perceptron } from "../../src/learn/models/index.js";
import { adam, momentum } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { classifying } from "../train/support.js";
import { largestDifference, trainedValues } from "../train/values.js";

/** All tests of one backend on 1 and 2 ranks; `make` is called once for each. */
export function rankParity(name: string, make: (ranks: number) => Backend): void {
  describe(`${name}: ranks`, () => {
    const [one, two] = [make(1), make(2)];
    afterAll(() => Promise.all([one, two].map((backend) => backend.close?.())));

    test.each([
      ["momentum", momentum({ lr: [0.1, 0.2], momentum: 0.9 })],
      ["Adam", adam({ lr: 1e-3, eps: 1e-3 })],
    ] as const)("2 ranks train what 1 trains, with %s", async (_, choice) => {
      expect(two.ranks).toBe(2);
      const training = await classifying(choice, { hidden: 40, steps: 30 });
      const [alone, shared] = [one, two].map((backend) => trainedValues(training, backend));
      expect(largestDifference(alone, shared)).toBeLessThanOrEqual(2e-4);
      expect(trainedValues(training, two)).toEqual(shared);
    });

    test("2 ranks get the parity certificate", async () => {
      const certificate = await certify(
        study({
          name: "certified",
          problem: classificationProblem({
            dataset: blobs({ classes: 4, count: 400 }),
            model: perceptron({ hidden: [48], dropout: 0.3 }),
          }),
          optimizers: [adam({ lr: 1e-2 })],
          epochs: 10,
          batchSize: 40,
        }),
        { backend: two, steps: 30 },
      );
      expect(certificate).toMatchObject({ ranks: 2, batchSize: 40, against: "whole batches", passed: true });
    });
  });
}
