/** What the benchmarks say where a process that they measure is absent or dies, and that the roofs take any shape. */
import { afterEach, describe, expect, test } from "vitest";
import { Contestant, LineProcess } from "../../bench/contestant.js";
import { measureRoofs } from "../../bench/roofs.js";
import type { Product } from "../../bench/specification.js";
import { floorOf, flopsOf } from "../../bench/work.js";

const started: LineProcess[] = [];
afterEach(() => {
  for (const process of started.splice(0)) process.end();
});

function speaking(script: string): LineProcess {
  const child = new LineProcess(process.execPath, ["-e", script]);
  started.push(child);
  return child;
}

describe("a process that answers by lines", () => {
  test("gives its JSON lines and passes over others", async () => {
    const child = speaking('console.log("warming up"); console.log(JSON.stringify({ ready: true }));');
    expect(await child.next()).toEqual({ ready: true });
  });

  test("that dies is an error with its exit code and what it wrote to standard error", async () => {
    const child = speaking(
      'console.log("{}"); process.stdin.once("data", () => { console.error("no kernel\\nfor this"); process.exit(3); });',
    );
    expect(await child.next()).toEqual({});
    await expect(child.ask("run 1")).rejects.toThrow(/ended with code 3:\nno kernel\nfor this$/);
    // Asked again it says the same.
    await expect(child.ask("run 1")).rejects.toThrow(/ended with code 3/);
  });

  test("a signal is named where there are no words", async () => {
    const child = speaking('process.kill(process.pid, "SIGKILL")');
    await expect(child.next()).rejects.toThrow(/ended with SIGKILL:\nit ended without a word$/);
  });
});

test("a peer that does not start is absent, with the last line of its complaint", async () => {
  const peer = { library: "torch", form: "eager", threads: 1 } as const;
  const places = { python: "/nowhere/python", data: "" };
  expect(await Contestant.start(peer, { workload: "cnn" }, places)).toEqual({
    absent: expect.stringMatching(/ENOENT/),
  });
});

describe("roofs", () => {
  test("are measured for products of more than 8 MiB and for convolutions", async () => {
    const large: Product = { m: 20_000, n: 8, k: 200, transA: false, transB: false, count: 1 };
    const sizes = {
      images: 2,
      height: 8,
      width: 8,
      channels: 4,
      filters: 8,
      kernelHeight: 3,
      kernelWidth: 3,
    };
    const convolved: Product = {
      ...{ m: 128, n: 8, k: 36, transA: false, transB: true, count: 1 },
      convolution: {
        ...{ ...sizes, outputHeight: 8, outputWidth: 8, direction: "forward", dtype: "float32" },
        ...{ stride: [1, 1], dilation: [1, 1], groups: 1, bias: false, relu: false },
        padding: [
          [1, 1],
          [1, 1],
        ],
      },
    };
    const roofs = await measureRoofs([large, convolved], { ranks: 1, rounds: 1 });
    expect(roofs.productGflops).toHaveLength(2);
    for (const rate of [...roofs.productGflops, roofs.gigabytesPerS]) expect(rate).toBeGreaterThan(0);
    expect(roofs.gflops).toBeGreaterThanOrEqual(Math.max(...roofs.productGflops));
  });

  test("give a floor: arithmetic at the best rate of all and bytes; products each at their own", () => {
    const products: Product[] = [
      { m: 100, n: 100, k: 100, transA: false, transB: false, count: 2 },
      { m: 10, n: 10, k: 10, transA: false, transB: false, count: 0.5 },
    ];
    const work = { products, bytes: 4e9 };
    expect(flopsOf(work)).toBe(4e6 + 1e3);
    const roofs = { ranks: 1, gflops: 4, productGflops: [2, 1], gigabytesPerS: 8 };
    expect(floorOf(work, roofs).floorS).toBeCloseTo(4.001e6 / 4e9 + 0.5, 12);
    expect(floorOf(work, roofs).productsS).toBeCloseTo(4e6 / 2e9 + 1e3 / 1e9, 12);
  });
});
