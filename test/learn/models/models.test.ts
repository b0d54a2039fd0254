/** Models: counts of parameters, first values, outputs against plain loops. */
import { describe, expect, it } from "vitest";
import { constant, evaluate, keyFromSeed } from "../../../src/graph/index.js";
import { constantValue } from "../../../src/learn/initializers/index.js";
import { type BuiltLayer, dense } from "../../../src/learn/layers/index.js";
import {
  convNet,
  layersModel,
  lenet5,
  perceptron,
  resnet,
  softmaxRegression,
} from "../../../src/learn/models/index.js";

const key = keyFromSeed(3);
const countOf = ({ parameters }: BuiltLayer) =>
  Object.values(parameters).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
const initialOf = ({ parameters }: BuiltLayer) => {
  const names = Object.keys(parameters);
  const values = evaluate(names.map((name) => parameters[name].initial(key)));
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
};

describe("softmaxRegression", () => {
  it("has 7,850 parameters for MNIST, all zero, whether images are flat or not", () => {
    for (const shape of [[784], [28, 28, 1]]) {
      const built = softmaxRegression().build(shape, 10);
      expect(countOf(built)).toBe(7850);
      expect(Object.values(initialOf(built)).every(({ data }) => data.every((value) => value === 0))).toBe(
        true,
      );
    }
  });
});

describe("perceptron", () => {
  it("has 407,050 parameters from 784 through 512 to 10", () => {
    const built = perceptron().build([784], 10);
    expect(countOf(built)).toBe(407_050);
    expect(built.output).toEqual([10]);
    const { "dense1.weight": first } = initialOf(built);
    const variance =
      Array.from(first.data).reduce((sum, value) => sum + value * value, 0) / first.data.length;
    expect(variance / (2 / 784)).toBeCloseTo(1, 1);
  });

  it("computes what plain loops compute", () => {
    const built = perceptron({ hidden: [3, 2], activation: "tanh", dropout: 0.5 }).build([2], 2);
    const values = initialOf(built);
    const x = [0.3, -1.2];
    const expected = [1, 2, 3].reduce((signal, layer) => {
      const { shape, data } = values[`dense${layer}.weight`];
      const bias = values[`dense${layer}.bias`].data;
      const sums = Array.from(bias, (b, i) => signal.reduce((s, v, j) => s + v * data[i * shape[1] + j], b));
      return layer === 3 ? sums : sums.map(Math.tanh);
    }, x);
    const parameters = Object.fromEntries(
      Object.entries(built.parameters).map(([name, { initial }]) => [name, initial(key)]),
    );
    const [y] = evaluate([built.apply(parameters, constant([x]), { training: false, key })]);
    expected.forEach((value, i) => {
      expect(y.data[i]).toBeCloseTo(value, 6);
    });
  });

  it("records what it is made of and names impossible options", () => {
    expect(perceptron({ hidden: [4], initializer: constantValue(1) }).options).toEqual({
      hidden: [4],
      activation: "relu",
      dropout: 0,
      initializer: "constantValue(1)",
    });
    expect(countOf(perceptron({ hidden: [] }).build([5], 3))).toBe(18);
    expect(() => perceptron({ hiden: [4] } as never)).toThrow('Did you mean "hidden"?');
    expect(() => perceptron({ hidden: 4 as never })).toThrow("received hidden 4; expected a list of sizes");
    expect(() => perceptron({ dropout: 1.5 })).toThrow("received probability 1.5");
  });
});

describe("layersModel", () => {
  it("builds one's own layers and checks the output", () => {
    const model = layersModel({ name: "narrow", layers: (outputs) => [dense(4), dense(outputs)] });
    expect(countOf(model.build([3], 2))).toBe(4 * 3 + 4 + 2 * 4 + 2);
    expect(() => model.build([5, 3], 2)).toThrow('model "narrow": the last layer gives f32[5,2]');
  });
});

describe("networks for images", () => {
  it("have the parameters that are known of them", () => {
    expect(countOf(convNet().build([28, 28, 1], 10))).toBe(3_274_634);
    expect(countOf(lenet5().build([28, 28, 1], 10))).toBe(61_706);
    // 20 layers on CIFAR-10 (0.27 million, says the paper), and the two shortcuts with weights.
    expect(countOf(resnet({ blocks: 3 }).build([32, 32, 3], 10))).toBe(269_722 + 2_752);
  });

  it("the course's start: biases 0.1, weights truncated at two sigma of 0.1", () => {
    const initial = initialOf(convNet().build([28, 28, 1], 10));
    expect([...initial["conv1.bias"].data].every((value) => value === Math.fround(0.1))).toBe(true);
    const weights = initial["conv2.weight"].data;
    const spread = Math.sqrt(Array.from(weights).reduce((sum, w) => sum + w * w, 0) / weights.length);
    expect(Math.max(...Array.from(weights, Math.abs))).toBeLessThanOrEqual(0.2);
    expect(spread).toBeCloseTo(0.08796, 3);
  });

  it("batch normalisation takes the place of biases and brings states", () => {
    const built = convNet({ batchNorm: true, initializer: "he" }).build([28, 28, 1], 10);
    expect(Object.keys(built.parameters)).toEqual([
      "conv1.weight",
      "batchNorm1.scale",
      "batchNorm1.shift",
      "conv2.weight",
      "batchNorm2.scale",
      "batchNorm2.shift",
      "dense1.weight",
      "batchNorm3.scale",
      "batchNorm3.shift",
      "dense2.weight",
      "dense2.bias",
    ]);
    expect(Object.keys(built.state ?? {})).toHaveLength(6);
  });

  it("normalise as they are told, and say so in the store", () => {
    const batchNorm = { synchronized: true };
    const models = [convNet({ batchNorm }), resnet({ batchNorm })];
    for (const { options, build } of models) {
      expect(options.batchNorm).toEqual({ synchronized: true });
      const states = Object.values(build([8, 8, 1], 2).state!);
      expect(states.map(({ follows }) => follows)).toEqual(states.map(() => "batch"));
    }
    expect(convNet({ batchNorm: true }).options.batchNorm).toBe(true);
    expect(convNet().options.batchNorm).toBe(false);
    expect(resnet().options).toEqual({ blocks: 1, width: 16 });
    const plain = Object.values(resnet().build([8, 8, 1], 2).state!);
    expect(plain.map(({ follows }) => follows)).toEqual(plain.map(() => undefined));
  });

  it("name impossible options", () => {
    expect(() => convNet({ initializer: "xavier" as never })).toThrow('received initializer "xavier"');
    expect(() => resnet({ batchNorm: { momentum: 1 } }).build([8, 8, 1], 2)).toThrow("received momentum 1");
    expect(() => resnet({ blocks: 0 })).toThrow("received 0 blocks of width 16");
    expect(() => convNet().build([784], 10)).toThrow("an example of shape [784]; expected an image");
  });
});
