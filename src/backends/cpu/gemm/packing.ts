/** Copies that put a panel of B (up to three vectors wide) into one contiguous run, padded with zeros. */
import {
  call,
  type FunctionReference,
  i32,
  type Local,
  type ModuleBuilder,
  shuffle32,
  shuffle64,
  v128,
  zeroVector,
} from "../wasm/index.js";
import { copyElement, type EdgeFunctions, type ElementCode } from "./kernels.js";

/** `b`: first element of the panel; `bRow`: bytes between stored rows; `k`: steps; `to`: where it goes. */
type PackParameters = {
  readonly b: "i32";
  readonly bRow: "i32";
  readonly k: "i32";
  readonly lastWidth: "i32";
  readonly to: "i32";
};

export type Pack = FunctionReference<PackParameters, "none">;

const packParameters: PackParameters = { b: "i32", bRow: "i32", k: "i32", lastWidth: "i32", to: "i32" };

/** Packs `vectors` vectors of each of `k` rows of B as it is stored. */
export function emitPackRows(
  module: ModuleBuilder,
  element: ElementCode,
  edges: EdgeFunctions,
  vectors: number,
): Pack {
  return module.function(undefined, { parameters: packParameters }, (f, p) => {
    const copyRows = (last: () => void): void =>
      f.while(p.k, () => {
        for (let v = 0; v < vectors - 1; v++) f.do(v128.store(p.to, v128.load(p.b, 16 * v), 16 * v));
        last();
        f.add(p.b, p.bRow);
        f.add(p.to, 16 * vectors);
        f.add(p.k, -1);
      });
    const at = 16 * (vectors - 1);
    f.if(
      i32.eq(p.lastWidth, element.lanes),
      () => copyRows(() => f.do(v128.store(p.to, v128.load(p.b, at), at))),
      () =>
        copyRows(() => {
          const address = i32.add(p.b, at);
          f.do(v128.store(p.to, call(edges.load, { address, width: p.lastWidth }), at));
        }),
    );
  });
}

/** Packs `vectors` vectors of columns of op(B), which are rows of B as it is stored, transposed. */
export function emitPackTransposed(module: ModuleBuilder, element: ElementCode, vectors: number): Pack {
  return module.function(undefined, { parameters: packParameters }, (f, p) => {
    const { lanes, bytes } = element;
    const panelStep = 16 * vectors;
    for (let v = 0; v < vectors; v++) {
      const width = f.let(v < vectors - 1 ? i32.const(lanes) : p.lastWidth);
      const from = f.let(i32.add(p.b, i32.mul(p.bRow, lanes * v)));
      const to = f.let(i32.add(p.to, 16 * v));
      const done = f.local("i32");
      f.set(done, 0);
      f.if(i32.eq(width, lanes), () => {
        const whole = f.let(i32.and(p.k, -lanes));
        f.while(i32.lt_u(done, whole), () => {
          const block: Local<"v128">[] = [];
          const address = f.let(i32.add(from, i32.mul(done, bytes)));
          for (let lane = 0; lane < lanes; lane++) {
            if (lane > 0) f.add(address, p.bRow);
            block.push(f.let(v128.load(address)));
          }
          const columns = lanes === 4 ? transpose4(block) : transpose2(block);
          for (const [u, column] of columns.entries()) f.do(v128.store(to, column, u * panelStep));
          f.add(to, lanes * panelStep);
          f.add(done, lanes);
        });
      });
      // What is left: the last steps of k, or a vector of fewer than `lanes` columns.
      f.while(i32.lt_u(done, p.k), () => {
        f.do(v128.store(to, zeroVector()));
        const address = f.let(i32.add(from, i32.mul(done, bytes)));
        f.for({ to: width }, (lane) => {
          f.do(copyElement(element, i32.add(to, i32.mul(lane, bytes)), address));
          f.add(address, p.bRow);
        });
        f.add(to, panelStep);
        f.add(done, 1);
      });
    }
  });
}

function transpose4([a, b, c, d]: readonly Local<"v128">[]) {
  const lowAB = shuffle32(a, b, [0, 4, 1, 5]);
  const highAB = shuffle32(a, b, [2, 6, 3, 7]);
  const lowCD = shuffle32(c, d, [0, 4, 1, 5]);
  const highCD = shuffle32(c, d, [2, 6, 3, 7]);
  return [
    shuffle64(lowAB, lowCD, [0, 2]),
    shuffle64(lowAB, lowCD, [1, 3]),
    shuffle64(highAB, highCD, [0, 2]),
    shuffle64(highAB, highCD, [1, 3]),
  ];
}

function transpose2([a, b]: readonly Local<"v128">[]) {
  return [shuffle64(a, b, [0, 2]), shuffle64(a, b, [1, 3])];
}
