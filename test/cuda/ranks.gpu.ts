/** Logical ranks on one GPU against one rank. */
import { describe, expect, test } from "vitest";
import type { CudaBackendOptions } from "../../src/backends/cuda/index.js";
import { SlalomError } from "../../src/base/errors.js";
import { gpu } from "./gpu.js";
import { rankParity } from "./ranks.js";

type WithRanks = CudaBackendOptions & { readonly logicalRanks?: number };

/** Whether the backend knows of them; it names an option that it does not. */
async function hasLogicalRanks(): Promise<boolean> {
  const options: WithRanks = { logicalRanks: 2 };
  try {
    await gpu(options).close();
    return true;
  } catch (error) {
    if (error instanceof SlalomError && error.code === "option" && error.message.includes("logicalRanks"))
      return false;
    throw error;
  }
}

const known = await hasLogicalRanks();

describe.runIf(known)("logical ranks", () => {
  rankParity("cuda", (ranks) => {
    const options: WithRanks = { logicalRanks: ranks };
    return gpu(ranks === 1 ? {} : options);
  });
});

describe.runIf(!known)("a GPU of one rank", () => {
  test("refuses logical ranks, which this version does not have", () => {
    const options: WithRanks = { logicalRanks: 2 };
    expect(() => gpu(options)).toThrow(/logicalRanks/);
  });
});
