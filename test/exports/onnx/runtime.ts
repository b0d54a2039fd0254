/** ONNX Runtime, compiled to WebAssembly: what an exported file gives in another program. */
import * as ort from "onnxruntime-web/wasm";
import type { DType, TypedArray } from "../../../src/base/dtype.js";
import type { HostTensor } from "../../../src/base/shape.js";

export interface Loaded {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  run(inputs: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>>;
  release(): Promise<void>;
}

export async function load(file: Uint8Array): Promise<Loaded> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const model = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
  return {
    inputs: model.inputNames,
    outputs: model.outputNames,
    async run(inputs) {
      const given = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape, dtype, data }]) => [
          name,
          new ort.Tensor(dtype as "float32", data as Float32Array, shape),
        ]),
      );
      const received = await model.run(given);
      return Object.fromEntries(
        Object.entries(received).map(([name, { dims, type, data }]) => [
          name,
          { shape: dims, dtype: type as DType, data: data as TypedArray },
        ]),
      );
    },
    release: () => model.release(),
  };
}

/** What the model gives for `inputs`. */
export async function runOnce(
  model: Uint8Array,
  inputs: Readonly<Record<string, HostTensor>>,
): Promise<Record<string, HostTensor>> {
  const loaded = await load(model);
  try {
    return await loaded.run(inputs);
  } finally {
    await loaded.release();
  }
}
