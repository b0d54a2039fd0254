/** Choices among libraries' calls and our own kernels, by a driver whose clock moves as the test says. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { cudaBackendOn } from "../../../src/backends/cuda/backend.js";
import { emitCuda } from "../../../src/backends/cuda/kernels/index.js";
import type { Library, LibraryCall } from "../../../src/backends/cuda/libraryCalls.js";
import { loneKernels, ownKernelsFor, type RoutedKernel } from "../../../src/backends/cuda/loneKernels.js";
import type { ProductPrecision } from "../../../src/backends/cuda/products.js";
import { choicesIn, RouteChoices } from "../../../src/backends/cuda/routeChoices.js";
import { Routes } from "../../../src/backends/cuda/routes.js";
import { ownRoute } from "../../../src/backends/cuda/routeTrials.js";
import { attempt, SlalomError } from "../../../src/base/errors.js";
import type { Plan } from "../../../src/compile/plan.js";
import { planProgram } from "../../../src/compile/planProgram.js";
import type { Program } from "../../../src/compile/program.js";
import * as f from "../../../src/graph/index.js";
import { temporaryFolder } from "../../launch/support.js";
import { FakeDriver, type FakeDriverOptions, fakeFacts } from "./fakeDriver.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());
let folders = 0;
const newFolder = (): string => join(folder.path, `${folders++}`, "routes");

/** A convolution and a product; other numbers of images are other shapes. */
function program(images = 2): Program {
  const x = f.variable("x", [images, 6, 6, 3]);
  const w = f.variable("w", [4, 3, 3, 3]);
  const a = f.variable("a", [images, 8]);
  const b = f.variable("b", [8, 5]);
  return {
    name: "routed",
    variables: { x, w, a, b },
    entries: { step: { updates: {}, traces: { y: f.conv2d(x, w), c: f.matmul(a, b) } } },
    traceCapacity: 1,
  };
}

const kernelsOf = (plan: Plan): RoutedKernel[] =>
  plan.entries.step.kernels.filter((kernel): kernel is RoutedKernel =>
    ["gemm", "convolution"].includes(kernel.kind),
  );

/** Milliseconds of a library's calls by name; "fails" for those that a library refuses. */
type Script = Readonly<Record<string, number | "fails" | "fails in a capture">>;

interface Machine extends FakeDriverOptions {
  readonly products?: Script;
  readonly convolutions?: Script;
  /** Milliseconds of a launch of our own kernels. */
  readonly ownMs?: number;
  readonly branches?: number;
}

/** A device, libraries whose calls take as long as the script says, and what they were called for. */
function machine({ products, convolutions, ownMs = 1, branches = 1, ...options }: Machine) {
  const called: string[] = [];
  const driver = new FakeDriver({
    ...options,
    kernels: () => () => {
      // A millisecond is the driver's own.
      driver.nowMs += ownMs - 1;
    },
  });
  const library = (script: Script): Library<RoutedKernel> => ({
    callsFor: (kernel) =>
      Object.entries(script).map(
        ([name, ms]): LibraryCall => ({
          ...{ name, branches, workspaceBytes: 1000, usesKernels: false },
          enqueue({ inBranches }) {
            called.push(`${kernel.kind} by ${name}`);
            const before = called.filter((line) => line.endsWith(name)).length;
            if (ms === "fails" || (ms === "fails in a capture" && before > 1))
              throw new SlalomError("device", `${name} failed with 8.`);
            inBranches(branches, (_, { stream }) =>
              driver.stream(stream).stream.put({
                run: () => {
                  driver.nowMs += Number(ms) / branches;
                },
              }),
            );
          },
        }),
      ),
    release: () => {},
  });
  const libraries = {
    ...(products && { products: library(products) }),
    ...(convolutions && { convolutions: library(convolutions) }),
  };
  return { driver, called, libraries };
}

const compile = (source: string): Uint8Array => new TextEncoder().encode(source);

