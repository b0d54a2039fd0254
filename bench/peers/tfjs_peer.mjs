/**
 * TensorFlow.js: softmax regression, the perceptron, the CNN of exercise 3. Form "wasm": that backend, with SIMD and
 * threads where the runtime allows; "cpu": plain JavaScript, which has the gradients of convolutions that "wasm" lacks.
 * `optimizer.minimize` per step; batches are gathered on the host, which is quicker than its own gather.
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
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

const tf = await load("@tensorflow/tfjs");
let threads = 1;
if (spec.form === "wasm") {
  const wasm = await load("@tensorflow/tfjs-backend-wasm");
  const require = createRequire(import.meta.url);
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  wasm.setThreadsCount(spec.threads);
  await tf.setBackend("wasm");
  await tf.ready();
  threads = wasm.getThreadsCount();
} else {
  await tf.setBackend(spec.form);
  await tf.ready();
}

const { images, labels, count } = trainingData();
const variable = (values, shape) => tf.variable(tf.tensor(values, shape));
const dense = (p, i, inputs) => tf.add(tf.matMul(inputs, p[i]), p[i + 1]);
const convolved = (p, i, inputs) =>
  tf.maxPool(tf.relu(tf.add(tf.conv2d(inputs, p[i], 1, "same"), p[i + 1])), 2, 2, "same");

const cutShapes = [
  [5, 5, 1, 32],
  [5, 5, 32, 64],
  [3136, 1024],
  [1024, 10],
];
const models = {
  softmax: {
    start: () => [tf.variable(tf.zeros([784, 10])), tf.variable(tf.zeros([10]))],
    logits: (p, inputs) => dense(p, 0, inputs),
  },
  perceptron: {
    start: () => [
      variable(normal(784 * 512, Math.sqrt(2 / 784)), [784, 512]),
      tf.variable(tf.zeros([512])),
      variable(uniform(5120, Math.sqrt(6 / 522)), [512, 10]),
      tf.variable(tf.zeros([10])),
    ],
    logits: (p, inputs) => dense(p, 2, tf.relu(dense(p, 0, inputs))),
  },
  cnn: {
    start: () =>
      cutShapes.flatMap((shape) => [
        variable(truncatedNormal(tf.util.sizeFromShape(shape), 0.1), shape),
        tf.variable(tf.fill([shape.at(-1)], 0.1)),
      ]),
    logits: (p, inputs) => {
      const x = convolved(p, 2, convolved(p, 0, inputs.reshape([spec.batch, 28, 28, 1])));
      return dense(p, 6, tf.dropout(tf.relu(dense(p, 4, x.reshape([spec.batch, 3136]))), 0.5));
    },
  },
};
const { start, logits } = models[spec.workload];
const variables = start();
const optimizer =
  spec.optimizer === "adam" ? tf.train.adam(spec.settings.lr) : tf.train.sgd(spec.settings.lr);
const next = batches(count, spec.batch);

async function step() {
  const indices = next.next().value;
  const loss = tf.tidy(() => {
    const inputs = tf.tensor2d(gatherRows(images, indices, 784), [spec.batch, 784]);
    const targets = tf.oneHot(
      tf.tensor1d(
        Array.from(indices, (i) => labels[i]),
        "int32",
      ),
      10,
    );
    return optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(targets, logits(variables, inputs)),
      true,
      variables,
    );
  });
  const value = loss.dataSync()[0];
  loss.dispose();
  return value;
}

async function run(chunks) {
  let sum = 0;
  const steps = chunks * spec.chunkSteps;
  for (let n = 0; n < steps; n++) sum += await step();
  return { steps, loss: sum / steps };
}

await serve({ version: `TensorFlow.js ${tf.version_core}`, form: spec.form, threads, run });
