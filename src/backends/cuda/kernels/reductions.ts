/**
 * Loops that fold dimensions. Several threads share each result and combine theirs in an order that never changes, through
 * shuffles or shared memory; where there are few results, several blocks share each, leave their parts in scratch memory,
 * and a second stage folds those. No atomic addition: equal inputs give equal bits.
 */
import type { DType } from "../../../base/dtype.js";
import { sizeOf, stridesOf } from "../../../base/shape.js";
import { kernelEffects } from "../../../compile/kernelEffects.js";
import type { Access, Combine, LoopKernel } from "../../../compile/plan.js";
import { bodyCode, bufferAddresses, drawsIn, eachLane, isWide, storeOfLanes } from "./body.js";
import { cType, literal } from "./cTypes.js";
import { chooseFoldMapping, type FoldMapping, keptOf, undivided } from "./foldMapping.js";
import { type Dimension, indexTypes, indicesFrom, mergedNest, position, titleOf } from "./nest.js";
import { block, blockThreads, type Memory, type Part, type Stage } from "./part.js";
import { rowsOf } from "./rows.js";

/** Instructions of an iteration up to which several are begun together, so that their loads are under way at once. */
const lightBody = 64;

/** @param kernel with merged dimensions */
export function emitReductions(kernel: LoopKernel, memory: Memory): Stage[] {
  const results = sizeOf(keptOf(kernel));
  if (results === 0) return [];
  const mapping = chooseFoldMapping(kernel, memory);
  if (mapping.slices === 1) return [{ parts: [emitFold(kernel, memory, mapping)], ...kernelEffects(kernel) }];
  const parts = kernel.reductions.map(({ value }) =>
    memory.scratch(kernel.body[value].dtype, mapping.slices * results),
  );
  const second = mergedNest(foldOfParts(kernel, parts, mapping.slices));
  const { reads, writes } = kernelEffects({ ...kernel, reductions: [] });
  return [
    { parts: [emitFold(kernel, memory, mapping, parts)], reads, writes: [...writes, ...parts] },
    {
      parts: [emitFold(second, memory, undivided(chooseFoldMapping(second, memory)))],
      ...kernelEffects(second),
    },
  ];
}

/** The kernel that folds what blocks left: [slices, results] for each reduction. */
function foldOfParts(kernel: LoopKernel, parts: readonly number[], slices: number): LoopKernel {
  const kept = keptOf(kernel);
  const isKept = (_: unknown, d: number): boolean => !kernel.reduced[d];
  return {
    kind: "loop",
    name: `${kernel.name}, parts`,
    extents: [slices, ...kept],
    reduced: [true, ...kept.map(() => false)],
    body: kernel.reductions.map(({ value }, r) => ({
      op: "load",
      dtype: kernel.body[value].dtype,
      access: { buffer: parts[r], offset: 0, strides: [sizeOf(kept), ...stridesOf(kept)] },
    })),
    stores: [],
    reductions: kernel.reductions.map(({ combine, access }, r) => ({
      value: r,
      combine,
      access: { ...access, strides: [0, ...access.strides.filter(isKept)] },
    })),
  };
}

/** A reduction in code. */
interface Fold {
  readonly dtype: DType;
  /** The function that combines two values. */
  readonly combine: string;
  readonly identity: string;
  readonly access: Access;
  /** The variable that accumulates lane `index`, and its type. */
  readonly lane: (index: string) => string;
  readonly variable: string;
  readonly type: string;
}

const combines: { readonly [C in Combine]: string } = { sum: "Sum", max: "Greatest", min: "Least" };

const foldsOf = (kernel: LoopKernel, lanes: number): Fold[] =>
  kernel.reductions.map(({ combine, value, access }, r) => {
    const { dtype } = kernel.body[value];
    return {
      dtype,
      combine: combines[combine],
      identity: identityOf(combine, dtype),
      access,
      lane: (index) => (lanes === 1 ? `a${r}` : `a${r}.at[${index}]`),
      variable: `a${r}`,
      // Shuffles know no bytes.
      type: dtype === "uint8" ? "int" : cType[dtype],
    };
  });

function identityOf(combine: Combine, dtype: DType): string {
  if (combine === "sum") return literal(dtype, 0);
  const [least, greatest] = {
    float32: [-Infinity, Infinity],
    float64: [-Infinity, Infinity],
    int32: [-(2 ** 31), 2 ** 31 - 1],
    uint8: [0, 255],
  }[dtype];
  return literal(dtype, combine === "max" ? least : greatest);
}

