/** Every instruction's bytes against `watr`, an assembler of the text format. */
import { expect, test } from "vitest";
import compile from "watr/compile";
import type { Code, ValueType } from "../../../../src/backends/cpu/wasm/code.js";
import {
  atomic,
  detectFeatures,
  f32,
  f32x4,
  f64,
  f64x2,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  ModuleBuilder,
  memory,
  select,
  v128,
  validateModule,
} from "../../../../src/backends/cpu/wasm/index.js";

type Instruction = (...operands: unknown[]) => Code;

const namespaces: Record<string, Record<string, unknown>> = {
  i32,
  i64,
  f32,
  f64,
  v128,
  i8x16,
  i16x8,
  i32x4,
  i64x2,
  f32x4,
  f64x2,
};

/** Parameters of the test function, one of each type: operands of the instruction under test. */
const parameters = { i32: "i32", i64: "i64", f32: "f32", f64: "f64", v128: "v128" } as const;

const expand = (prefix: string, names: string): string[] =>
  names.split(" ").map((name) => `${prefix}.${name}`);
const vectors = ["i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"];
const forAll = (prefixes: string[], names: string): string[] =>
  prefixes.flatMap((prefix) => expand(prefix, names));
const signs = (names: string): string =>
  names
    .split(" ")
    .flatMap((name) => [`${name}_s`, `${name}_u`])
    .join(" ");

/** Instructions without immediates by signature, written from the specification. */
const plain: Record<string, string[]> = {
  "i32 i32": [...expand("i32", `eqz clz ctz popcnt extend8_s extend16_s`)],
  "i32,i32 i32": expand(
    "i32",
    `eq ne add sub mul and or xor shl rotl rotr ${signs("lt gt le ge div rem shr")}`,
  ),
  "i64 i32": ["i64.eqz", "i32.wrap_i64"],
  "i64 i64": expand("i64", "clz ctz popcnt extend8_s extend16_s extend32_s"),
  "i64,i64 i32": expand("i64", `eq ne ${signs("lt gt le ge")}`),
  "i64,i64 i64": expand("i64", `add sub mul and or xor shl rotl rotr ${signs("div rem shr")}`),
  "f32 i32": expand("i32", `reinterpret_f32 ${signs("trunc_f32 trunc_sat_f32")}`),
  "f64 i32": expand("i32", signs("trunc_f64 trunc_sat_f64")),
  "i32 i64": expand("i64", signs("extend_i32")),
  "f32 i64": expand("i64", signs("trunc_f32 trunc_sat_f32")),
  "f64 i64": expand("i64", `reinterpret_f64 ${signs("trunc_f64 trunc_sat_f64")}`),
  "f32 f32": expand("f32", "abs neg ceil floor trunc nearest sqrt"),
  "f64 f64": expand("f64", "abs neg ceil floor trunc nearest sqrt"),
  "f32,f32 i32": expand("f32", "eq ne lt gt le ge"),
  "f64,f64 i32": expand("f64", "eq ne lt gt le ge"),
  "f32,f32 f32": expand("f32", "add sub mul div min max copysign"),
  "f64,f64 f64": expand("f64", "add sub mul div min max copysign"),
  "i32 f32": expand("f32", `reinterpret_i32 ${signs("convert_i32")}`),
  "i64 f32": expand("f32", signs("convert_i64")),
  "f64 f32": ["f32.demote_f64"],
  "i32 f64": expand("f64", signs("convert_i32")),
  "i64 f64": expand("f64", `reinterpret_i64 ${signs("convert_i64")}`),
  "f32 f64": ["f64.promote_f32"],
  "i32 v128": forAll(["i8x16", "i16x8", "i32x4"], "splat"),
  "i64 v128": ["i64x2.splat"],
  "f32 v128": ["f32x4.splat"],
  "f64 v128": ["f64x2.splat"],
  "v128 i32": ["v128.any_true", ...forAll(["i8x16", "i16x8", "i32x4", "i64x2"], "all_true bitmask")],
  "v128,i32 v128": forAll(["i8x16", "i16x8", "i32x4", "i64x2"], "shl shr_s shr_u"),
  "v128 v128": [
    "v128.not",
    "i8x16.popcnt",
    ...forAll(vectors, "abs neg"),
    ...forAll(["f32x4", "f64x2"], "ceil floor trunc nearest sqrt"),
    ...expand("i16x8", signs("extadd_pairwise_i8x16 extend_low_i8x16 extend_high_i8x16")),
    ...expand("i32x4", signs("extadd_pairwise_i16x8 extend_low_i16x8 extend_high_i16x8 trunc_sat_f32x4")),
    ...expand("i32x4", `trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero ${signs("relaxed_trunc_f32x4")}`),
    ...expand("i64x2", signs("extend_low_i32x4 extend_high_i32x4")),
    ...expand("f32x4", `demote_f64x2_zero ${signs("convert_i32x4")}`),
    ...expand("f64x2", `promote_low_f32x4 ${signs("convert_low_i32x4")}`),
  ],
  "v128,v128 v128": [
    ...expand("v128", "and andnot or xor"),
    ...forAll(vectors, "add sub eq ne"),
    ...forAll(["i16x8", "i32x4", "i64x2", "f32x4", "f64x2"], "mul"),
    ...forAll(["i8x16", "i16x8", "i32x4"], signs("lt gt le ge min max")),
    ...expand("i64x2", "lt_s gt_s le_s ge_s"),
    ...forAll(["i8x16", "i16x8"], `avgr_u ${signs("add_sat sub_sat")}`),
    ...forAll(["f32x4", "f64x2"], "lt gt le ge div min max pmin pmax relaxed_min relaxed_max"),
    ...expand("i8x16", `swizzle relaxed_swizzle ${signs("narrow_i16x8")}`),
    ...expand("i16x8", `q15mulr_sat_s ${signs("narrow_i32x4 extmul_low_i8x16 extmul_high_i8x16")}`),
    ...expand("i32x4", `dot_i16x8_s ${signs("extmul_low_i16x8 extmul_high_i16x8")}`),
    ...expand("i64x2", signs("extmul_low_i32x4 extmul_high_i32x4")),
  ],
  "v128,v128,v128 v128": [
    "v128.bitselect",
    "i32x4.relaxed_laneselect",
    ...forAll(["f32x4", "f64x2"], "relaxed_madd relaxed_nmadd"),
  ],
};

