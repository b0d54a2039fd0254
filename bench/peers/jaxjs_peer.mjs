/** jax-js, `wasm` backend: softmax regression, the perceptron, the CNN of exercise 3; one jitted function per step. */
import { readFileSync } from "node:fs";
import {
  batches,
  gatherRows,
  load,
  normal,
  serve,
  spec,
  trainingData,
  truncatedNormal,
  uniform,
} from "./protocol.mjs";

const { numpy: np, lax, nn, jit, valueAndGrad, init, defaultDevice, tree } = await load("@jax-js/jax");
await init("wasm");
defaultDevice("wasm");

const { images, labels, count } = trainingData();
const filled = (values, shape) => np.array(values, { dtype: "float32" }).reshape(shape);
const dense = (p, i, inputs) => np.matmul(inputs, p[i]).add(p[i + 1]);

/** A convolution 5x5 with filters `p[i]`, ReLU, and the largest of each 2x2; images are [N, C, H, W]. */
function convolved(p, i, inputs) {
  const [batch, , height, width] = inputs.shape;
  const filters = p[i].shape[0];
  const x = nn.relu(lax.conv(inputs, p[i], [1, 1], "SAME").add(p[i + 1].reshape([filters, 1, 1])));
  return np.max(x.reshape([batch, filters, height / 2, 2, width / 2, 2]), [3, 5]);
}

const cutShapes = [
  [32, 1, 5, 5],
  [64, 32, 5, 5],
  [3136, 1024],
  [1024, 10],
];
const cnnWidths = [32, 64, 1024, 10];
const models = {
  softmax: {
    start: () => [np.zeros([784, 10]), np.zeros([10])],
    logits: (p, inputs) => dense(p, 0, inputs),
  },
  perceptron: {
    start: () => [
      filled(normal(784 * 512, Math.sqrt(2 / 784)), [784, 512]),
      np.zeros([512]),
      filled(uniform(5120, Math.sqrt(6 / 522)), [512, 10]),
      np.zeros([10]),
    ],
    logits: (p, inputs) => dense(p, 2, nn.relu(dense(p, 0, inputs))),
  },
  cnn: {
    start: () =>
      cutShapes.flatMap((shape, i) => [
        filled(
          truncatedNormal(
            shape.reduce((a, b) => a * b),
            0.1,
          ),
          shape,
        ),
        filled(new Float32Array(cnnWidths[i]).fill(0.1), [cnnWidths[i]]),
      ]),
    logits: (p, inputs, kept) => {
      const x = convolved(p, 2, convolved(p, 0, inputs.reshape([spec.batch, 1, 28, 28])));
      return dense(p, 6, nn.relu(dense(p, 4, x.reshape([spec.batch, 3136]))).mul(kept));
    },
    /** Dropout drawn on the host: 2 where a hidden unit is kept. */
    drawn: () => {
      const kept = Float32Array.from({ length: spec.batch * 1024 }, () => (Math.random() < 0.5 ? 2 : 0));
      return filled(kept, [spec.batch, 1024]);
    },
  },
};
const { start, logits, drawn } = models[spec.workload];
let parameters = start();
const shapes = parameters.map(({ shape }) => shape);

const lossOf = (p, inputs, targets, ...kept) =>
  nn
    .logSoftmax(logits(p, inputs, ...kept))
    .mul(targets)
    .sum()
    .mul(-1 / spec.batch);
const gradient = valueAndGrad(lossOf);

const isAdam = spec.optimizer === "adam";
let slots = isAdam ? [shapes.map((s) => np.zeros(s)), shapes.map((s) => np.zeros(s))] : [];
/** Of every jitted argument that is used twice, one use takes a reference. */
const step = jit((p, [first, second], inputs, targets, rate, correction, ...kept) => {
  const [loss, gradients] = gradient(tree.ref(p), inputs, targets, ...kept);
  if (!isAdam) return [loss, p.map((x, i) => x.sub(gradients[i].mul(rate.ref))), []];
  const m = first.map((x, i) => x.mul(0.9).add(gradients[i].ref.mul(0.1)));
  const v = second.map((x, i) => x.mul(0.999).add(gradients[i].ref.mul(gradients[i]).mul(0.001)));
  const moved = p.map((x, i) =>
    x.sub(m[i].ref.mul(rate.ref).div(np.sqrt(v[i].ref.mul(correction.ref)).add(1e-8))),
  );
  return [loss, moved, [m, v]];
});

const next = batches(count, spec.batch);
let number = 0;

async function run(chunks) {
  let sum = 0;
  const steps = chunks * spec.chunkSteps;
  for (let n = 0; n < steps; n++) {
    number++;
    const indices = next.next().value;
    const inputs = filled(gatherRows(images, indices, 784), [spec.batch, 784]);
    const hot = new Float32Array(spec.batch * 10);
    indices.forEach((index, i) => {
      hot[i * 10 + labels[index]] = 1;
    });
    const rate = isAdam ? spec.settings.lr / (1 - 0.9 ** number) : spec.settings.lr;
    let loss;
    [loss, parameters, slots] = step(
      parameters,
      slots,
      inputs,
      filled(hot, [spec.batch, 10]),
      np.array(rate),
      np.array(1 / (1 - 0.999 ** number)),
      ...(drawn ? [drawn()] : []),
    );
    sum += (await loss.data())[0];
  }
  return { steps, loss: sum / steps };
}

const here = new URL("./node_modules/@jax-js/jax/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(here, "utf8"));
await serve({ version: `jax-js ${version}`, form: "wasm, jit per step", threads: 1, run });
