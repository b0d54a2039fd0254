/** Convolution libraries against the operations' own loops: every direction, over every library of products. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ConvolutionLibrary,
  type ConvolutionSpec,
  im2colConvolution,
  selectConvolution,
} from "../../../src/backends/cpu/convolution/index.js";
import { allGemm, type GemmLibrary } from "../../../src/backends/cpu/gemm/index.js";
import { createSharedMemory } from "../../../src/backends/cpu/wasm/index.js";
import { bytesOf, dtypes } from "../../../src/base/dtype.js";
import { type HostTensor, sizeOf } from "../../../src/base/shape.js";
import { operationOf } from "../../../src/graph/operations/index.js";
import { unitsFrom } from "../../support/numbers.js";
import { convolutions } from "../../support/operationShapes.js";

interface Subject {
  readonly title: string;
  readonly gemm: GemmLibrary;
  readonly convolution: ConvolutionLibrary;
}

const subjectsOf = (gemm: GemmLibrary): Subject[] => [
  { title: `im2col over ${gemm.title} ${gemm.version}`, gemm, convolution: im2colConvolution() },
  ...(gemm.name === "onednn"
    ? [{ title: `${gemm.title} ${gemm.version}`, gemm, convolution: selectConvolution(gemm) }]
    : []),
];

/** Another oneDNN beside the system's, such as a 3.x where the system has a 2.x: the path of libdnnl.so.3. */
const other = process.env.SLALOM_TEST_ONEDNN;
const others =
  other === undefined ? [] : allGemm({ searchPaths: [other] }).libraries.filter(({ path }) => path === other);

test.runIf(other !== undefined)("the library that SLALOM_TEST_ONEDNN names is taken", () => {
  expect(others.map(({ name }) => name)).toEqual(["onednn"]);
});
const subjects: Subject[] = [...allGemm().libraries, ...others].flatMap(subjectsOf);

test.skipIf(other !== undefined)(
  "another oneDNN: skipped, as SLALOM_TEST_ONEDNN names none (.ci/run does)",
  ({ skip }) => skip(),
);

const memory = createSharedMemory(100);
const operations = { forward: "conv2d", input: "conv2dInput", kernel: "conv2dKernel" } as const;
const roles = { forward: ["x", "w", "y"], input: ["y", "w", "x"], kernel: ["x", "y", "w"] } as const;

/** Runs one convolution amid NaN: what is written must come from what is read alone. */
function run(
  { gemm, convolution }: Subject,
  spec: ConvolutionSpec,
  values: Record<string, number[]>,
): number[] {
  const bytes = bytesOf(spec.dtype);
  // Two of them make a float64 that is no number either.
  new Float32Array(memory.buffer).fill(Number.NaN);
  let end = 64;
  const offsets = Object.fromEntries(
    ["x", "w", "y", "bias"].map((name) => {
      const offset = end;
      end += Math.ceil((values[name].length * bytes) / 64) * 64 + 64;
      return [name, offset];
    }),
  );
  const view = (name: string) =>
    new dtypes[spec.dtype].array(memory.buffer, offsets[name], values[name].length);
  const written = roles[spec.direction][2];
  for (const name of Object.keys(values)) if (name !== written) view(name).set(values[name]);
  const gemmEnd = end + Math.ceil(gemm.workspaceBytes / 64) * 64;
  const bound = convolution.bind(memory, gemmEnd, gemm.bind(memory, end));
  const call = bound.prepare(spec);
  call(offsets.x, offsets.w, offsets.y, offsets.bias);
  // A second call finds the first one's leftovers in its scratch memory.
  call(offsets.x, offsets.w, offsets.y, offsets.bias);
  bound.release();
  return [...view(written)];
}

describe.each(subjects)("$title", (subject) => {
  test.each(["forward", "input", "kernel"] as const)("%s", (direction) => {
    fc.assert(
      fc.property(
        convolutions,
        fc.nat(),
        fc.constantFrom("float32" as const, "float64" as const),
        fc.boolean(),
        fc.boolean(),
        ({ x, w, y, attributes }, seed, dtype, bias, relu) => {
          const next = unitsFrom(seed);
          const drawn = (count: number) => Array.from({ length: count }, () => Math.fround(next()));
          const values = { x: drawn(sizeOf(x)), w: drawn(sizeOf(w)), y: drawn(sizeOf(y)), bias: drawn(w[0]) };
          const isForward = direction === "forward";
          const spec: ConvolutionSpec = {
            direction,
            dtype,
            images: x[0],
            height: x[1],
            width: x[2],
            channels: x[3],
            filters: w[0],
            kernelHeight: w[1],
            kernelWidth: w[2],
            outputHeight: y[1],
            outputWidth: y[2],
            ...attributes,
            ...(isForward && { bias, relu }),
          };
          const shapes = { x, w, y };
          const [first, second, written] = roles[direction];
          const host = (name: "x" | "w" | "y"): HostTensor => ({
            shape: shapes[name],
            dtype: "float64",
            data: Float64Array.from(values[name]),
          });
          const expected = [
            ...operationOf(operations[direction]).evaluate(
              [host(first), host(second)],
              { ...attributes, input: [x[1], x[2]], kernel: [w[1], w[2]] } as never,
              { shape: shapes[written], dtype: "float64" },
            ),
          ].map((value, i) => {
            const shifted = value + (isForward && bias ? values.bias[i % w[0]] : 0);
            return isForward && relu ? Math.max(shifted, 0) : shifted;
          });
          const received = run(subject, spec, values);
          const scale = Math.max(1, ...expected.map(Math.abs));
          const tolerance = (dtype === "float32" ? 2e-6 : 1e-14) * scale;
          expected.forEach((value, i) => {
            expect(Math.abs(received[i] - value)).toBeLessThanOrEqual(tolerance);
          });
        },
      ),
      { numRuns: 60, seed: 5 },
    );
  });

  test("a tensor that reaches beyond the memory is refused before the library is called", () => {
    const spec: ConvolutionSpec = {
      direction: "forward",
      dtype: "float32",
      images: 1,
      height: 4,
      width: 4,
      channels: 2,
      filters: 3,
      kernelHeight: 3,
      kernelWidth: 3,
      outputHeight: 2,
      outputWidth: 2,
      stride: [1, 1],
      padding: [
        [0, 0],
        [0, 0],
      ],
      dilation: [1, 1],
      groups: 1,
    };
    const bound = subject.convolution.bind(memory, 65536, subject.gemm.bind(memory, 131072));
    const call = bound.prepare(spec);
    expect(() => call(0, 1024, memory.buffer.byteLength - 8)).toThrow(/reaches beyond the memory/);
    bound.release();
  });
});
