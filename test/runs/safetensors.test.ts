/** Safetensors: written and read back, read as its specification says, broken files named. */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/runs/index.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/runs/safetensors.js";

const folder = mkdtempSync(join(tmpdir(), "slalom-safetensors-"));
const content = {
  tensors: {
    weight: { shape: [2, 3], dtype: "float32", data: Float32Array.of(1, -2, 3.5, Number.NaN, -0, Infinity) },
    exact: { shape: [1], dtype: "float64", data: Float64Array.of(0.1) },
    step: { shape: [], dtype: "int32", data: Int32Array.of(-7) },
    flags: { shape: [3], dtype: "uint8", data: Uint8Array.of(0, 1, 255) },
    none: { shape: [0, 4], dtype: "float32", data: new Float32Array(0) },
  },
  metadata: { run: "adam-1", note: "ü" },
} as const;

describe("safetensors", () => {
  test("what was written is read back, bit by bit, and nothing is left aside", () => {
    const path = join(folder, "model.safetensors");
    writeSafetensors(path, content);
    expect(readSafetensors(path)).toEqual(content);
    expect(readdirSync(folder)).toEqual(["model.safetensors"]);
  });

  test("header and tensors lie as the specification says", () => {
    const bytes = encodeSafetensors(content);
    const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    expect(headerBytes % 8).toBe(0);
    const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + headerBytes)).toString());
    expect(header.exact).toEqual({ dtype: "F64", shape: [1], data_offsets: [24, 32] });
    expect(Buffer.from(bytes).readDoubleLE(8 + headerBytes + 24)).toBe(0.1);
  });

  test("a file of Python's own is read", () => {
    const { tensors, metadata } = readSafetensors(
      new URL("../fixtures/data/python.safetensors", import.meta.url).pathname,
    );
    expect(metadata).toEqual({ made: "by Python" });
    expect(tensors.f32).toEqual({ shape: [2, 2], dtype: "float32", data: Float32Array.of(1.5, -2, 0.25, 8) });
    expect(tensors.i32).toEqual({ shape: [3], dtype: "int32", data: Int32Array.of(1, -2, 3) });
  });

  test("broken files are named, with what is wrong", () => {
    const whole = encodeSafetensors(content);
    const cases: [Uint8Array, RegExp][] = [
      [whole.subarray(0, 5), /has 5 bytes/],
      [whole.subarray(0, 40), /reaches beyond its end/],
      [whole.subarray(0, whole.length - 1), /tensor "flags" of shape \[3\] lies at \[36,39\] of 38 bytes/],
      [Buffer.concat([Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0), Buffer.from("{x}")]), /header is not JSON/],
      [Buffer.from(Buffer.from(whole).toString("latin1").replace('"F64"', '"F16"'), "latin1"), /dtype F16/],
    ];
    for (const [bytes, message] of cases)
      expect(() => decodeSafetensors(bytes, "x.safetensors")).toThrow(message);
    const path = join(folder, "broken.safetensors");
    writeFileSync(path, whole.subarray(0, 100));
    expect(() => readSafetensors(path)).toThrow(/broken\.safetensors is no whole safetensors file/);
    expect(readFileSync(path)).toHaveLength(100);
  });
});
