import { afterAll, describe, expect, it } from "vitest";
import { programFor } from "../../src/cli/program.js";
import { findMpi } from "../../src/collectives/mpi/library.js";
import { smallStudy, temporaryFolder } from "../launch/support.js";
import { json, slalom } from "./cli.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe("help", () => {
  it("lists the commands, first steps and exit codes", async () => {
    const { code, out, err } = await slalom(folder.path, "--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const name of [
      "run",
      "train",
      "status",
      "cancel",
      "list",
      "show",
      "compare",
      "figures",
      "export",
      "explain",
      "doctor",
      "problems",
      "datasets",
      "fetch",
      "optimizers",
      "tour",
    ]) {
      expect(out).toMatch(new RegExp(`^  ${name} .* [a-z]`, "m"));
    }
    expect(out).toContain("First steps:");
    expect(out).toContain("130  interrupted by Ctrl-C");
  });

  it("of every command has --json and an example that its own options accept", () => {
    const { commands } = programFor(() => {});
    expect(commands.length).toBe(18);
    for (const command of commands) {
      let help = "";
      command.configureOutput({
        writeOut: (text) => {
          help += text;
        },
      });
      command.outputHelp();
      expect(help).toContain("--json");
      const examples = help.slice(help.indexOf("\nExample:")).matchAll(/^ {2}slalom (.*)$/gm);
      const lines = [...examples].map(([, line]) => line.split(" "));
      expect(lines.length, command.name()).toBeGreaterThan(0);
      for (const [name, ...words] of lines) {
        expect(name).toBe(command.name());
        const { unknown } = command.parseOptions(words);
        expect(unknown).toEqual([]);
      }
    }
  });

  it("is what slalom alone prints; --version prints the version", async () => {
    expect((await slalom(folder.path, "help train")).out).toMatch(/--evaluate-every <n>/);
    expect((await slalom(folder.path, "--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("wrong usage", () => {
  const wrong = async (line: string) => {
    const { code, out, err } = await slalom(folder.path, line);
    expect({ line, code, out }).toEqual({ line, code: 2, out: "" });
    expect(err).toMatch(/^slalom: /);
    expect(err).not.toMatch(/^\s+at /m);
    return err;
  };

  it("names the nearest command, option, problem, optimizer, setting", async () => {
    expect(await wrong("trian")).toMatch(/unknown command 'trian'\n\(Did you mean train\?\)/);
    expect(await wrong("train rosenbrock -O sgd --epoch 3")).toMatch(
      /unknown option '--epoch'\n\(Did you mean --epochs\?\)/,
    );
    expect(await wrong("train rosenbrok -O sgd")).toMatch(
      /unknown problem "rosenbrok"\. Did you mean "rosenbrock"\?/,
    );
    expect(await wrong("train rosenbrock -O sgd -s lrr=1")).toMatch(
      /unknown setting of sgd "lrr"\. Did you mean "lr"\?/,
    );
    expect(await wrong("explain rosenbrok")).toMatch(
      /unknown study file or problem "rosenbrok"\. Did you mean "rosenbrock"\?/,
    );
    expect(await wrong("optimizers adm")).toMatch(/unknown optimizer "adm"\. Did you mean "adam"\?/);
  });

  it("names the option whose value is impossible", async () => {
    expect(await wrong("train rosenbrock -O sgd -s lr=fast")).toMatch(
      /'lr=fast' is invalid\. "fast" is no number/,
    );
    expect(await wrong("train rosenbrock -O sgd --steps 1.5")).toMatch(
      /'--steps <n>' argument '1\.5' is invalid\. Expected a positive integer/,
    );
    expect(await wrong("train rosenbrock -O sgd --epochs 2")).toMatch(
      /the problem "rosenbrock" has no data; give steps/,
    );
    expect(await wrong("train rosenbrock -O sgd --epochs 2 --steps 3")).toMatch(
      /--epochs and --steps exclude each other/,
    );
    expect(await wrong("train rosenbrock -O sgd --evaluate-every 0epochs")).toMatch(
      /argument '0epochs' is invalid\. Expected epochs above 0/,
    );
    expect(await wrong("train rosenbrock -O sgd --evaluate-every 0.5epochs")).toMatch(
      /evaluateEvery is \{"epochs":0\.5\}, but the problem "rosenbrock" has no data/,
    );
    expect(await wrong("train rosenbrock -O sgd --early-stopping trainLoss=0")).toMatch(
      /argument 'trainLoss=0' is invalid\. Expected a positive integer/,
    );
    expect(await wrong("train rosenbrock -O sgd --early-stopping 2")).toMatch(
      /unknown metric of early stopping "validationLoss".* Valid: trainLoss/,
    );
    expect(await wrong("train rosenbrock -O sgd --restore-best")).toMatch(
      /--restore-best needs --early-stopping <n>/,
    );
    expect(await wrong("train rosenbrock -O sgd --average emma")).toMatch(
      /unknown average "emma"\. Did you mean "ema"\?/,
    );
    expect(await wrong("train rosenbrock")).toMatch(/'-O, --optimizer <name>' not specified/);
  });

  it("names what is wrong in a study file, with its line", async () => {
    folder.file("typo.ts", smallStudy.replace("steps: 50", "stepz: 50"));
    expect(await wrong("run typo.ts")).toMatch(
      /^slalom: typo\.ts:3:\d+: unknown option of study "stepz"\. Did you mean "steps"\? Valid: steps, /,
    );
    folder.file("syntax.ts", smallStudy.replace("steps: 50,", "steps: : 50,"));
    expect(await wrong("run syntax.ts")).toMatch(/^slalom: syntax\.ts:7:10: Unexpected token\.\n$/);
    expect(await wrong("run nowhere.ts")).toMatch(/nowhere\.ts: no such file/);
  });

  it("as JSON is one object on standard output as well", async () => {
    const { code, out, err } = await slalom(folder.path, "train rosenbrok -O sgd --json");
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      error: { code: "name", message: expect.stringContaining("rosenbrok") },
    });
    expect(err).toMatch(/^slalom: unknown problem/);
    const option = await slalom(folder.path, "list --jsn --json");
    expect(JSON.parse(option.out)).toMatchObject({
      error: { code: "option", message: expect.stringContaining("--jsn") },
    });
  });

  it("shows the stack only with --debug", async () => {
    const { err } = await slalom(folder.path, "train rosenbrok -O sgd --debug");
    expect(err).toMatch(/^slalom: SlalomError: unknown problem[\s\S]*\n {4}at /);
  });
});

describe("failures that are no wrong usage", () => {
  it("end with 1: too many workers, no study stored", async () => {
    folder.file("small.ts", smallStudy);
    const workers = await slalom(folder.path, "run small.ts --workers 4096");
    expect(workers).toMatchObject({ code: 1, out: "" });
    expect(workers.err).toMatch(/4096 workers were asked for, and this machine gives \d+ core/);
    const show = await slalom(folder.path, "show small --out nowhere");
    expect(show.code).toBe(1);
    expect(show.err).toMatch(/no study "small": nowhere holds none/);
  });
});

describe("what there is", () => {
  it("optimizers, with hyperparameters, defaults, ranges and papers", async () => {
    const all = (await json(folder.path, "optimizers")) as unknown as { optimizers: { id: string }[] };
    expect(all.optimizers.map(({ id }) => id)).toContain("adam");
    const adam = await json(folder.path, "optimizers adam");
    expect(adam).toMatchObject({
      id: "adam",
      paper: { year: 2015 },
      hyperparameters: { beta2: { default: 0.999, range: [0.9, 0.9999] } },
    });
    const { out } = await slalom(folder.path, "optimizers adam");
    expect(out).toMatch(/\nbeta2 +0\.999 +0\.9 to 0\.9999 +decay of the mean of squared gradients/);
  });

  it("problems, with their parameters", async () => {
    const one = await json(folder.path, "problems linear-regression");
    expect(one).toMatchObject({
      parameterCount: 2,
      parameters: [
        { name: "W", shape: [] },
        { name: "b", shape: [] },
      ],
      options: { inputs: [1, 2, 3, 4], targets: [0, -1, -2, -3] },
      optimum: { loss: expect.closeTo(0, 12) },
    });
    expect((await slalom(folder.path, "problems")).out).toMatch(/^mnist-softmax +softmax regression/m);
  });

  it("on this machine: libraries with what they reach", async () => {
    const found = (await json(folder.path, "doctor")) as unknown as {
      cores: number;
      bandwidthGBs: number;
      libraries: { name: string; rates: { gflops: number }[] }[];
      mpi: { libraries: { title: string; version: string; path: string }[] };
      advice: { command: string } | null;
    };
    expect(found.cores).toBeGreaterThanOrEqual(1);
    expect(found.bandwidthGBs).toBeGreaterThan(0);
    expect(found.libraries.at(-1)?.name).toBe("wasm");
    for (const { rates } of found.libraries)
      for (const { gflops } of rates) expect(gflops).toBeGreaterThan(0);
    expect(found.mpi.libraries.map(({ path }) => path)).toEqual(findMpi().libraries.map(({ path }) => path));
    const { out } = await slalom(folder.path, "doctor");
    expect(out).toMatch(/^MPI, for ranks that are processes/m);
    expect(out).toMatch(/^Matrix products, GFLOP\/s of one thread$/m);
    expect(out).toMatch(/^(Nothing to add:|Faster:) /m);
  });
});