/** The routes on the first device, and on which of them each kernel of a program is. */
function routed(
  given: ReturnType<typeof machine>,
  choices: RouteChoices | undefined,
  { device = 0, compiling = compile, of = program(), precision = "float32" as ProductPrecision } = {},
): { readonly names: readonly string[]; readonly routes: Routes } {
  const context = given.driver.open(device);
  const plan = planProgram(of);
  const routes = new Routes(
    { context, compile: compiling },
    { ...given.libraries, precision, ...(choices && { choices }) },
  );
  const names = kernelsOf(plan).map((kernel) => routes.callFor(kernel, plan)?.name ?? ownRoute);
  context.release();
  return { names: names.sort(), routes };
}

const on = ["Test GPU", "cuDNN 9.1.0"];
const choicesOf = (where: string, timing = true, what = on): RouteChoices =>
  new RouteChoices({ folder: where, on: what, timing });
const timed = ({ driver }: ReturnType<typeof machine>): boolean =>
  driver.calls.some((line) => line.startsWith("cuEventElapsedTime"));

describe("the fastest route", () => {
  test("is taken for each shape, and written down with what all took", () => {
    const where = newFolder();
    const given = machine({ products: { p0: 3, p1: 0.5 }, convolutions: { c0: 5, c1: 4, c2: 9 }, ownMs: 2 });
    expect(routed(given, choicesOf(where)).names).toEqual([ownRoute, "p1"]);
    const kept = choicesIn(where).sort((one, two) => (one.computes < two.computes ? -1 : 1));
    expect(kept).toEqual([
      {
        computes: "convolution 2x6x6x3 * 4x3x3",
        on,
        route: ownRoute,
        us: { c0: 5000, c1: 4000, c2: 9000, [ownRoute]: 2000 },
        refused: {},
      },
      {
        computes: "product 2x5x8",
        on,
        route: "p1",
        us: { p0: 3000, p1: 500, [ownRoute]: 2000 },
        refused: {},
      },
    ]);
    expect(given.driver.held()).toEqual([]);
  });

  test("is told by many short calls in a row, and by one where it is long", () => {
    const given = machine({ products: { short: 0.05, long: 1, endless: 30 }, ownMs: 2 });
    routed(given, choicesOf(newFolder()));
    const times = (name: string) => given.called.filter((line) => line === `gemm by ${name}`).length;
    // First outside of captures, then one alone; five in a row make a quarter of a millisecond.
    expect([times("short"), times("long"), times("endless")]).toEqual([1 + 1 + 5, 1 + 1, 1 + 1]);
    const launches = given.driver.calls.filter((line) => line.startsWith("cuGraphLaunch"));
    // Once each; then five times each, but for those that took more than 20 ms or ten times as long as the best.
    expect(launches.length).toBe(4 + 5 * 1);
  });

  test("of lanes may fork, and is waited for where it joins", () => {
    const given = machine({ products: { forked: 3 }, branches: 3, ownMs: 20 });
    expect(routed(given, choicesOf(newFolder())).names).toEqual(["forked", ownRoute]);
    const lines = given.driver.lines();
    expect(lines).toContain(
      [
        "cuEventRecordWithFlags event4, stream1",
        "cuEventRecord event1, stream1",
        "cuStreamWaitEvent stream2, event1",
        "cuStreamWaitEvent stream3, event1",
        "cuEventRecord event2, stream2",
        "cuStreamWaitEvent stream1, event2",
        "cuEventRecord event3, stream3",
        "cuStreamWaitEvent stream1, event3",
        "cuEventRecordWithFlags event5, stream1",
      ].join("\n"),
    );
    expect(given.driver.held()).toEqual([]);
  });

  test("is the only one where libraries have none, and nothing is timed", () => {
    const given = machine({ products: {} });
    expect(routed(given, choicesOf(newFolder())).names).toEqual([ownRoute, ownRoute]);
    expect(timed(given)).toBe(false);
  });
});

