/** Plans as text for snapshots, and what each kernel reads and writes. */
import { bytesOf } from "../../src/base/dtype.js";
import { formatType, sizeOf } from "../../src/base/shape.js";
import { kernelEffects } from "../../src/compile/kernelEffects.js";
import type { Access, Kernel, Plan, PlanBuffer } from "../../src/compile/plan.js";

/** One line a kernel: its shape, what it reads, what it writes; temporaries are numbered as they come. */
export function formatEntry(plan: Plan, entry: string): string {
  const names = new Map<number, string>();
  const nameOf = (number: number): string => {
    const { name, role } = plan.buffers[number];
    if (role !== "temporary") return role === "constant" ? `constant#${number}` : name;
    if (!names.has(number)) names.set(number, `t${names.size} ${formatType(plan.buffers[number])}`);
    return names.get(number)!;
  };
  const short = (number: number): string => nameOf(number).split(" ")[0];
  const { kernels, traces } = plan.entries[entry];
  const lines = kernels.map((kernel) => {
    if (kernel.kind === "barrier") return "barrier";
    const { reads, writes } = kernelEffects(kernel);
    const sources = [...new Set(reads.map(short))].join(", ");
    return `${shapeOf(kernel)}: ${sources} -> ${[...new Set(writes)].map(nameOf).join(", ")}`;
  });
  return [...lines, ...traces.map(({ name, source }) => `trace ${name} <- ${short(source)}`)].join("\n");
}

function shapeOf(kernel: Kernel): string {
  switch (kernel.kind) {
    case "gemm":
      return `gemm ${kernel.m}x${kernel.n}x${kernel.k}${kernel.batch.length > 0 ? ` for each of ${kernel.batch.join("x")}` : ""}`;
    case "scatterAdd":
      return `scatterAdd ${kernel.outer}x${kernel.count}x${kernel.inner} into ${kernel.extent}`;
    case "convolution": {
      const { images, height, width, channels, filters, kernelHeight, kernelWidth } = kernel.sizes;
      const after = [kernel.bias && "bias", kernel.relu && "relu"].filter(Boolean).join(", ");
      return `${kernel.name} ${images}x${height}x${width}x${channels} * ${filters}x${kernelHeight}x${kernelWidth}${after && `, ${after}`}`;
    }
    case "pool":
      return `pool ${kernel.mode} ${kernel.images}x${kernel.height}x${kernel.width}x${kernel.channels} by ${kernel.attributes.size.join("x")}`;
    case "barrier":
      return "barrier";
    case "beginAllReduce":
    case "finishAllReduce":
    case "beginReduceScatter":
    case "finishReduceScatter":
    case "beginAllGather":
    case "finishAllGather":
      return kernel.kind;
    case "loop": {
      const extents = kernel.extents.map((extent, d) => (kernel.reduced[d] ? `(${extent})` : `${extent}`));
      return `loop ${extents.join("x") || "once"} [${kernel.name}]${kernel.inParts ? " in parts" : ""}`;
    }
  }
}

/** Where a loop reads memory; a gather may read anywhere along one axis. */
export const loadsOf = (kernel: Kernel & { kind: "loop" }): { access: Access; isGather: boolean }[] =>
  kernel.body.flatMap((instruction) =>
    instruction.op === "load" || instruction.op === "gather"
      ? [{ access: instruction.access, isGather: instruction.op === "gather" }]
      : [],
  );

export const bytesIn = ({ shape, dtype }: PlanBuffer): number => sizeOf(shape) * bytesOf(dtype);

/** Whether two buffers share a byte of the arena. */
export const overlaps = (a: PlanBuffer, b: PlanBuffer): boolean =>
  a.offset < b.offset + bytesIn(b) && b.offset < a.offset + bytesIn(a) && bytesIn(a) > 0 && bytesIn(b) > 0;