const loads: Record<string, string[]> = {
  i32: expand("i32", `load ${signs("load8 load16")}`),
  i64: expand("i64", `load ${signs("load8 load16 load32")}`),
  f32: ["f32.load"],
  f64: ["f64.load"],
  v128: expand(
    "v128",
    `load ${signs("load8x8 load16x4 load32x2")} load8_splat load16_splat load32_splat load64_splat load32_zero load64_zero`,
  ),
};

const stores: Record<string, string[]> = {
  i32: expand("i32", "store store8 store16"),
  i64: expand("i64", "store store8 store16 store32"),
  f32: ["f32.store"],
  f64: ["f64.store"],
  v128: ["v128.store"],
};

/** Instructions with other immediates: text, and the same through the assembler. */
function special(
  p: { [T in ValueType]: Code<T> },
): [name: string, text: string, result: string, code: Code][] {
  const v = p.v128;
  const get = "(local.get $v128)";
  const cases: [string, string, string, Code][] = [];
  for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -2147483648, 2147483647]) {
    cases.push(["i32.const", `(i32.const ${value})`, "i32", i32.const(value)]);
    cases.push(["i64.const", `(i64.const ${value})`, "i64", i64.const(value)]);
  }
  for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 40n]) {
    cases.push(["i64.const", `(i64.const ${value})`, "i64", i64.const(value)]);
  }
  cases.push(["i32.const", "(i32.const -1)", "i32", i32.const(0xffffffff)]);
  for (const value of [0, -0, 1.5, -3.25e10, 1e-40, Number.POSITIVE_INFINITY, 0.1]) {
    const text = Object.is(value, -0) ? "-0" : String(value).replace("Infinity", "inf");
    cases.push(["f32.const", `(f32.const ${text})`, "f32", f32.const(value)]);
    cases.push(["f64.const", `(f64.const ${text})`, "f64", f64.const(value)]);
  }
  cases.push(["f32x4.const", "(v128.const f32x4 1 -2.5 3 0.1)", "v128", f32x4.const(1, -2.5, 3, 0.1)]);
  cases.push(["f64x2.const", "(v128.const f64x2 0.1 -7)", "v128", f64x2.const(0.1, -7)]);
  cases.push(["i64x2.const", "(v128.const i64x2 -1 99)", "v128", i64x2.const(-1, 99)]);
  cases.push(["i32x4.const", "(v128.const i32x4 -7 -7 -7 -7)", "v128", i32x4.const(-7)]);
  cases.push([
    "i16x8.const",
    "(v128.const i16x8 1 2 3 4 5 6 -7 8)",
    "v128",
    i16x8.const(1, 2, 3, 4, 5, 6, -7, 8),
  ]);
  cases.push(["i8x16.const", `(v128.const i8x16 ${Array(16).fill(9).join(" ")})`, "v128", i8x16.const(9)]);
  const order = [0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31];
  cases.push([
    "i8x16.shuffle",
    `(i8x16.shuffle ${order.join(" ")} ${get} ${get})`,
    "v128",
    i8x16.shuffle(v, v, order),
  ]);
  const lanes: [string, Code, ValueType, string][] = [
    ["i8x16.extract_lane_s", i8x16.extract_lane_s(v, 1), "i32", "i8x16.replace_lane"],
    ["i8x16.extract_lane_u", i8x16.extract_lane_u(v, 1), "i32", "i8x16.replace_lane"],
    ["i16x8.extract_lane_s", i16x8.extract_lane_s(v, 1), "i32", "i16x8.replace_lane"],
    ["i16x8.extract_lane_u", i16x8.extract_lane_u(v, 1), "i32", "i16x8.replace_lane"],
    ["i32x4.extract_lane", i32x4.extract_lane(v, 1), "i32", "i32x4.replace_lane"],
    ["i64x2.extract_lane", i64x2.extract_lane(v, 1), "i64", "i64x2.replace_lane"],
    ["f32x4.extract_lane", f32x4.extract_lane(v, 1), "f32", "f32x4.replace_lane"],
    ["f64x2.extract_lane", f64x2.extract_lane(v, 1), "f64", "f64x2.replace_lane"],
  ];
  for (const [extract, code, type, replace] of lanes) {
    cases.push([extract, `(${extract} 1 ${get})`, type, code]);
    const [space, name] = replace.split(".");
    const replaced = (namespaces[space][name] as Instruction)(v, 1, p[type]);
    cases.push([replace, `(${replace} 1 ${get} (local.get $${type}))`, "v128", replaced]);
  }
  for (const bits of [8, 16, 32, 64]) {
    const where = "offset=200 1 (local.get $i32) (local.get $v128)";
    const loadLane = (v128 as unknown as Record<string, Instruction>)[`load${bits}_lane`];
    const storeLane = (v128 as unknown as Record<string, Instruction>)[`store${bits}_lane`];
    cases.push([
      `v128.load${bits}_lane`,
      `(v128.load${bits}_lane ${where})`,
      "v128",
      loadLane(1, p.i32, v, 200),
    ]);
    cases.push([
      `v128.store${bits}_lane`,
      `(v128.store${bits}_lane ${where})`,
      "none",
      storeLane(1, p.i32, v, 200),
    ]);
  }
  const a = "(local.get $i32)";
  cases.push(["memory.fill", `(memory.fill ${a} ${a} ${a})`, "none", memory.fill(p.i32, p.i32, p.i32)]);
  cases.push(["memory.copy", `(memory.copy ${a} ${a} ${a})`, "none", memory.copy(p.i32, p.i32, p.i32)]);
  cases.push(["memory.size", "(memory.size)", "i32", memory.size()]);
  const where = "offset=8";
  cases.push(["i32.atomic.load", `(i32.atomic.load ${where} ${a})`, "i32", atomic.load(p.i32, 8)]);
  cases.push([
    "i32.atomic.store",
    `(i32.atomic.store ${where} ${a} ${a})`,
    "none",
    atomic.store(p.i32, p.i32, 8),
  ]);
  cases.push([
    "i32.atomic.rmw.add",
    `(i32.atomic.rmw.add ${where} ${a} ${a})`,
    "i32",
    atomic.add(p.i32, p.i32, 8),
  ]);
  cases.push([
    "memory.atomic.wait32",
    `(memory.atomic.wait32 ${where} ${a} ${a} (local.get $i64))`,
    "i32",
    atomic.wait(p.i32, p.i32, p.i64, 8),
  ]);
  cases.push([
    "memory.atomic.notify",
    `(memory.atomic.notify ${where} ${a} ${a})`,
    "i32",
    atomic.notify(p.i32, p.i32, 8),
  ]);
  cases.push(["select", `(select ${get} ${get} ${a})`, "v128", select(p.i32, v, v)]);
  return cases;
}