describe("a choice", () => {
  const fast = { products: { p0: 3, p1: 0.5 }, convolutions: { c0: 1 }, ownMs: 2 };
  const slow = { products: { p0: 0.1, p1: 5 }, convolutions: { c0: 5 }, ownMs: 2 };

  test("is kept: later programs time nothing and compile nothing for it, whatever they would measure", () => {
    const where = newFolder();
    expect(routed(machine(fast), choicesOf(where)).names).toEqual(["c0", "p1"]);
    const later = machine(slow);
    const compiling = () => expect.unreachable("nothing is to be compiled");
    expect(routed(later, choicesOf(where), { compiling }).names).toEqual(["c0", "p1"]);
    expect(later.called).toEqual([]);
    // A program with one more shape times that alone.
    const more = machine({ ...slow, products: { p0: 0.1, p1: 5 } });
    routed(more, choicesOf(where), { of: program(3) });
    expect(
      choicesIn(where)
        .map(({ computes }) => computes)
        .sort(),
    ).toEqual([
      "convolution 2x6x6x3 * 4x3x3",
      "convolution 3x6x6x3 * 4x3x3",
      "product 2x5x8",
      "product 3x5x8",
    ]);
  });

  test("is of one kind of device with these libraries and what they offer", () => {
    const where = newFolder();
    routed(machine(fast), choicesOf(where));
    expect(routed(machine(slow), choicesOf(where, true, ["Test GPU", "cuDNN 9.2.0"])).names).toEqual([
      ownRoute,
      "p0",
    ]);
    const another = machine({ ...slow, products: { ...slow.products, p2: 0.05 } });
    expect(routed(another, choicesOf(where)).names).toEqual(["c0", "p2"]);
  });

  test("is shared by all devices of a process", () => {
    const given = machine({ ...fast, devices: 2 });
    const choices = choicesOf(newFolder());
    expect(routed(given, choices).names).toEqual(["c0", "p1"]);
    given.driver.lines();
    expect(routed(given, choices, { device: 1 }).names).toEqual(["c0", "p1"]);
    expect(timed(given)).toBe(false);
  });

  test("that another process made first counts", () => {
    const where = newFolder();
    const [first, second] = [choicesOf(where), choicesOf(where)];
    const key = first.keyOf("a kernel");
    expect(second.get(key)).toBeUndefined();
    first.keep(key, { computes: "a product", route: "p0", us: { p0: 1 }, refused: {} });
    second.keep(key, { computes: "a product", route: "p1", us: { p1: 2 }, refused: {} });
    for (const choices of [first, second, choicesOf(where)]) expect(choices.get(key)?.route).toBe("p0");
    expect(readdirSync(where)).toEqual([`${key}.json`]);
  });

  test("that is broken is made again", () => {
    const where = newFolder();
    routed(machine(fast), choicesOf(where));
    const paths = readdirSync(where).map((name) => join(where, name));
    const [whole] = paths.map((path) => readFileSync(path, "utf8"));
    const damages = [
      whole.slice(0, 40),
      "",
      "null",
      "[]",
      whole.replace(/"route": "[^"]*"/, '"route": "p7"'),
    ];
    for (const damage of damages) {
      for (const path of paths) writeFileSync(path, damage);
      expect(choicesIn(where), damage).toEqual([]);
      expect(routed(machine(slow), choicesOf(where)).names, damage).toEqual([ownRoute, "p0"]);
      expect(choicesIn(where)).toHaveLength(2);
    }
  });

  test("that can't be kept holds for the process", () => {
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    const choices = choicesOf(join(file, "routes"));
    const given = machine(fast);
    expect(routed(given, choices).names).toEqual(["c0", "p1"]);
    given.driver.lines();
    expect(routed(given, choices).names).toEqual(["c0", "p1"]);
    expect(timed(given)).toBe(false);
    expect(choicesIn(join(file, "routes"))).toEqual([]);
  });

  test("is not made by what only describes itself, which knows those that were", () => {
    const where = newFolder();
    mkdirSync(where, { recursive: true });
    const describing = machine(slow);
    expect(routed(describing, choicesOf(where, false)).names).toEqual(["c0", "p0"]);
    expect([timed(describing), readdirSync(where)]).toEqual([false, []]);
    routed(machine(fast), choicesOf(where));
    expect(routed(machine(slow), choicesOf(where, false)).names).toEqual(["c0", "p1"]);
    // Libraries alone, for comparison.
    expect(routed(machine(slow), undefined).names).toEqual(["c0", "p0"]);
  });
});