/** @param parts buffers that take the results of blocks instead of the reductions' own */
function emitFold(kernel: LoopKernel, memory: Memory, mapping: FoldMapping, parts?: readonly number[]): Part {
  const { layout, lanes, across, depth, slices, sliceSteps, keptSteps, foldedSteps } = mapping;
  const types = indexTypes(isWide(kernel, memory));
  const u = types.unsigned;
  const isRows = layout === "rows";
  const rows = parts ? undefined : rowsOf(kernel, mapping);
  const keptBlocks = Math.ceil(keptSteps / across);
  const variables = kernel.extents.map((_, d) => `i${d}`);
  const dimensions = kernel.extents.map((extent, d): Dimension => {
    const step = d === kernel.extents.length - 1 ? lanes : 1;
    return { variable: variables[d], steps: extent / step, step };
  });
  const [kept, folded] = [false, true].map((isFolded) =>
    dimensions.filter((_, d) => kernel.reduced[d] === isFolded),
  );
  const folds = foldsOf(kernel, lanes);
  const body = bodyCode({ kernel, memory, lanes, types, variables }, (r, value, index) => {
    const { combine, type, lane } = folds[r];
    return `${lane(index)} = ${combine}::of(${lane(index)}, (${type})${value});`;
  });
  const own = isRows ? `threadIdx.x % ${depth}u` : `threadIdx.x / ${across}u`;
  const result = isRows ? `threadIdx.x / ${depth}u` : `threadIdx.x % ${across}u`;
  const end =
    slices === 1 ? `${foldedSteps}u` : `min(slice * ${sliceSteps}u + ${sliceSteps}u, (${u})${foldedSteps}u)`;
  const iterations = [
    `const ${u} end = ${end};`,
    `#pragma unroll ${kernel.body.length * lanes <= lightBody ? 4 : 1}`,
    block(
      `for (${u} r = slice * ${sliceSteps}u + ${own}; r < end; r += ${depth}u)`,
      [...indicesFrom("r", folded, types), body].join("\n"),
    ),
  ].join("\n");
  const resultPlaces = folds.map(({ access }, r) => {
    const at = `slice * (${u})${sizeOf(keptOf(kernel))}u + k${isRows ? "" : ` * ${lanes}u`}`;
    return parts
      ? { access: { buffer: parts[r], offset: 0, strides: [1] }, at }
      : { access, at: position(access.offset, access.strides, variables) };
  });
  const reductions = kernel.reductions.map((reduction, r) => ({
    ...reduction,
    access: resultPlaces[r].access,
  }));
  const isFirst = depth === 1 ? "" : isRows ? ` && ${own} == 0` : ` && threadIdx.x < ${across}u`;
  return {
    title: titleOf(kernel),
    code: [
      ...bufferAddresses({ ...kernel, reductions }, memory),
      `const ${u} slice = ${slices === 1 ? "0" : `block / ${keptBlocks}u`};`,
      `const ${u} k = ${slices === 1 ? "block" : `block % ${keptBlocks}u`} * ${across}u + ${result};`,
      `const bool isInside = k < ${keptSteps}u;`,
      ...indicesFrom("k", kept, types),
      ...folds.map((fold) => declared(fold, lanes)),
      ...(foldedSteps === 0 ? [] : [block("if (isInside)", iterations)]),
      ...folds.flatMap((fold) => combined(fold, mapping)),
      block(
        `if (isInside${isFirst})`,
        folds.map((fold, r) => stored(fold, resultPlaces[r], isRows ? 1 : lanes)).join("\n"),
      ),
    ].join("\n"),
    blocks: keptBlocks * slices,
    ...(rows !== undefined && { rows }),
    sharedBytes: depth > 32 || (!isRows && depth > 1) ? blockThreads * 8 : 0,
    libraries: ["folds", ...(drawsIn(kernel) ? (["random"] as const) : [])],
    computes: kernel,
  };
}

function declared({ type, variable, identity, lane }: Fold, lanes: number): string {
  if (lanes === 1) return `${type} ${variable} = ${identity};`;
  return `Lanes<${type}, ${lanes}> ${variable};\n${eachLane(lanes, `${lane("lane")} = ${identity};`)}`;
}

/** What the threads of a result have, combined; of rows, whose lanes are parts of one result, into lane 0. */
function combined({ combine, lane }: Fold, { layout, lanes, depth, across }: FoldMapping): string[] {
  if (layout === "columns") {
    const own = lane("lane");
    const fold = `${own} = foldColumns<${combine}, ${across}, ${depth}>(${own});`;
    return depth === 1 ? [] : [eachLane(lanes, fold)];
  }
  const whole = Array.from({ length: lanes }, (_, i) => lane(`${i}`)).reduce(
    (a, b) => `${combine}::of(${a}, ${b})`,
  );
  const fold =
    depth === blockThreads
      ? `foldBlock<${combine}, ${blockThreads}>`
      : `foldNeighbours<${combine}, ${depth}>`;
  if (depth === 1 && lanes === 1) return [];
  return [`${lane("0")} = ${depth === 1 ? whole : `${fold}(${whole})`};`];
}

/** Stores the result, or as many as there are lanes. */
function stored(
  { lane, dtype, type, variable }: Fold,
  { access, at }: { readonly access: Access; readonly at: string },
  lanes: number,
): string {
  if (lanes === 1) return `b${access.buffer}[${at}] = (${cType[dtype]})${lane("0")};`;
  if (type === cType[dtype]) return storeOfLanes(access, lanes, variable, at);
  const name = `${variable}Stored`;
  return [
    `Lanes<${cType[dtype]}, ${lanes}> ${name};`,
    eachLane(lanes, `${name}.at[lane] = (${cType[dtype]})${lane("lane")};`),
    storeOfLanes(access, lanes, name, at),
  ].join("\n");
}
