/**
 * The straight-line body of a loop in CUDA C. A thread computes a few neighbouring indices of the innermost dimension, its
 * lanes: what is the same for all of them once, contiguous elements in one load or store, the rest lane by lane.
 */
import { bytesOf, type DType } from "../../../base/dtype.js";
import { sizeOf } from "../../../base/shape.js";
import type { Access, Instruction, LoopKernel } from "../../../compile/plan.js";
import { cType, literal } from "./cTypes.js";
import { type IndexTypes, position } from "./nest.js";
import { drawsRandomly, expressionOf } from "./operations.js";
import { addressOf, block, type Memory } from "./part.js";

/** Bytes of the widest load and store. */
const vectorBytes = 16;

export interface BodyTarget {
  readonly kernel: LoopKernel;
  readonly memory: Memory;
  readonly lanes: number;
  readonly types: IndexTypes;
  /** The variables of the loop indices; of the innermost one, that of the first lane. */
  readonly variables: readonly string[];
}

/** As many lanes as one load can bring, if there is a contiguous access and they divide the innermost extent. */
export function chooseLanes(kernel: LoopKernel, { buffers }: Memory): number {
  const accesses = accessesOf(kernel);
  const innermost = kernel.extents.at(-1);
  if (innermost === undefined || innermost === 0) return 1;
  const widest = Math.max(...accesses.map(({ buffer }) => bytesOf(buffers[buffer].dtype)));
  const fits = (lanes: number): boolean =>
    lanes * widest <= vectorBytes &&
    innermost % lanes === 0 &&
    accesses.some((access) => isContiguous(access, lanes));
  return [4, 2].find(fits) ?? 1;
}

const accessesOf = ({ body, stores, reductions }: LoopKernel): Access[] => [
  ...body.flatMap((instruction) => ("access" in instruction ? [instruction.access] : [])),
  ...[...stores, ...reductions].map(({ access }) => access),
];

/** Whether the lanes lie side by side from a place that is aligned to all of them. */
export const isContiguous = ({ offset, strides }: Access, lanes: number): boolean =>
  strides.at(-1) === 1 && [offset, ...strides.slice(0, -1)].every((elements) => elements % lanes === 0);

/** Addresses of the buffers that the kernel touches: `b3` is that of buffer 3. */
export function bufferAddresses(kernel: LoopKernel, { buffers }: Memory): string[] {
  const used = [...new Set(accessesOf(kernel).map(({ buffer }) => buffer))];
  return used.map((buffer) => {
    const type = cType[buffers[buffer].dtype];
    return `${type}* const b${buffer} = ${addressOf(buffers[buffer], type)};`;
  });
}

export const drawsIn = ({ body }: LoopKernel): boolean => body.some(({ op }) => drawsRandomly(op));

/**
 * Statements that compute and store the lanes of one iteration.
 * @param fold a statement that takes value `value` of lane `lane` into reduction `r`
 */