/** The whole module with one function around `code`. */
function ours(result: string, make: (p: { [T in ValueType]: Code<T> }) => Code): Uint8Array {
  const module = new ModuleBuilder();
  module.importMemory({ module: "m", name: "m" }, { initialPages: 1, maximumPages: 200, shared: true });
  module.function("f", { parameters, result: result as ValueType | "none" }, (f, p) => {
    const code = make(p);
    expect(code.type).toBe(result);
    if (code.type === "none") f.do(code as Code<"none">);
    else f.result(code as Code<ValueType>);
  });
  return module.bytes();
}

function theirs(result: string, text: string): Uint8Array {
  const types = Object.values(parameters).map((type) => `(param $${type} ${type})`);
  const returns = result === "none" ? "" : `(result ${result})`;
  return compile(
    `(module (import "m" "m" (memory 1 200 shared)) (func (export "f") ${types.join(" ")} ${returns} ${text}))`,
  ) as Uint8Array;
}

const tested = new Set<string>();

function check(
  name: string,
  result: string,
  text: string,
  make: (p: { [T in ValueType]: Code<T> }) => Code,
): void {
  const bytes = ours(result, make);
  expect([...bytes], `${name}: ${text}`).toEqual([...theirs(result, text)]);
  if (detectFeatures().relaxedSimd || !name.includes("relaxed")) {
    expect(validateModule(bytes), `${name} is valid`).toBe(true);
  }
  tested.add(name);
}

