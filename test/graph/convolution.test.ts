/** Convolution and pooling: values and gradients as PyTorch has them, padding by name, what is refused. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/graph/index.js";
import * as f from "../../src/graph/index.js";
import { grad } from "../../src/transform/index.js";
import { dataOf, expectClose, f64, nestedValue, random } from "./support.js";

interface Stored {
  readonly shape: number[];
  readonly data: number[];
}

interface Fixture {
  readonly kind: "convolution" | "max" | "average";
  readonly options: Record<string, number | [number, number]>;
  readonly x: Stored;
  readonly w?: Stored;
  readonly y: Stored;
  readonly g: Stored;
  readonly gradients: Stored[];
}

const fixtures: Fixture[] = JSON.parse(
  readFileSync(new URL("../fixtures/images/convolution.json", import.meta.url), "utf8"),
);
const tensorOf = ({ shape, data }: Stored): Tensor => f.reshape(f64(data), shape);

/** PyTorch's padding of (rows, columns) as ours. */
function optionsOf({ options }: Fixture): Record<string, unknown> {
  const { padding } = options;
  return Array.isArray(padding)
    ? { ...options, padding: padding.map((width) => [width, width]) }
    : { ...options };
}

function applied(fixture: Fixture, operands: readonly Tensor[]): Tensor {
  const options = optionsOf(fixture) as never;
  if (fixture.kind === "convolution") return f.conv2d(operands[0], operands[1], options);
  return (fixture.kind === "max" ? f.maxPool2d : f.averagePool2d)(operands[0], options);
}

describe("as PyTorch computes them", () => {
  test.each(
    fixtures.map((fixture) => [`${fixture.kind} ${JSON.stringify(fixture.options)}`, fixture] as const),
  )("%s", (_, fixture) => {
    const operands = [fixture.x, ...(fixture.w ? [fixture.w] : [])].map(tensorOf);
    const y = applied(fixture, operands);
    expect(y.shape).toEqual(fixture.y.shape);
    expectClose(dataOf(y), fixture.y.data);
    const gradients = grad(f.sum(f.mul(y, tensorOf(fixture.g))), operands);
    gradients.forEach((gradient, operand) => {
      expect(gradient.shape).toEqual(fixture.gradients[operand].shape);
      expectClose(dataOf(gradient), fixture.gradients[operand].data);
    });
  });
});

describe("padding by name", () => {
  const image = (height: number, width: number) =>
    f.reshape(f.cast(f.iota([height * width]), "float64"), [1, height, width, 1]);

  test("same keeps the extents and puts the odd row below and to the right", () => {
    const filter = f.reshape(f64([1, 2, 3, 4]), [1, 2, 2, 1]);
    const y = f.conv2d(image(2, 2), filter, { padding: "same" });
    // [0 1; 2 3] with zeros to its right and below.
    expect(nestedValue(f.reshape(y, [2, 2]))).toEqual([
      [0 + 2 + 6 + 12, 1 + 9],
      [2 + 6, 3],
    ]);
  });

  test("same with a stride gives ceil(extent / stride)", () => {
    const filter = f.ones([1, 3, 3, 1], "float64");
    expect(f.conv2d(image(5, 6), filter, { padding: "same", stride: 2 }).shape).toEqual([1, 3, 3, 1]);
  });

  test("a transposed convolution has the extents that were asked for", () => {
    const filter = random([2, 3, 3, 4], 1);
    const y = random([1, 4, 4, 2], 2);
    for (const input of [7, 8] as const)
      expect(f.convTranspose2d(y, filter, { input, stride: 2, padding: "same" }).shape).toEqual([
        1,
        input,
        input,
        4,
      ]);
  });
});

describe("the maximum and what rises alike under it", () => {
  test("a bias and a ReLU move behind the windows; values stay", () => {
    const [x, bias] = [random([2, 4, 4, 3], 5), random([3], 6)];
    const before = f.relu(f.add(x, bias));
    const pooled = f.maxPool2d(before, { size: 2 });
    expect(pooled.op).toBe("relu");
    expect(pooled.inputs[0].op).toBe("add");
    const plain = f.max(f.reshape(before, [2, 2, 2, 2, 2, 3]), { axis: [2, 4] });
    expect(dataOf(pooled)).toEqual(dataOf(plain));
  });

  test("what differs from place to place stays under it", () => {
    const [x, y] = [random([1, 2, 2, 1], 5), random([1, 2, 2, 1], 6)];
    const pooled = f.maxPool2d(f.add(x, y), { size: 2 });
    expect(pooled.op).toBe("maxPool2d");
    const sums = dataOf(x).map((value, i) => value + dataOf(y)[i]);
    expect(dataOf(pooled)).toEqual([Math.max(...sums)]);
  });

  test("the first of equals, and before all what is no number", () => {
    const place = (values: number[]) => {
      const x = f.variable("x", [1, 2, 2, 1], "float64");
      const [gradient] = grad(f.sum(f.maxPool2d(x, { size: 2 })), [x]);
      return dataOf(
        f.reshape(f.substitute([gradient], new Map([[x, f.reshape(f64(values), x.shape)]]))[0], [4]),
      );
    };
    expect(place([1, 3, 3, 2])).toEqual([0, 1, 0, 0]);
    expect(place([1, 3, Number.NaN, Number.NaN])).toEqual([0, 0, 1, 0]);
  });
});

describe("what is refused", () => {
  const [x, w] = [random([2, 5, 5, 3], 1), random([4, 3, 3, 3], 2)];
  test.each<[string, () => Tensor, RegExp]>([
    [
      "channels first",
      () => f.conv2d(random([2, 3, 5, 5], 1), w),
      /conv2d: f64\[2,3,5,5\] with f64\[4,3,3,3\].*Channels come last/,
    ],
    ["groups that do not divide", () => f.conv2d(x, w, { groups: 2 }), /groups 2; expected/],
    [
      "a filter larger than the image",
      () => f.conv2d(x, random([4, 7, 7, 3], 2)),
      /a window that fits into the padded image/,
    ],
    ["a stride of 0", () => f.conv2d(x, w, { stride: 0 }), /stride 0,0/],
    [
      "unknown padding",
      () => f.conv2d(x, w, { padding: "full" as never }),
      /padding "full"; expected "valid", "same"/,
    ],
    ["an unknown option", () => f.conv2d(x, w, { strides: 2 } as never), /strides/],
    [
      "another size than the outputs have",
      () => f.convTranspose2d(random([1, 3, 3, 4], 3), w, { input: 9 }),
      /conv2dInput/,
    ],
    [
      "a window as wide as its padding",
      () => f.maxPool2d(x, { size: 2, padding: 2 }),
      /padding narrower than the window/,
    ],
    [
      "a window larger than the image",
      () => f.averagePool2d(x, { size: 6 }),
      /sumPool2d: f64\[2,5,5,3\], window 6x6/,
    ],
    ["integers", () => f.maxPool2d(f.cast(x, "int32"), { size: 2 }), /expected float images/],
  ])("%s", (_, build, message) => expect(build).toThrow(message));
});