describe("a route that fails", () => {
  test.each(["fails", "fails in a capture"] as const)(
    "%s: is left out, and leaves nothing behind",
    (fails) => {
      const where = newFolder();
      const given = machine({ products: { p0: fails, p1: 3 }, convolutions: { c0: fails }, ownMs: 5 });
      expect(routed(given, choicesOf(where)).names).toEqual([ownRoute, "p1"]);
      const refusals = choicesIn(where).map(({ refused }) => refused);
      expect(refusals).toEqual(
        expect.arrayContaining([{ p0: "p0 failed with 8." }, { c0: "c0 failed with 8." }]),
      );
      expect(choicesIn(where).map(({ us }) => Object.keys(us).sort())).toEqual(
        expect.arrayContaining([[ownRoute], [ownRoute, "p1"]]),
      );
      expect(given.driver.held()).toEqual([]);
    },
  );

  test("is our own where its source does not compile, or a device refuses a launch", () => {
    const compiling = () => {
      throw new SlalomError("internal", "NVRTC does not compile it\nprogram.cu(7): error");
    };
    const where = newFolder();
    const given = machine({ products: { p0: 3, p1: 4 }, convolutions: { c0: 9 } });
    expect(routed(given, choicesOf(where), { compiling }).names).toEqual(["c0", "p0"]);
    expect(given.driver.held()).toEqual([]);
    expect(choicesIn(where).map(({ refused }) => refused)).toEqual([
      { [ownRoute]: "NVRTC does not compile it" },
      { [ownRoute]: "NVRTC does not compile it" },
    ]);
    const refusing = machine({
      ...{ products: { p0: 3, p1: 4 }, convolutions: { c0: 9 } },
      failing: (line) => (line.startsWith("cuLaunchKernel") ? "invalidValue" : undefined),
    });
    expect(routed(refusing, choicesOf(newFolder())).names).toEqual(["c0", "p0"]);
    expect(refusing.driver.held()).toEqual([]);
  });

  test("for any call of the driver leaves nothing behind", () => {
    const script = { products: { p0: 3, p1: 0.01 }, convolutions: { c0: 9 }, branches: 2 };
    const whole = machine(script);
    routed(whole, choicesOf(newFolder()));
    expect(whole.driver.calls.length).toBeGreaterThan(100);
    for (const failed of whole.driver.calls.keys()) {
      let call = 0;
      const given = machine({ ...script, failing: () => (call++ === failed ? "invalidValue" : undefined) });
      const { error } = { error: undefined, ...attempt(() => routed(given, choicesOf(newFolder()))) };
      if (error !== undefined) expect(error).toBeInstanceOf(SlalomError);
      const held = given.driver.held().filter((one) => !one.startsWith("context"));
      expect(held, whole.driver.calls[failed]).toEqual([]);
    }
  });

  test("like all others, for want of memory, leaves the library's guess, which nobody keeps", () => {
    const where = newFolder();
    const given = machine({
      ...{ products: { p0: 3, p1: 1 }, convolutions: { c0: 9 } },
      failing: (line) => (line.startsWith("cuMemAlloc") ? "outOfMemory" : undefined),
    });
    expect(routed(given, choicesOf(where)).names).toEqual(["c0", "p0"]);
    expect([given.driver.held(), choicesIn(where)]).toEqual([[], []]);
    // Tried once, for both at a time.
    expect(given.driver.calls.filter((line) => line.startsWith("cuMemAlloc"))).toHaveLength(1);
  });
});

