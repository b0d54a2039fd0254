/** Pooling: a thread for neighbouring channels of what is written, as many as one load brings. */
import { bytesOf } from "../../../base/dtype.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { PoolKernel } from "../../../compile/plan.js";
import { cType } from "./cTypes.js";
import { addressOf, block, blockThreads, type Memory, type Part, type Stage } from "./part.js";

export function emitPool(kernel: PoolKernel, { buffers }: Memory): Stage[] {
  const { mode, dtype, images, height, width, channels, outputHeight, outputWidth, attributes, name } =
    kernel;
  const { size, stride, padding } = attributes;
  const type = cType[dtype];
  const writesImages = mode === "unpool" || mode === "spread";
  const lanes = [4, 2].find((count) => channels % count === 0 && count * bytesOf(dtype) <= 16) ?? 1;
  const threads = images * (channels / lanes) * (writesImages ? height * width : outputHeight * outputWidth);
  const pool = [
    ...[height, width, channels / lanes, outputHeight, outputWidth, ...size, ...stride],
    ...[padding[0][0], padding[1][0]],
  ];
  const address = (buffer: number | undefined, of: string): string =>
    buffer === undefined ? "nullptr" : addressOf(buffers[buffer], of);
  const call: { readonly [M in PoolKernel["mode"]]: string } = {
    max: `poolMaximum<${lanes}>(pool, t, source, target, index)`,
    pick: `poolPick<${lanes}>(pool, t, source, target, index)`,
    sum: `poolSum<${lanes}>(pool, t, source, target)`,
    unpool: `poolSpread<${lanes}>(pool, t, source, target, index)`,
    spread: `poolSpread<${lanes}>(pool, t, source, target, nullptr)`,
  };
  const indexType = mode === "max" ? "unsigned char" : "const unsigned char";
  const code = [
    `const Pooling pool = {${pool.join(", ")}};`,
    `const ${type}* const source = ${address(kernel.source, `const ${type}`)};`,
    `${type}* const target = ${address(kernel.target, type)};`,
    ...(kernel.index === undefined && mode !== "max"
      ? []
      : [`${indexType}* const index = ${address(kernel.index, indexType)};`]),
    block(
      `if (const unsigned t = block * ${blockThreads}u + threadIdx.x; t < ${threads}u)`,
      `${call[mode]};`,
    ),
  ].join("\n");
  const part: Part = {
    title: `${name} ${images}x${height}x${width}x${channels} by ${size.join("x")}`,
    code,
    blocks: Math.ceil(threads / blockThreads),
    sharedBytes: 0,
    libraries: ["pooling"],
    computes: kernel,
  };
  return [{ parts: [part], ...kernelEffects(kernel) }];
}
