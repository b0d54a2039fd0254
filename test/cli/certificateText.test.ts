/** Certificates in words: what is told of each quantity, the three verdicts, and those that earlier versions kept. */
import { describe, expect, test } from "vitest";
import { certificateText } from "../../src/cli/certificateText.js";
import { scalingText } from "../../src/cli/scaleText.js";
import { styleFor } from "../../src/cli/style.js";
import type { Certificate, StoredCertificate } from "../../src/lab/certificate.js";
import type { ScalingStudy } from "../../src/lab/scaling.js";
import { scalingFigures } from "../../src/report/index.js";

const style = styleFor(false);

const quantity = (
  name: string,
  difference: number,
  most = difference,
): Certificate["quantities"][number] => ({
  name,
  difference,
  rounding: 1e-6,
  bound: 8e-6,
  most,
  mostBound: 0.05,
});

const stored: StoredCertificate = {
  study: "small",
  optimizer: "Adam",
  backend: "cpu",
  ranks: 2,
  processes: 1,
  batchSize: 40,
  precision: "float32",
  steps: 20,
  examplesPerRank: 400,
  summedPerStep: { tensors: 3, bytes: 1200 },
  difference: { loss: 1e-7, parameters: 2e-6, worst: "dense1.bias" },
  rounding: { loss: 1e-7, parameters: 1e-6, worst: "dense1.bias" },
  bound: { loss: 8e-7, parameters: 8e-6, worst: "dense1.bias" },
  against: "whole batches",
  passed: true,
};

const passed: Certificate = {
  ...stored,
  stretches: 10,
  quantities: ["dense1.bias", "w1", "w2", "w3", "w4", "w5"].map((name) => quantity(name, 2e-6)),
  undetermined: [],
  verdict: "passed",
};
const quantities = [...passed.quantities, quantity("loss", 1e-7)];

describe("a certificate in words", () => {
  test("shows the loss and the four quantities that are nearest to their bounds", () => {
    const lines = certificateText({ ...passed, quantities }, { style }).split("\n");
    expect(lines[0]).toBe(
      "small, Adam: 2 ranks against one rank with whole batches, 20 steps in 10 stretches, batch 40, float32",
    );
    expect(lines.slice(1, 8).map((line) => line.split(/ {2,}/)[0])).toEqual([
      "relative difference",
      "loss",
      "dense1.bias",
      "w1",
      "w2",
      "w3",
      "and 2 quantities farther from the bound",
    ]);
    expect(lines[3]).toMatch(/^dense1\.bias +2\.0e-6 +1\.0e-6 +8\.0e-6 {2}within$/);
    expect(lines.at(-1)).toBe("PASSED: 2 ranks train what one rank trains");
  });

  test("names what is beyond its bound, in most stretches or in one", () => {
    const wrong = [quantity("w", 2e-5), quantity("b", 1e-6, 0.3), quantity("loss", 1e-7)];
    const text = certificateText(
      { ...passed, quantities: wrong, verdict: "failed", passed: false },
      { style },
    );
    expect(text).toMatch(/^w +2\.0e-5 .* beyond$/m);
    expect(text).toMatch(/^b .* beyond: 3\.0e-1 in one stretch, at most 5\.0e-2$/m);
    expect(text).toMatch(/^FAILED: 2 ranks train something else than one rank\. Farthest off is w\.$/m);
  });

  test("names what rounding decides, and does not pass where that is most", () => {
    const undetermined = ["a", "b", "c", "d", "e"];
    const text = certificateText(
      { ...passed, quantities, undetermined, verdict: "inconclusive", passed: false, processes: 2 },
      { style },
    );
    expect(text).toContain("Decided by rounding, so nothing is known of a, b, c and 2 more.");
    expect(text).toContain("2 ranks in 2 processes against one rank");
    expect(text).toMatch(/^INCONCLUSIVE: rounding hides most of what is trained\. Take fewer steps/m);
  });
});

describe("a scaling study", () => {
  const scaling = (certificate: StoredCertificate): ScalingStudy => {
    const point = {
      processes: 1,
      batchSize: 40,
      stepS: { median: 1, least: 1, greatest: 1 },
      examplesPerS: 40,
    };
    const shared = certificate.passed ? { speedup: 1, efficiency: 0.5 } : {};
    const points = [
      { ...point, ranks: 1, speedup: 1, efficiency: 1 },
      { ...point, ranks: 2, ...shared, certificate },
    ];
    const curves = [{ batchSize: 40, points, paysUpTo: 1 }];
    return { study: "small", optimizer: "Adam", mode: "strong", backend: "cpu", date: "2025-01-01", curves };
  };

  test.each<[string, StoredCertificate]>([
    ["passed", stored],
    ["passed", passed],
    ["FAILED", { ...stored, passed: false }],
    ["FAILED", { ...passed, passed: false, verdict: "failed" }],
    ["inconclusive", { ...passed, passed: false, verdict: "inconclusive" }],
  ])("tells a certificate, also one of earlier versions: %s", (word, certificate) => {
    const told = scaling(certificate);
    expect(scalingText(told, { style }).split("\n")[3]).toMatch(new RegExp(` ${word}$`));
    if (word === "passed") expect(scalingFigures(told)).toHaveLength(3);
    else expect(() => scalingFigures(told)).toThrow(/2 ranks have no certificate that passed/);
  });
});
