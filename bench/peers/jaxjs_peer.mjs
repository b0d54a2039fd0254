/** jax-js, `wasm` backend: softmax regression and the perceptron; one jitted function per step. */
import { readFileSync } from "node:fs";
import { batches, gatherRows, load, normal, serve, spec, trainingData, uniform } from "./protocol.mjs";

const { numpy: np, nn, jit, valueAndGrad, init, defaultDevice, tree } = await load("@jax-js/jax");
await init("wasm");
defaultDevice("wasm");

const { images, labels, count } = trainingData();
const isPerceptron = spec.workload === "perceptron";
const shapes = isPerceptron ? [[784, 512], [512], [512, 10], [10]] : [[784, 10], [10]];
const filled = (values, shape) => np.array(values, { dtype: "float32" }).reshape(shape);
let parameters = isPerceptron
  ? [
      filled(normal(784 * 512, Math.sqrt(2 / 784)), shapes[0]),
      np.zeros([512]),
      filled(uniform(5120, Math.sqrt(6 / 522)), shapes[2]),
      np.zeros([10]),
    ]
  : shapes.map((shape) => np.zeros(shape));

const logitsOf = (p, inputs) =>
  isPerceptron
    ? np.matmul(nn.relu(np.matmul(inputs, p[0]).add(p[1])), p[2]).add(p[3])
    : np.matmul(inputs, p[0]).add(p[1]);
const lossOf = (p, inputs, targets) =>
  nn
    .logSoftmax(logitsOf(p, inputs))
    .mul(targets)
    .sum()
    .mul(-1 / spec.batch);
const gradient = valueAndGrad(lossOf);

const isAdam = spec.optimizer === "adam";
let slots = isAdam ? [shapes.map((s) => np.zeros(s)), shapes.map((s) => np.zeros(s))] : [];
/** Of every jitted argument that is used twice, one use takes a reference. */
const step = jit((p, [first, second], inputs, targets, rate, correction) => {
  const [loss, gradients] = gradient(tree.ref(p), inputs, targets);
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
    );
    sum += (await loss.data())[0];
  }
  return { steps, loss: sum / steps };
}

const here = new URL("./node_modules/@jax-js/jax/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(here, "utf8"));
await serve({ version: `jax-js ${version}`, form: "wasm, jit per step", threads: 1, run });