describe("a backend", () => {
  function backendOn({ driver, libraries }: ReturnType<typeof machine>, where: string) {
    return cudaBackendOn({
      ...{ description: "cuda (Test GPU)", driver, emit: emitCuda, choices: choicesOf(where) },
      devices: [{ facts: fakeFacts, compile }],
      openProducts: () => libraries.products!,
      openConvolutions: () => libraries.convolutions!,
    });
  }

  test("runs programs by the routes that are chosen, and gives everything back", async () => {
    const where = newFolder();
    const given = machine({ products: { p0: 3, p1: 0.5 }, convolutions: { c0: 9 }, branches: 2, ownMs: 2 });
    const backend = backendOn(given, where);
    const executable = backend.compile(program());
    given.called.splice(0);
    executable.run("step");
    expect(given.called).toEqual(["gemm by p1"]);
    executable.release();
    expect(given.driver.held()).toEqual(["context x 1"]);
    await backend.close?.();
    expect(given.driver.held()).toEqual([]);
  });
});

describe("our own kernels", () => {
  test("are timed and told apart in the precision that the backend has", () => {
    const choices = choicesOf(newFolder());
    const compiledFor = (precision: ProductPrecision): string[] => {
      const sources: string[] = [];
      const compiling = (source: string): Uint8Array => {
        sources.push(source);
        return compile(source);
      };
      const given = machine({ products: { p: 1 }, convolutions: { c: 1 } });
      routed(given, choices, { compiling, precision });
      return sources;
    };
    const [exact, rounded] = [compiledFor("float32"), compiledFor("tf32")].map((sources) => sources.join(""));
    const tf32 = /multiplyTile<[^>]*tf32/;
    expect(exact).not.toMatch(tf32);
    expect(rounded).toMatch(tf32);
    // What was chosen is not timed again.
    expect(compiledFor("float32")).toEqual([]);
    expect(compiledFor("tf32")).toEqual([]);
  });
});

describe("a kernel by itself", () => {
  const sourceOf = (plan: Plan, kernel: RoutedKernel): string =>
    ownKernelsFor(loneKernels([{ kernel, plan }])).source;

  test("is the same in every program with its shape", () => {
    const plan = planProgram(program());
    const { variables, entries } = program();
    const more = { ...variables, before: f.variable("before", [64]) };
    const later = planProgram({
      ...{ name: "another", variables: more, traceCapacity: 7 },
      entries: { step: { ...entries.step, updates: { before: f.mul(more.before, 2) } } },
    });
    const sources = [plan, later].map((one) =>
      kernelsOf(one)
        .map((kernel) => sourceOf(one, kernel))
        .sort(),
    );
    expect(sources[1]).toEqual(sources[0]);
    expect(new Set(sources[0]).size).toBe(2);
    const other = planProgram(program(3));
    expect(kernelsOf(other).map((kernel) => sourceOf(other, kernel))).not.toContain(sources[0][0]);
  });

  test("is all of its launches, and not the end of a step", () => {
    const deep = f.variable("deep", [4000, 40]);
    const plan = planProgram({
      ...{ name: "deep", variables: { deep }, traceCapacity: 1 },
      entries: { step: { updates: {}, traces: { product: f.matmul(f.transpose(deep), deep) } } },
    });
    const planned = [
      ...kernelsOf(plan).map((kernel) => ({ kernel, plan })),
      ...kernelsOf(planProgram(program())).map((kernel) => ({ kernel, plan: planProgram(program()) })),
    ];
    const lone = loneKernels(planned);
    const own = ownKernelsFor(lone);
    // Blocks divide the depth of the first, and a second launch adds up.
    expect(own.launches.map((launches) => launches.length)).toEqual([2, 1, 1]);
    for (const { kernel } of own.launches.flat()) expect(own.source).toContain(` ${kernel}(`);
    expect(own.arenaBytes).toBeGreaterThan(lone.plan.arenaBytes);
  });
});
