import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chosenGpu } from "../../src/cli/explainCuda.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { json, slalom } from "./cli.js";

const folder = temporaryFolder();
beforeAll(() => {
  folder.file("small.ts", smallStudy);
});
afterAll(() => folder.remove());

describe("slalom explain --backend cuda", () => {
  it("shows launches, what shares one, memory and a forecast, without a GPU", async () => {
    const { code, out } = await slalom(folder.path, "explain small.ts --backend cuda --gpu A100");
    expect(code).toBe(0);
    expect(out).toMatch(/\nmemory [\d.]+ kB in one block of the GPU, without workspaces of libraries\n/);
    expect(out).toMatch(
      /\nentry "step": 1 launch, 0 calls of libraries\n +command +blocks x threads +shared +FLOP +bytes +at least +bound by +computes\n +launch +\d x 256 .* 1\.50 us +launch +\d+ kernels:\n/,
    );
    expect(out).toMatch(/\n +same block +end of the step\n/);
    expect(out).toContain(
      "A forecast that nobody measured, from the data sheet of the A100 (compute capability 8.0)",
    );
    expect(out).toContain("\nfree on the device");
  });

  it("counts products of libraries, or our own in place of them", async () => {
    type Explained = {
      entries: { name: string; commands: { command: string; flops: number }[] }[];
      gpu: { name: string };
    };
    const of = async (more: string) => {
      const { entries, gpu } = (await json(
        folder.path,
        `explain mnist-softmax --backend cuda --gpu h200${more}`,
      )) as unknown as Explained;
      expect(gpu.name).toBe("H200");
      return entries.find(({ name }) => name === "step")!.commands;
    };
    const products = (await of("")).filter(({ command }) => command === "product");
    expect(products.map(({ flops }) => flops)).toEqual([2 * 100 * 784 * 10, 2 * 100 * 784 * 10]);
    expect((await of(" --own-kernels")).every(({ command }) => command === "launch")).toBe(true);
  });

  it("refuses a GPU that it has no data sheet of, and options of GPUs for the CPU", async () => {
    const unknown = await slalom(folder.path, "explain small.ts --backend cuda --gpu H10");
    expect(unknown.code).not.toBe(0);
    expect(unknown.err).toMatch(/GPU "H10".*H100/);
    const wrong = await slalom(folder.path, "explain small.ts --tf32");
    expect(wrong.code).not.toBe(0);
    expect(wrong.err).toContain("expected them with --backend cuda alone");
  });

  it("takes the figures of an H100 where there is no GPU", () => {
    expect(chosenGpu(undefined, { PATH: "" }).name).toMatch(/^[VAHB]\d00$/);
    expect(chosenGpu("b200", {}).capability).toEqual([10, 0]);
  });
});
