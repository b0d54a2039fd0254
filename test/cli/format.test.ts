import { describe, expect, it } from "vitest";
import { SlalomError } from "../../src/base/errors.js";
import { batchSize, positiveInteger, setting, target } from "../../src/cli/arguments.js";
import { columns, wrapped } from "../../src/cli/columns.js";
import { adviceFor } from "../../src/cli/doctor.js";
import { errorText, exitCodeOf } from "../../src/cli/exit.js";
import { processOutput, usesColour } from "../../src/cli/output.js";
import { liveLines, plainLine } from "../../src/cli/progress.js";
import { milliseconds } from "../../src/cli/scaleText.js";
import { styleFor } from "../../src/cli/style.js";
import { formatMetric } from "../../src/cli/train.js";
import type { StudyProgress } from "../../src/lab/index.js";

const plain = styleFor(false);

describe("values of options", () => {
  it("are numbers, or the error says what is expected", () => {
    expect(positiveInteger("12")).toBe(12);
    for (const text of ["0", "-1", "1.5", "1e3", "", "x"])
      expect(() => positiveInteger(text)).toThrow(/positive integer/);
    expect(batchSize("full")).toBe("full");
    expect(setting("lr=1e-3", { momentum: 0.9 })).toEqual({ momentum: 0.9, lr: 1e-3 });
    expect(() => setting("lr")).toThrow(/name=value/);
    expect(() => setting("lr=0.1,0.2")).toThrow(/"0\.1,0\.2" is no number/);
    expect(target("testAccuracy=0.9", [{ metric: "trainLoss", value: 1 }])).toEqual([
      { metric: "trainLoss", value: 1 },
      { metric: "testAccuracy", value: 0.9 },
    ]);
    expect(() => target("testAccuracy")).toThrow(/metric=value/);
  });
});

describe("text", () => {
  it("stands in columns, numbers to the right", () => {
    const rows = [
      ["a", "1"],
      ["long", "100"],
    ];
    expect(columns(rows, { header: ["name", "n"], align: ["left", "right"], style: plain, indent: 1 })).toBe(
      " name    n\n a       1\n long  100",
    );
    expect(columns([], { header: ["name"], style: plain })).toBe("name");
  });

  it("is wrapped at words", () => {
    expect(wrapped("one two three four", 10, 2)).toBe("  one two\n  three\n  four");
  });

  it("shows losses so that scripts and people can read them", () => {
    expect(
      [23.659999, 0.146364123, 9.53933e-6, 0, Number.NaN, -1e-12].map((value) =>
        formatMetric("trainLoss", value),
      ),
    ).toEqual(["23.66", "0.146364", "9.5393e-6", "0", "NaN", "-1.0000e-12"]);
    expect(formatMetric("testAccuracy", 0.9234)).toBe("92.34 %");
  });

  it("is coloured on terminals, unless NO_COLOR is set, or where FORCE_COLOR is", () => {
    const terminal = { isTTY: true };
    expect(usesColour(terminal, {})).toBe(true);
    expect(usesColour({}, {})).toBe(false);
    expect(usesColour(terminal, { NO_COLOR: "1" })).toBe(false);
    expect(usesColour(terminal, { NO_COLOR: "" })).toBe(true);
    expect(usesColour(terminal, { TERM: "dumb" })).toBe(false);
    expect(usesColour({}, { FORCE_COLOR: "1" })).toBe(true);
    expect(usesColour(terminal, { FORCE_COLOR: "0" })).toBe(false);
    expect(styleFor(true).red("x")).toBe("\x1b[31mx\x1b[39m");
  });
});

describe("progress", () => {
  const progress: StudyProgress = {
    runsTotal: 71,
    runsDone: 30,
    runsStoredBefore: 0,
    diverged: 4,
    work: 35.5,
    elapsedS: 10,
    secondsLeft: 75.2,
    stepsPerSecond: 123_456,
    running: [{ label: "Adam", seed: 2, lanes: 6, step: 300, steps: 12_000, bestLoss: 0.1234 }],
  };

  it("is one line elsewhere", () => {
    expect(plainLine(progress)).toBe(
      "50 %, 30 of 71 runs, 4 diverged, 123 k steps/s, 75 s left; Adam, seed 2: step 300 of 12,000, loss 0.123",
    );
  });

  it("is a bar over the tasks on a terminal", () => {
    const [bar, task] = liveLines(progress, plain);
    expect(bar).toMatch(/^━{28} {2}50 % {2}30 of 71 runs · 4 diverged · 123 k steps\/s · 75 s left$/);
    expect(task).toBe("  Adam               seed 2    6 runs  step 300 of 12,000    loss 0.123");
    const coloured = liveLines(progress, styleFor(true))[0];
    expect(coloured.startsWith(`\x1b[36m${"━".repeat(14)}\x1b[39m\x1b[2m${"━".repeat(14)}\x1b[22m`)).toBe(
      true,
    );
  });
});

