/**
 * TensorFlow.js, `wasm` backend with SIMD and threads where the runtime allows: softmax regression and the perceptron.
 * `optimizer.minimize` per step; batches are gathered on the host, which is quicker than its own gather.
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { batches, gatherRows, load, normal, serve, spec, trainingData, uniform } from "./protocol.mjs";

const tf = await load("@tensorflow/tfjs");
const wasm = await load("@tensorflow/tfjs-backend-wasm");
const require = createRequire(import.meta.url);
wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
wasm.setThreadsCount(spec.threads);
await tf.setBackend("wasm");
await tf.ready();

const { images, labels, count } = trainingData();
const isPerceptron = spec.workload === "perceptron";
const variables = isPerceptron
  ? [
      tf.variable(tf.tensor2d(normal(784 * 512, Math.sqrt(2 / 784)), [784, 512])),
      tf.variable(tf.zeros([512])),
      tf.variable(tf.tensor2d(uniform(5120, Math.sqrt(6 / 522)), [512, 10])),
      tf.variable(tf.zeros([10])),
    ]
  : [tf.variable(tf.zeros([784, 10])), tf.variable(tf.zeros([10]))];
const logitsOf = (inputs) =>
  isPerceptron
    ? tf.add(
        tf.matMul(tf.relu(tf.add(tf.matMul(inputs, variables[0]), variables[1])), variables[2]),
        variables[3],
      )
    : tf.add(tf.matMul(inputs, variables[0]), variables[1]);
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
      () => tf.losses.softmaxCrossEntropy(targets, logitsOf(inputs)),
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

await serve({
  version: `TensorFlow.js ${tf.version_core}`,
  form: "wasm",
  threads: wasm.getThreadsCount(),
  run,
});
