/** What may begin at once, and what a plan in waves takes of memory. */
import { describe, expect, test } from "vitest";
import { kernelEffects } from "../../src/compile/kernelEffects.js";
import type { Plan } from "../../src/compile/plan.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { type Company, type Wave, wavesOf } from "../../src/compile/waves.js";
import * as f from "../../src/graph/index.js";

/** Tasks by name: who waits for whom, in what company, and which are small. */
function waves(
  tasks: readonly { name: string; waits?: string; company?: Company; isSmall?: boolean }[],
): string {
  const found = wavesOf(tasks, {
    waits: ({ waits = "" }, { name }) => waits.includes(name),
    company: ({ company = "loop" }) => company,
    follows: ({ isSmall = false }, earlier) => isSmall && (earlier.isSmall ?? false),
  });
  const text = (wave: Wave): string =>
    wave
      .map((sequence) => sequence.map((level) => level.map((n) => tasks[n].name).join("")).join(">"))
      .join(" ");
  return found.map(text).join(" | ");
}

describe("waves", () => {
  test("hold what waits for nothing of one another, as early as it can be", () => {
    expect(waves([{ name: "a" }, { name: "b", waits: "a" }, { name: "c" }, { name: "d", waits: "c" }])).toBe(
      "a c | b d",
    );
  });

  test("hold one kind of task, calls of libraries by themselves", () => {
    const alone = "alone" as const;
    const product = "product" as const;
    const tasks = [{ name: "a" }, { name: "p", company: product }, { name: "q", company: product }];
    expect(waves([...tasks, { name: "x", company: alone }, { name: "y", company: alone }])).toBe(
      "x | y | p q | a",
    );
  });

  test("put off loops until no product is ready: the fewest waves of loops", () => {
    expect(
      waves([
        { name: "a" },
        { name: "b", waits: "a" },
        { name: "p", company: "alone" },
        { name: "c", waits: "p" },
        { name: "q", waits: "c", company: "alone" },
        { name: "d", waits: "q" },
      ]),
    ).toBe("p | a c | q | b d");
  });

  test("put off what only waits until nothing else is left, and then take one at a time", () => {
    const late = "late" as const;
    const sums = [
      { name: "s", company: "alone" as const },
      { name: "S", waits: "s", company: late },
      { name: "t", company: "alone" as const },
      { name: "T", waits: "t", company: late },
    ];
    expect(waves([...sums, { name: "a" }, { name: "u", waits: "S" }, { name: "v", waits: "T" }])).toBe(
      "s | t | a | S | u | T | v",
    );
  });

  test("let small tasks follow small ones that they wait for, in levels", () => {
    const small = (name: string, waits?: string) => ({ name, isSmall: true, ...(waits && { waits }) });
    expect(
      waves([
        small("a"),
        small("b"),
        small("c", "ab"),
        small("d", "a"),
        small("e", "cd"),
        { name: "f", waits: "a" },
        small("g", "f"),
        small("h"),
      ]),
    ).toBe("ab>cd>e h | f | g");
  });

  test("hold at most 64 tasks", () => {
    const found = wavesOf(
      Array.from({ length: 100 }, (_, n) => n),
      { waits: () => false, company: () => "loop" },
    );
    expect(found.map(({ length }) => length)).toEqual([64, 36]);
  });
});

describe("a plan in waves", () => {
  /** The sums of rows of several matrices, each taken off its matrix; and large noise that is used at the end. */
  function plan(options: { waves: boolean }): Plan {
    const key = f.variable("key", [2], "int32");
    const noise = f.randomUniform(key, [64, 1000]);
    let x: f.Tensor = f.variable("x", [64, 1000]);
    const variables = { key, x };
    for (let n = 0; n < 3; n++) x = f.sub(x, f.sum(f.square(x), { axis: 1, keepDims: true }));
    const y = f.mul(x, noise);
    const updates = { x: f.sub(y, f.sum(f.mul(noise, y), { axis: 1, keepDims: true })) };
    return planProgram(
      { name: "sums", variables, entries: { step: { updates, traces: {} } }, traceCapacity: 1 },
      options,
    );
  }
  const namesOf = ({ entries }: Plan): string[] => entries.step.kernels.map(({ name }) => name);

  test("makes what is large no sooner than it is needed", () => {
    const inWaves = plan({ waves: true });
    const at = namesOf(inWaves).findIndex((name) => name.includes("randomUniform"));
    const before = inWaves.entries.step.kernels.slice(0, at);
    expect(before.filter(({ name }) => name.includes("sum")).length).toBeGreaterThanOrEqual(2);
    expect(inWaves.arenaBytes).toBeLessThanOrEqual(plan({ waves: false }).arenaBytes);
  });

  test("has the kernels that any plan has", () => {
    const [some, others] = [true, false].map((waves) => namesOf(plan({ waves })).sort());
    expect(some).toEqual(others);
  });

  test("gives kernels of a wave memory of their own", () => {
    const [a, b] = ["a", "b"].map((name) => f.variable(name, [1000]));
    const scaled = [a, b].map((x) => f.sub(x, f.max(f.mul(x, x))));
    const program = {
      name: "two",
      variables: { a, b },
      entries: { step: { updates: { a: scaled[0], b: scaled[1] }, traces: {} } },
      traceCapacity: 1,
    };
    const { buffers, entries } = planProgram(program, { waves: true });
    const places = entries.step.kernels.slice(0, 2).map((kernel) => buffers[kernelEffects(kernel).writes[0]]);
    expect(places.map(({ role }) => role)).toEqual(["temporary", "temporary"]);
    expect(places[0].offset).not.toBe(places[1].offset);
  });
});
