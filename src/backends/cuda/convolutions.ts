/**
 * Convolutions by cuDNN, float32, lane by lane, or some lanes side by side; bias and ReLU by a kernel of ours behind it,
 * which keeps NaN.
 *
 * Operands that are to be rounded to bfloat16 are so by a kernel of ours, into the workspace, and stay float32 there: tensor
 * cores that keep 10 bits of significand multiply them exactly, and the result is not rounded as cuDNN would to bfloat16.
 */
import { bytesOf } from "../../base/dtype.js";
import { sizeOf } from "../../base/shape.js";
import type { ConvolutionKernel, ConvolutionOperand, Plan } from "../../compile/plan.js";
import type { ConvolutionRole, ConvolutionSizes } from "../../graph/operations/convolution.js";
import { type Cudnn, mostWorkspaceBytes, type PreparedConvolution } from "./cudnn.js";
import type { Handle } from "./driver.js";
import {
  type ConvolutionLibrary,
  elementwiseShape,
  type InBranch,
  type LibraryCall,
} from "./libraryCalls.js";
import { alignedBytes } from "./memory.js";
import type { ProductPrecision } from "./products.js";

export function cudnnConvolutions(cudnn: Cudnn, precision: ProductPrecision): ConvolutionLibrary {
  return {
    callsFor: (kernel, plan) => callsFor(cudnn, precision, kernel, plan),
    release: () => cudnn.release(),
  };
}

/** Whether it is asked: of other paddings, and of float64, it has none; it refuses tensors without elements. */
export function suitsCudnn({ dtype, sizes, attributes }: ConvolutionKernel): boolean {
  const isSymmetric = attributes.padding.every(([before, after]) => before === after);
  return dtype === "float32" && isSymmetric && sizeOf(Object.values(sizes)) > 0;
}

/** Lanes that may run side by side: one seldom keeps a device busy, and each wants a workspace of its own. */
const mostBranches = 8;

function callsFor(
  cudnn: Cudnn,
  precision: ProductPrecision,
  kernel: ConvolutionKernel,
  plan: Plan,
): LibraryCall[] {
  const { computes, sizes, attributes, lanes } = kernel;
  const { padding, stride, dilation, groups } = attributes;
  if (!suitsCudnn(kernel)) return [];
  const found = cudnn.convolutions({
    computes,
    sizes,
    padding: [padding[0][0], padding[1][0]],
    stride,
    dilation,
    groups,
    math: attributes.precision !== undefined ? "tf32" : precision,
  });
  const branches = Math.min(lanes, mostBranches);
  return [
    ...found.map((one) => callOf(one, 1, kernel, plan)),
    ...(branches > 1 ? found.map((one) => callOf(one, branches, kernel, plan)) : []),
  ].filter((call) => call.branches === 1 || call.workspaceBytes <= mostWorkspaceBytes);
}

/** The lanes of a branch come one after another, in a workspace of its own. */
function callOf(
  found: PreparedConvolution,
  branches: number,
  kernel: ConvolutionKernel,
  plan: Plan,
): LibraryCall {
  const { computes, sizes, attributes, lanes, bias, relu } = kernel;
  const isRounded = attributes.precision !== undefined;
  const counts = elementsOf(sizes, attributes.groups);
  const operands = roles.filter((role) => role !== computes);
  const copies = isRounded ? operands.map((role) => alignedBytes(counts[role] * bytesOf("float32"))) : [];
  const copiesBytes = copies.reduce((sum, bytes) => sum + bytes, 0);
  const branchBytes = copiesBytes + alignedBytes(found.workspaceBytes);
  const addressOf = (arena: Handle, { buffer, laneStride }: ConvolutionOperand, lane: number): Handle =>
    arena + BigInt(plan.buffers[buffer].offset + lane * laneStride * bytesOf("float32"));
  const isFinished = bias !== undefined || relu;
  const enqueueLanes = (
    arena: Handle,
    workspace: Handle,
    { first, stream, launch }: InBranch & { readonly first: number },
  ): void => {
    const rounded = new Map<ConvolutionRole, Handle>();
    for (let lane = first; lane < lanes; lane += branches) {
      const at = { x: 0n, w: 0n, y: 0n };
      for (const role of roles) at[role] = addressOf(arena, kernel[role], lane);
      if (isRounded) {
        let copy = workspace;
        for (const [i, role] of operands.entries()) {
          // What all lanes share is rounded once.
          if (rounded.get(role) !== at[role]) {
            rounded.set(role, at[role]);
            const count = counts[role];
            launch("library_roundNumbers", elementwiseShape(count), [at[role], copy, BigInt(count)]);
          }
          at[role] = copy;
          copy += BigInt(copies[i]);
        }
      }
      found.enqueue(at, workspace + BigInt(copiesBytes), stream);
      if (isFinished) {
        const biasAt = bias ? addressOf(arena, bias, lane) : 0n;
        const sizesOfY = [counts.y, sizes.filters, relu ? 1 : 0].map(BigInt);
        launch("library_finishOutputs", elementwiseShape(counts.y), [at.y, biasAt, ...sizesOfY]);
      }
    }
  };
  return {
    name: `cuDNN algorithm ${found.algorithm}${branches > 1 ? `, ${branches} lanes at a time` : ""}`,
    workspaceBytes: branches * branchBytes,
    usesKernels: isRounded || isFinished,
    branches,
    enqueue({ arena, workspace, inBranches }) {
      inBranches(branches, (branch, within) =>
        enqueueLanes(arena, workspace + BigInt(branch * branchBytes), { first: branch, ...within }),
      );
    },
  };
}

const roles = ["x", "w", "y"] as const;

const elementsOf = (sizes: ConvolutionSizes, groups: number): Readonly<Record<ConvolutionRole, number>> => ({
  x: sizes.images * sizes.height * sizes.width * sizes.channels,
  w: sizes.filters * sizes.kernelHeight * sizes.kernelWidth * (sizes.channels / groups),
  y: sizes.images * sizes.outputHeight * sizes.outputWidth * sizes.filters,
});
