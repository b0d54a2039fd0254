/** Matrix products and contractions against direct loops. */
import { describe, expect, test } from "vitest";
import { sizeOf } from "../../src/base/shape.js";
import type { Tensor } from "../../src/graph/index.js";
import * as f from "../../src/graph/index.js";
import { dataOf, expectClose, random } from "./support.js";

describe("products", () => {
  /** [lead..., m, k] x [lead..., k, n] by loops over what NumPy's rule says. */
  function loops(a: Tensor, b: Tensor): { shape: number[]; data: number[] } {
    const [p, q] = [dataOf(a), dataOf(b)];
    const x = a.shape.length === 1 ? [1, ...a.shape] : [...a.shape];
    const y = b.shape.length === 1 ? [...b.shape, 1] : [...b.shape];
    const rank = Math.max(x.length, y.length);
    const full = (s: number[]) => [...new Array<number>(rank - s.length).fill(1), ...s];
    const [s, t] = [full(x), full(y)];
    const lead = s.slice(0, -2).map((extent, i) => Math.max(extent, t[i]));
    const [m, k, n] = [s[rank - 2], s[rank - 1], t[rank - 1]];
    const data: number[] = [];
    for (let l = 0; l < sizeOf(lead); l++) {
      let [rest, at, bt, sizeA, sizeB] = [l, 0, 0, 1, 1];
      for (let axis = lead.length - 1; axis >= 0; axis--) {
        const i = rest % lead[axis];
        rest = Math.floor(rest / lead[axis]);
        at += (s[axis] === 1 ? 0 : i) * sizeA;
        bt += (t[axis] === 1 ? 0 : i) * sizeB;
        sizeA *= s[axis];
        sizeB *= t[axis];
      }
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let total = 0;
          for (let c = 0; c < k; c++) total += p[(at * m + i) * k + c] * q[(bt * k + c) * n + j];
          data.push(total);
        }
    }
    const shape = [...lead, ...(a.shape.length > 1 ? [m] : []), ...(b.shape.length > 1 ? [n] : [])];
    return { shape, data };
  }
  test.each([
    [[3], [3]],
    [[3], [3, 2]],
    [[4, 3], [3]],
    [
      [4, 3],
      [3, 2],
    ],
    [
      [5, 4, 3],
      [3, 2],
    ],
    [
      [4, 3],
      [5, 3, 2],
    ],
    [
      [5, 4, 3],
      [5, 3, 2],
    ],
    [
      [1, 4, 3],
      [5, 3, 2],
    ],
    [
      [2, 1, 4, 3],
      [5, 3, 2],
    ],
    [[2, 5, 4, 3], [3]],
    [[3], [2, 5, 3, 1]],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [2, 0],
      [0, 3],
    ],
  ])("matmul %j x %j", (left, right) => {
    const [a, b] = [random(left, 3), random(right, 4)];
    const product = f.matmul(a, b);
    const expected = loops(a, b);
    expect(product.shape).toEqual(expected.shape);
    expectClose(dataOf(product), expected.data);
  });
  test("dot: several batch and contracted axes in any order", () => {
    const [a, b] = [random([2, 3, 4, 5], 5), random([5, 3, 6, 2], 6)];
    const [p, q] = [dataOf(a), dataOf(b)];
    const product = f.dot(a, b, {
      batch: [[1], [1]],
      contract: [
        [3, 0],
        [0, 3],
      ],
    });
    const expected: number[] = [];
    for (let h = 0; h < 3; h++)
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 6; j++) {
          let total = 0;
          for (let c = 0; c < 5; c++)
            for (let d = 0; d < 2; d++)
              total += p[((d * 3 + h) * 4 + i) * 5 + c] * q[((c * 3 + h) * 6 + j) * 2 + d];
          expected.push(total);
        }
    expect(product.shape).toEqual([3, 4, 6]);
    expectClose(dataOf(product), expected);
  });
});
