/** Functions, control flow and modules: bytes against `watr`, and small programs that run. */
import { expect, test } from "vitest";
import compile from "watr/compile";
import { signedLeb, unsignedLeb } from "../../../../src/backends/cpu/wasm/code.js";
import {
  call,
  compileModule,
  createSharedMemory,
  detectFeatures,
  f32,
  f32x4,
  f64,
  i32,
  i32x4,
  instantiate,
  ModuleBuilder,
  memory,
  shuffle32,
  shuffle64,
  v128,
  zeroVector,
} from "../../../../src/backends/cpu/wasm/index.js";

const limits = { initialPages: 1, maximumPages: 1, shared: true };

function run(module: ModuleBuilder, imports: Record<string, (...args: never[]) => unknown> = {}) {
  const memory = createSharedMemory(1);
  return { memory, exports: instantiate(compileModule(module.bytes()), { env: { memory, ...imports } }) };
}

test("control flow has the bytes of the oracle", () => {
  const module = new ModuleBuilder();
  const log = module.importFunction({ module: "env", name: "log" }, { parameters: { x: "i32" } });
  module.function("f", { parameters: { n: "i32", x: "f32" }, result: "i32" }, (f, { n }) => {
    const i = f.local("i32");
    const sum = f.local("v128");
    const j = f.local("i32");
    f.block((end) => {
      f.loop((again) => {
        f.branchIf(end, i32.eqz(n));
        f.if(
          i32.lt_s(i, 10),
          () => f.branch(again),
          () => f.do(call(log, { x: i })),
        );
        f.drop(f.tee(j, i32.add(i, 1)));
      });
    });
    f.set(sum, zeroVector());
    f.return(i);
  });
  const text = `(module
    (import "env" "log" (func $log (param i32)))
    (func (export "f") (param $n i32) (param $x f32) (result i32) (local $i i32) (local $sum v128) (local $j i32)
      (block (loop
        (br_if 1 (i32.eqz (local.get $n)))
        (if (i32.lt_s (local.get $i) (i32.const 10)) (then (br 1)) (else (call $log (local.get $i))))
        (drop (local.tee $j (i32.add (local.get $i) (i32.const 1))))
      ))
      (local.set $sum (v128.const i32x4 0 0 0 0))
      (return (local.get $i))))`;
  expect([...module.bytes()]).toEqual([...(compile(text) as Uint8Array)]);
});

test("LEB128 of unsigned and signed integers", () => {
  expect(unsignedLeb(624485)).toEqual([0xe5, 0x8e, 0x26]);
  expect(unsignedLeb(0xffffffff)).toEqual([0xff, 0xff, 0xff, 0xff, 0x0f]);
  expect(signedLeb(-123456)).toEqual([0xc0, 0xbb, 0x78]);
  expect(signedLeb(64)).toEqual([0xc0, 0x00]);
  expect(signedLeb(-64)).toEqual([0x40]);
});

test("a vector loop over memory with an offset and a scalar rest", () => {
  const module = new ModuleBuilder();
  module.importMemory({ module: "env", name: "memory" }, limits);
  module.function("scale", { parameters: { x: "i32", n: "i32", factor: "f32" } }, (f, { x, n, factor }) => {
    const factors = f.let(f32x4.splat(factor));
    f.for({ to: i32.and(n, -4), step: 4 }, (i) => {
      const at = f.let(i32.add(x, i32.shl(i, 2)));
      f.do(v128.store(at, f32x4.mul(v128.load(at), factors)));
    });
    f.for({ from: i32.and(n, -4), to: n }, (i) => {
      const at = f.let(i32.add(x, i32.shl(i, 2)));
      f.do(f32.store(at, f32.mul(f32.load(at), factor)));
    });
  });
  const { memory, exports } = run(module);
  const values = new Float32Array(memory.buffer, 64, 8);
  values.set([1, 2, 3, 4, 5, 6, 7, 8]);
  exports.scale(64, 7, 0.5);
  expect([...values]).toEqual([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 8]);
  exports.scale(64, 0, 0.5);
  expect(values[0]).toBe(0.5);
});

test("functions call functions and imports, with results", () => {
  const module = new ModuleBuilder();
  const twice = module.importFunction(
    { module: "env", name: "twice" },
    { parameters: { x: "f64" }, result: "f64" },
  );
  const square = module.function(undefined, { parameters: { x: "f64" }, result: "f64" }, (f, { x }) => {
    f.result(f64.mul(x, x));
  });
  module.function("f", { parameters: { x: "f64" }, result: "f64" }, (f, { x }) => {
    f.result(f64.add(call(square, { x }), call(twice, { x: f64.add(x, 1) })));
  });
  const { exports } = run(module, { twice: (x: number) => 2 * x });
  expect(exports.f(3)).toBe(17);
});

test("while, if and else, fill and copy", () => {
  const module = new ModuleBuilder();
  module.importMemory({ module: "env", name: "memory" }, limits);
  module.function("collatz", { parameters: { n: "i32" }, result: "i32" }, (f, { n }) => {
    const steps = f.local("i32");
    f.while(i32.ne(n, 1), () => {
      f.if(
        i32.and(n, 1),
        () => f.set(n, i32.add(i32.mul(n, 3), 1)),
        () => f.set(n, i32.shr_u(n, 1)),
      );
      f.add(steps, 1);
    });
    f.result(steps);
  });
  module.function("spread", { parameters: {} }, (f) => {
    f.do(memory.fill(0, 7, 4), memory.copy(2, 0, 4));
    f.do(i32.store8(9, 300));
  });
  const { memory: shared, exports } = run(module);
  expect(exports.collatz(27)).toBe(111);
  exports.spread();
  expect([...new Uint8Array(shared.buffer, 0, 10)]).toEqual([7, 7, 7, 7, 7, 7, 0, 0, 0, 44]);
});

test("shuffles by 32 and 64 bits", () => {
  const module = new ModuleBuilder();
  module.importMemory({ module: "env", name: "memory" }, limits);
  module.function("f", { parameters: {} }, (f) => {
    const a = f.let(i32x4.const(0, 1, 2, 3));
    const b = f.let(i32x4.const(4, 5, 6, 7));
    f.do(v128.store(0, shuffle32(a, b, [0, 4, 3, 7])), v128.store(16, shuffle64(a, b, [1, 2])));
  });
  const { memory, exports } = run(module);
  exports.f();
  expect([...new Int32Array(memory.buffer, 0, 8)]).toEqual([0, 4, 3, 7, 2, 3, 4, 5]);
});

test("relaxed SIMD is found where V8 has it, and computes", ({ skip }) => {
  const { relaxedSimd } = detectFeatures();
  if (!relaxedSimd) skip("this runtime has no relaxed SIMD");
  const module = new ModuleBuilder();
  module.function("f", { parameters: { x: "f32" }, result: "f32" }, (f, { x }) => {
    f.result(f32x4.extract_lane(f32x4.relaxed_nmadd(f32x4.splat(x), f32x4.splat(3), f32x4.const(10)), 2));
  });
  expect(run(module).exports.f(2)).toBe(4);
});

test("a bug of an emitter is an internal error", () => {
  const module = new ModuleBuilder();
  module.function("f", { parameters: {} }, () => {});
  expect(() => module.importFunction({ module: "env", name: "late" }, { parameters: {} })).toThrow(
    /env.late/,
  );
});
