/**
 * Matrix products by cuBLASLt. Ours are row-major, so it is asked for the transposed product in its column-major terms:
 * what we call C = A B is C^T = B^T A^T to it, and no byte moves.
 *
 * Operands that are to be rounded to bfloat16 are so by a kernel of ours, into the workspace; products of them are summed
 * in float32.
 */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import type { GemmKernel, GemmOperand, Plan } from "../../compile/plan.js";
import type { ColumnMajor, CublasLt } from "./cublasLt.js";
import type { Handle } from "./driver.js";
import {
  elementwiseShape,
  type LibraryCall,
  type ProductLibrary,
  type Surroundings,
} from "./libraryCalls.js";
import { alignedBytes, alignment } from "./memory.js";

/** How products of float32 are computed: as they are, or by tensor cores that keep 10 bits of their significands. */
export type ProductPrecision = "float32" | "tf32";

export function cublasLtProducts(lt: CublasLt, precision: ProductPrecision): ProductLibrary {
  return {
    callsFor: (kernel, plan) => callsFor(lt, precision, kernel, plan),
    release: () => lt.release(),
  };
}

function callsFor(lt: CublasLt, precision: ProductPrecision, kernel: GemmKernel, plan: Plan): LibraryCall[] {
  const { m, n, k, batch, dtype, accumulate } = kernel;
  // It refuses matrices without elements.
  if (sizeOf([m, n, k, ...batch]) === 0) return [];
  const count = batch.at(-1) ?? 1;
  const a = operandOf(kernel, "a", plan);
  const b = operandOf(kernel, "b", plan);
  const c = operandOf(kernel, "c", plan);
  const matmuls = lt.matmuls({
    compute: dtype === "float32" && precision === "tf32" && !kernel.precision ? "tf32" : dtype,
    accumulate,
    batch: count,
    a: b.matrix,
    b: a.matrix,
    d: c.matrix,
  });
  const roundedBytes = [a, b].map(({ roundedBytes }) => alignedBytes(roundedBytes));
  const outer = outerOffsets(kernel);
  return matmuls.map((matmul, i) => ({
    name: `cuBLASLt algorithm ${i}`,
    branches: 1,
    workspaceBytes: roundedBytes[0] + roundedBytes[1] + alignedBytes(matmul.workspaceBytes),
    usesKernels: kernel.precision !== undefined,
    enqueue(surroundings) {
      const { arena, workspace, stream } = surroundings;
      const atB = workspace + BigInt(roundedBytes[0]);
      for (const offsets of outer) {
        matmul.enqueue(
          placed(b, arena + BigInt(b.start + offsets.b), atB, surroundings),
          placed(a, arena + BigInt(a.start + offsets.a), workspace, surroundings),
          arena + BigInt(c.start + offsets.c),
          atB + BigInt(roundedBytes[1]),
          stream,
        );
      }
    },
  }));
}

/** One of the three matrices, and how it gets to the library. */
interface Operand {
  readonly matrix: ColumnMajor;
  /** Byte offset in the arena, for the first of the outer batch. */
  readonly start: number;
  /** Of its rounded copy; 0: it is taken as it is. */
  readonly roundedBytes: number;
  readonly lines: number;
  readonly elements: number;
  readonly leading: number;
  readonly stride: number;
  readonly matrices: number;
}

function operandOf(kernel: GemmKernel, side: "a" | "b" | "c", plan: Plan): Operand {
  const { m, n, k, dtype, batch } = kernel;
  const operand = kernel[side];
  const [rows, columns] = { a: [m, k], b: [k, n], c: [m, n] }[side];
  // As stored: lines one after another, the elements of each contiguous.
  const [lines, elements] = operand.transposed ? [columns, rows] : [rows, columns];
  const stride = operand.batchStrides.at(-1) ?? 0;
  const isRounded = kernel.precision !== undefined && side !== "c";
  const matrices = stride === 0 ? 1 : (batch.at(-1) ?? 1);
  const start = plan.buffers[operand.buffer].offset + operand.offset * bytesOf(dtype);
  return {
    matrix: {
      type: isRounded ? "bfloat16" : dtype,
      rows: elements,
      columns: lines,
      leading: isRounded ? elements : operand.leading,
      stride: isRounded && stride !== 0 ? lines * elements : stride,
      transposed: operand.transposed,
      alignmentBytes: isRounded ? alignment : alignmentOf(start, operand, bytesOf(dtype)),
    },
    start,
    roundedBytes: isRounded ? matrices * lines * elements * 2 : 0,
    ...{ lines, elements, leading: operand.leading, stride, matrices },
  };
}

/** The address that the library is given: the matrix itself, or its rounded copy. */
function placed(
  { roundedBytes, lines, elements, leading, stride, matrices }: Operand,
  address: Handle,
  copy: Handle,
  { launch }: Surroundings,
): Handle {
  if (roundedBytes === 0) return address;
  const sizes = [matrices, lines, elements, leading, stride].map(BigInt);
  launch("library_roundMatrices", elementwiseShape(matrices * lines * elements), [address, copy, ...sizes]);
  return copy;
}

/** The largest power of two, at most 256, that divides the byte offsets of all its matrices. */
function alignmentOf(start: number, { batchStrides }: GemmOperand, bytes: number): number {
  const offsets = [start, ...batchStrides.map((stride) => stride * bytes)];
  let largest = alignment;
  while (offsets.some((offset) => offset % largest !== 0)) largest /= 2;
  return largest;
}

/** Byte offsets for every index of the batch dimensions but the last, which is the library's. */
function outerOffsets(kernel: GemmKernel): Readonly<Record<"a" | "b" | "c", number>>[] {
  const { batch, dtype } = kernel;
  let offsets = [{ a: 0, b: 0, c: 0 }];
  batch.slice(0, -1).forEach((extent, dimension) => {
    const step = (side: "a" | "b" | "c"): number => kernel[side].batchStrides[dimension] * bytesOf(dtype);
    offsets = offsets.flatMap(({ a, b, c }) =>
      Array.from({ length: extent }, (_, i) => ({
        a: a + i * step("a"),
        b: b + i * step("b"),
        c: c + i * step("c"),
      })),
    );
  });
  return offsets;
}