const instruction = (name: string): Instruction => {
  const [space, key] = name.split(".");
  expect(namespaces[space][key], name).toBeTypeOf("function");
  return namespaces[space][key] as Instruction;
};

test("instructions without immediates have the bytes of the oracle", () => {
  for (const [signature, names] of Object.entries(plain)) {
    const [inputs, result] = signature.split(" ");
    const types = inputs.split(",") as ValueType[];
    const operands = types.map((type) => `(local.get $${type})`).join(" ");
    for (const name of names) {
      check(name, result, `(${name} ${operands})`, (p) => instruction(name)(...types.map((type) => p[type])));
    }
  }
});

test("loads and stores with small and large offsets", () => {
  for (const offset of [0, 16, 127, 128, 70000]) {
    const at = offset === 0 ? "" : `offset=${offset}`;
    for (const [type, names] of Object.entries(loads)) {
      for (const name of names) {
        check(name, type, `(${name} ${at} (local.get $i32))`, (p) => instruction(name)(p.i32, offset));
      }
    }
    for (const [type, names] of Object.entries(stores) as [ValueType, string[]][]) {
      for (const name of names) {
        const text = `(${name} ${at} (local.get $i32) (local.get $${type}))`;
        check(name, "none", text, (p) => instruction(name)(p.i32, p[type], offset));
      }
    }
  }
});

test("constants, lanes, shuffles, bulk memory, select", () => {
  const builder = new ModuleBuilder();
  let count = 0;
  builder.function(undefined, { parameters }, (_, p) => {
    count = special(p).length;
  });
  for (let i = 0; i < count; i++) {
    let row: [string, string, string, Code] | undefined;
    builder.function(undefined, { parameters }, (_, p) => {
      row = special(p)[i];
    });
    const [name, text, result, code] = row!;
    check(name, result, text, () => code);
  }
});

test("a plain number is a constant of the operand's type", () => {
  check("i32.add", "i32", "(i32.add (local.get $i32) (i32.const 300))", (p) => i32.add(p.i32, 300));
  check("i64.add", "i64", "(i64.add (local.get $i64) (i64.const -5))", (p) => i64.add(p.i64, -5));
  check("f32.mul", "f32", "(f32.mul (f32.const 0.5) (local.get $f32))", (p) => f32.mul(0.5, p.f32));
  check("f64.mul", "f64", "(f64.mul (f64.const 0.5) (local.get $f64))", (p) => f64.mul(0.5, p.f64));
});

test("no instruction is left untested", () => {
  const all = Object.entries(namespaces).flatMap(([space, members]) =>
    Object.keys(members).map((key) => `${space}.${key}`),
  );
  expect(all.filter((name) => !tested.has(name))).toEqual([]);
});