export function bodyCode(
  target: BodyTarget,
  fold: (r: number, value: string, lane: string) => string,
): string {
  const { kernel, memory, lanes, types, variables } = target;
  const varying = laneVarying(kernel, lanes);
  const before: string[] = [];
  const perLane: string[] = [];
  const after: string[] = [];
  const dtypeOf = (access: Access): DType => memory.buffers[access.buffer].dtype;
  const first = ({ offset, strides }: { offset: number; strides: readonly number[] }): string =>
    position(offset, strides, variables);
  const ofLane = (access: { offset: number; strides: readonly number[] }): string => {
    const stride = lanes === 1 ? 0 : (access.strides.at(-1) ?? 0);
    return stride === 0 ? first(access) : `${first(access)} + ${stride === 1 ? "lane" : `${stride} * lane`}`;
  };
  const element = (access: Access): string => `b${access.buffer}[${ofLane(access)}]`;

  kernel.body.forEach((instruction, i) => {
    const declaration = `const ${cType[instruction.dtype]} v${i}`;
    const inLane = varying[i];
    const wide = inLane && wideLoad(instruction, target, (index) => varying[index]);
    if (wide) {
      const place = `b${wide.access.buffer} + ${first(wide.access)}${wide.moved}`;
      before.push(
        `const Lanes<${cType[instruction.dtype]}, ${lanes}> w${i} = loadLanes<${lanes}>(${place});`,
      );
      perLane.push(`${declaration} = w${i}.at[lane];`);
    } else (inLane ? perLane : before).push(`${declaration} = ${computed(instruction)};`);
  });

  function computed(instruction: Instruction): string {
    switch (instruction.op) {
      case "load":
        return element(instruction.access);
      case "literal":
        return literal(instruction.dtype, instruction.value);
      case "index":
        return `(${cType[instruction.dtype]})(${ofLane(instruction)})`;
      case "gather":
        return `b${instruction.access.buffer}[${ofLane(instruction.access)}${gatherMove(instruction, types)}]`;
      default: {
        const operands = instruction.inputs.map((n) => ({ code: `v${n}`, dtype: kernel.body[n].dtype }));
        return expressionOf(instruction, operands);
      }
    }
  }

  kernel.stores.forEach(({ value, access }, s) => {
    const stride = access.strides.at(-1) ?? 0;
    if (lanes === 1 || (stride === 0 && !varying[value])) {
      after.push(`${element(access)} = v${value};`);
      return;
    }
    before.push(`Lanes<${cType[dtypeOf(access)]}, ${lanes}> s${s};`);
    perLane.push(`s${s}.at[lane] = v${value};`);
    after.push(storeOfLanes(access, lanes, `s${s}`, first(access)));
  });
  kernel.reductions.forEach(({ value }, r) => {
    (lanes === 1 ? before : perLane).push(fold(r, `v${value}`, lanes === 1 ? "0" : "lane"));
  });
  return [...before, ...(perLane.length > 0 ? [eachLane(lanes, perLane.join("\n"))] : []), ...after].join(
    "\n",
  );
}

/** Stores lanes from element `at` on. */
export function storeOfLanes(access: Access, lanes: number, name: string, at: string): string {
  if (isContiguous(access, lanes)) return `storeLanes(b${access.buffer} + ${at}, ${name});`;
  return eachLane(
    lanes,
    `b${access.buffer}[${at} + ${access.strides.at(-1) ?? 0} * lane] = ${name}.at[lane];`,
  );
}

export const eachLane = (lanes: number, body: string): string =>
  `#pragma unroll\n${block(`for (int lane = 0; lane < ${lanes}; lane++)`, body)}`;

/** Which values differ between lanes. */
function laneVarying({ body }: LoopKernel, lanes: number): boolean[] {
  const varying: boolean[] = [];
  for (const instruction of body) {
    const strides =
      instruction.op === "index"
        ? instruction.strides
        : "access" in instruction
          ? instruction.access.strides
          : [];
    const inputs =
      instruction.op === "gather" ? [instruction.index] : "inputs" in instruction ? instruction.inputs : [];
    varying.push(lanes > 1 && ((strides.at(-1) ?? 0) !== 0 || inputs.some((input) => varying[input])));
  }
  return varying;
}

/** What of a load or gather brings all lanes at once; undefined where they do not lie side by side. */
function wideLoad(
  instruction: Instruction,
  { lanes, types }: BodyTarget,
  varies: (value: number) => boolean,
): { readonly access: Access; readonly moved: string } | undefined {
  if (instruction.op === "load" && isContiguous(instruction.access, lanes))
    return { access: instruction.access, moved: "" };
  if (
    instruction.op === "gather" &&
    !varies(instruction.index) &&
    instruction.stride % lanes === 0 &&
    isContiguous(instruction.access, lanes)
  )
    return {
      access: instruction.access,
      moved: gatherMove(instruction, types),
    };
  return undefined;
}

const gatherMove = (
  { index, extent, stride }: Instruction & { op: "gather" },
  { signed }: IndexTypes,
): string => ` + (${signed})clampIndex(v${index}, ${extent}) * ${stride}`;

/** Whether a kernel counts beyond 32 bits: iterations, or elements of a buffer. */
export const isWide = (kernel: LoopKernel, { buffers }: Memory): boolean =>
  [
    kernel.extents,
    ...[...kernel.body, ...kernel.stores, ...kernel.reductions].flatMap((part) =>
      "access" in part ? [buffers[part.access.buffer].shape] : [],
    ),
  ].some((shape) => sizeOf(shape) >= 2 ** 31);
