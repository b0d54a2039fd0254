import { afterAll, describe, expect, it } from "vitest";
import { checkSame, fingerprintOf, loadStudies, loadStudy, sourcesOf } from "../../src/launch/studySource.js";
import { smallStudy, temporaryFolder } from "./support.js";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const load = (name: string, text: string) => loadStudies(folder.file(name, text));

describe("a study file", () => {
  it("is read as TypeScript, with slalom, its parts and its own files at hand", async () => {
    folder.file("rates.ts", "export const rates: readonly number[] = [0.01, 0.02];");
    const [loaded] = await load(
      "my.ts",
      `import { linearRegression, sgd, study } from "slalom";
       import { logspace } from "slalom/learn";
       import { rates } from "./rates";
       const name: string = "mine";
       export default study({ name, problem: linearRegression(), optimizers: [sgd({ lr: [...rates, ...logspace(1e-3, 1e-3, 1)] })] });`,
    );
    expect(loaded.name).toBe("mine");
    expect(loaded.optimizers[0].settings.lr).toEqual([0.01, 0.02, 0.001]);
    expect(loaded.steps).toBe(1000);
  });

  it("may hold a list of studies, and each is found again from its source", async () => {
    const path = folder.file(
      "two.ts",
      `import { linearRegression, quadratic, sgd, study } from "slalom";
       const optimizers = [sgd({ lr: 0.01 })];
       export default [study({ problem: linearRegression(), optimizers }), study({ problem: quadratic(), optimizers })];`,
    );
    const studies = await loadStudies(path);
    expect(studies.map(({ name }) => name)).toEqual(["linear-regression", "quadratic"]);
    const sources = sourcesOf(path, studies);
    expect((await loadStudy(sources[1])).name).toBe("quadratic");
    await expect(loadStudies(path, { name: "x" })).rejects.toThrow(/--name x: .*two\.ts holds 2 studies/);
  });

  it("takes overrides in place of what it says", async () => {
    const path = folder.file("small.ts", smallStudy);
    const [changed] = await loadStudies(path, { name: "other", steps: 7, seeds: 2 });
    expect(changed).toMatchObject({ name: "other", steps: 7, seeds: [0, 1], dtype: "float64" });
    await expect(loadStudies(path, { epochs: 2 })).rejects.toThrow(
      /epochs is 2, but the problem .* has no data/,
    );
  });

  it("is checked against the study that another thread loaded", async () => {
    const [study] = await load("same.ts", smallStudy);
    checkSame(study, fingerprintOf(study), "small");
    const [other] = await loadStudies(`${folder.path}/same.ts`, { steps: 51 });
    expect(() => checkSame(other, fingerprintOf(study), "small")).toThrow(/steps was 50 and is 51/);
  });
});

describe("a mistake in a study file", () => {
  const message = async (name: string, text: string): Promise<string> => {
    try {
      await load(name, text);
    } catch (error) {
      return (error as Error).message.replaceAll(`${folder.path}/`, "");
    }
    return "no error";
  };

  it("is named with line and column: syntax", async () => {
    expect(await message("syntax.ts", "const a = {\n  b: [1, 2\n};\nexport default a;\n")).toBe(
      'syntax.ts:3:1: Unexpected token, expected ",".',
    );
  });

  it("is named with line and column: an error while it runs, in a file that it imports", async () => {
    folder.file("broken.ts", "const list: number[] = [];\nexport const third = (list[3] as any).length;\n");
    const text = await message("imports.ts", 'import { third } from "./broken.js";\nexport default third;\n');
    expect(text).toMatch(
      /^broken\.ts:2:\d+: TypeError: Cannot read properties of undefined \(reading 'length'\)\.$/,
    );
  });

  it("is named with its line: an unknown option, with the valid ones", async () => {
    const text = await message(
      "option.ts",
      'import { linearRegression, sgd, study } from "slalom";\n\nexport default study({\n  problem: linearRegression(),\n  optimizers: [sgd()],\n  stepz: 1,\n});\n',
    );
    expect(text).toMatch(
      /^option\.ts:3:\d+: unknown option of study "stepz"\. Did you mean "steps"\? Valid: steps, /,
    );
  });

  it("is named: an export that slalom lacks, a module that is not there", async () => {
    expect(await message("name.ts", 'import { adm } from "slalom";\nexport default adm();\n')).toMatch(
      /^name\.ts:2:\d+: slalom exports no "adm"; the nearest are (?:\w+, )*adam/,
    );
    expect(await message("module.ts", 'import "./nothing.js";\nexport default 1;\n')).toBe(
      'module.ts: can\'t find the module "./nothing.js" that it imports.',
    );
  });

  it("is named: no study, no default export, no file", async () => {
    expect(await message("number.ts", "export default 3;\n")).toMatch(
      /its default export is no study; expected export default study/,
    );
    expect(await message("named.ts", "export const mine = 3;\n")).toMatch(
      /no default export \(it exports mine\)/,
    );
    await expect(loadStudies(`${folder.path}/nowhere.ts`)).rejects.toThrow(/nowhere\.ts: no such file/);
  });
});

describe("a run without a file", () => {
  it("is a study of one run", async () => {
    const study = await loadStudy({
      kind: "train",
      arguments: {
        problem: "rosenbrock",
        optimizer: "momentum",
        settings: { lr: 0.001, momentum: 0.5 },
        seed: 3,
        steps: 10,
      },
    });
    expect(study).toMatchObject({ name: "rosenbrock-momentum", seeds: [3], steps: 10, dtype: "float32" });
    expect(study.optimizers[0].settings).toMatchObject({ lr: [0.001], momentum: [0.5] });
  });

  it("names what it does not know", async () => {
    const of = (problem: string, optimizer: string, settings = {}) =>
      loadStudy({ kind: "train", arguments: { problem, optimizer, settings, seed: 0 } });
    await expect(of("rosenbrok", "sgd")).rejects.toThrow(
      /unknown problem "rosenbrok"\. Did you mean "rosenbrock"/,
    );
    await expect(of("rosenbrock", "sdg")).rejects.toThrow(/Did you mean "sgd"/);
    await expect(of("rosenbrock", "sgd", { momentum: 1 })).rejects.toThrow(
      /unknown setting of sgd "momentum"/,
    );
  });
});
