/** Where each value of a loop body is computed: in which loop, once for all lanes or not, and in one piece with what. */
import type { Instruction, LoopKernel } from "../../../compile/plan.js";
import type { Engine } from "./engine.js";
import { type Nest, operandsOf } from "./nest.js";

export interface Schedule {
  /** How many loops are around each value. */
  readonly levels: readonly number[];
  /** The value does not depend on the vector loop. */
  readonly same: readonly boolean[];
  /** Likewise for the stores. */
  readonly storeLevels: readonly number[];
  readonly storeSame: readonly boolean[];
  /** Used once, where it is computed: needs no local. */
  readonly inline: readonly boolean[];
  /** Sums that multiply as well, and the products that they take in. */
  readonly products: readonly (FusedProduct | undefined)[];
  readonly absorbed: ReadonlySet<number>;
  /** Vectors in a full strip. */
  readonly unroll: number;
}

/** addend + sign * factors[0] * factors[1] */
export interface FusedProduct {
  readonly factors: readonly [number, number];
  readonly addend: number;
  readonly sign: 1 | -1;
}

export function analyse(nest: Nest, engine: Engine): Schedule {
  const { kernel, vectorLoop } = nest;
  const uses = countUses(kernel);
  const { products, absorbed } = engine.fuses ? fuseProducts(kernel, uses) : nothingFused(kernel);
  const inputsOf = (i: number): readonly number[] => {
    const product = products[i];
    return product ? [...product.factors, product.addend] : operandsOf(kernel.body[i]);
  };

  const moves = kernel.body.map((): boolean[] => []);
  kernel.body.forEach((instruction, i) => {
    const own = ownStrides(instruction);
    moves[i] = kernel.extents.map((_, d) => (own?.[d] ? true : inputsOf(i).some((input) => moves[input][d])));
  });
  const storeMoves = kernel.stores.map(({ value, access }) =>
    access.strides.map((stride, d) => stride !== 0 || moves[value][d]),
  );
  const levelOf = (moving: readonly boolean[]): number => moving.lastIndexOf(true) + 1;
  const levels = moves.map(levelOf);
  const same = moves.map((moving) => !moving[vectorLoop]);
  const storeLevels = storeMoves.map(levelOf);
  const storeSame = storeMoves.map((moving) => !moving[vectorLoop]);

  const inline = kernel.body.map(() => false);
  const inlineAt = (i: number, level: number, sameLanes: boolean): void => {
    if (uses[i] === 1 && levels[i] === level && same[i] === sameLanes) inline[i] = true;
  };
  kernel.body.forEach((instruction, i) => {
    if (absorbed.has(i)) return;
    // A gather reads its index several times.
    if (instruction.op !== "gather") for (const input of inputsOf(i)) inlineAt(input, levels[i], same[i]);
  });
  kernel.stores.forEach(({ value }, s) => {
    inlineAt(value, storeLevels[s], storeSame[s]);
  });
  for (const { value } of kernel.reductions) inlineAt(value, kernel.extents.length, false);

  const cost = kernel.body.reduce((sum, { op }, i) => (same[i] ? sum : sum + costOf(op)), 0);
  return {
    levels,
    same,
    storeLevels,
    storeSame,
    inline,
    products,
    absorbed,
    unroll: chooseUnroll(nest, engine, cost),
  };
}

function countUses(kernel: LoopKernel): number[] {
  const uses = kernel.body.map(() => 0);
  for (const instruction of kernel.body) for (const input of operandsOf(instruction)) uses[input]++;
  for (const { value } of [...kernel.stores, ...kernel.reductions]) uses[value]++;
  return uses;
}

const nothingFused = (kernel: LoopKernel) => ({
  products: kernel.body.map((): FusedProduct | undefined => undefined),
  absorbed: new Set<number>(),
});

/**
 * Products used once, by a sum or as what is subtracted, become part of it. Decided by the body alone, not by
 * loops or lanes, so that a run in a lane rounds as the run alone does.
 */
function fuseProducts(kernel: LoopKernel, uses: readonly number[]): ReturnType<typeof nothingFused> {
  const { products, absorbed } = nothingFused(kernel);
  kernel.body.forEach((instruction, i) => {
    if (instruction.dtype !== "float32" || (instruction.op !== "add" && instruction.op !== "sub")) return;
    const [a, b] = instruction.inputs;
    const isProduct = (n: number): boolean => kernel.body[n].op === "mul" && uses[n] === 1;
    const product = isProduct(b) ? b : instruction.op === "add" && isProduct(a) ? a : undefined;
    if (product === undefined) return;
    const [x, y] = operandsOf(kernel.body[product]);
    const sign = instruction.op === "add" ? 1 : -1;
    products[i] = { factors: [x, y], addend: product === b ? a : b, sign };
    absorbed.add(product);
  });
  return { products, absorbed };
}

function ownStrides(instruction: Instruction): readonly number[] | undefined {
  if (instruction.op === "load" || instruction.op === "gather") return instruction.access.strides;
  return instruction.op === "index" ? instruction.strides : undefined;
}

/** Instructions of one vector, about. */
function costOf(op: Instruction["op"]): number {
  switch (op) {
    case "exp":
    case "sigmoid":
      return 16;
    case "tanh":
      return 22;
    case "log":
      return 32;
    case "log1p":
    case "floorDivide":
    case "remainder":
    case "sin":
    case "cos":
    case "pow":
      return 40;
    case "randomBits":
    case "randomUniform":
    case "randomNormal":
    case "permute":
      return 100;
    case "div":
    case "sqrt":
    case "rsqrt":
      return 4;
    case "literal":
      return 0;
    default:
      return 1;
  }
}

/** Several vectors together hide latency and share what the lanes have in common; long bodies need no help. */
function chooseUnroll({ kernel, vectorLoop }: Nest, { width }: Engine, cost: number): number {
  const vectors = Math.max(1, Math.ceil(kernel.extents[vectorLoop] / width));
  const folds = kernel.reductions.length > 0;
  const light = folds && !kernel.reduced[vectorLoop] ? 8 : 4;
  const most = cost <= 8 ? light : cost <= 16 ? light / 2 : cost <= 40 ? 2 : 1;
  return Math.min(most, vectors);
}