describe("errors", () => {
  it("end with 2 where the user can mend the words, with 1 elsewhere", () => {
    expect(["option", "name"].map((code) => exitCodeOf(new SlalomError(code as "option", "")))).toEqual([
      2, 2,
    ]);
    expect(
      ["data", "store", "library", "device", "shape", "internal"].map((code) =>
        exitCodeOf(new SlalomError(code as "data", "")),
      ),
    ).toEqual([1, 1, 1, 1, 1, 1]);
    expect(exitCodeOf(new TypeError("x"))).toBe(1);
  });

  it("are the message alone; a stack where it is asked for", () => {
    const error = new SlalomError("data", "no such data", { cause: new Error("deeper") });
    expect(errorText(error, { debug: false })).toBe("slalom: no such data");
    expect(errorText(error, { debug: true })).toMatch(
      /^slalom: SlalomError: no such data\n +at [\s\S]*caused by Error: deeper\n +at /,
    );
    expect(errorText(new TypeError("oops"), { debug: false })).toMatch(/^slalom: oops \(a bug in Slalom/);
  });
});

describe("the doctor's advice", () => {
  const library = (name: "onednn" | "cblas" | "wasm", ...gflops: number[]) => ({
    name,
    title: name,
    version: "",
    path: "",
    rates: gflops.map((rate) => ({ label: "", gflops: rate })),
  });
  const debian = 'ID=debian\nVERSION_ID="12"\n';

  it("is the one command that installs oneDNN here", () => {
    const libraries = [library("wasm", 50, 40)];
    expect(adviceFor({ libraries }, "linux", debian)?.command).toBe("sudo apt-get install libdnnl2");
    expect(adviceFor({ libraries }, "linux", 'ID=ubuntu\nVERSION_ID="24.04"\n')?.command).toBe(
      "sudo apt-get install libdnnl3",
    );
    expect(adviceFor({ libraries }, "linux", "")?.command).toBe("conda install -c conda-forge onednn");
    expect(
      adviceFor({ libraries: [library("cblas", 90, 80), ...libraries] }, "linux", debian)?.command,
    ).toContain("libdnnl2");
  });

  it("is nothing where the best is in use", () => {
    expect(
      adviceFor({ libraries: [library("onednn", 100, 90), library("wasm", 50, 40)] }, "linux", debian),
    ).toBeUndefined();
    expect(
      adviceFor({ libraries: [library("cblas", 100, 90), library("wasm", 50, 40)] }, "darwin", ""),
    ).toBeUndefined();
  });

  it("is another library that is there, if it was faster in every shape", () => {
    const advice = adviceFor(
      { libraries: [library("onednn", 10, 10), library("cblas", 20, 15)] },
      "linux",
      debian,
    );
    expect(advice?.command).toBe("slalom run my-study.ts --gemm cblas");
    expect(
      adviceFor({ libraries: [library("onednn", 10, 10), library("cblas", 100, 11)] }, "linux", debian),
    ).toBeUndefined();
  });
});

it("times of steps have three digits, however long they are", () => {
  expect([0.0000123, 0.0274, 0.266, 2.4503, 12.7].map(milliseconds)).toEqual([
    "0.0123 ms",
    "27.4 ms",
    "266 ms",
    "2450 ms",
    "12,700 ms",
  ]);
});

it.each([
  [0, 100],
  [undefined, 100],
  [72, 72],
])("a terminal of %s columns is written to as one of %s", (columns, width) => {
  const kept = Object.getOwnPropertyDescriptor(process.stdout, "columns");
  Object.defineProperty(process.stdout, "columns", { value: columns, configurable: true });
  try {
    expect(processOutput({ json: false }).width).toBe(width);
  } finally {
    if (kept) Object.defineProperty(process.stdout, "columns", kept);
    else Reflect.deleteProperty(process.stdout, "columns");
  }
});
