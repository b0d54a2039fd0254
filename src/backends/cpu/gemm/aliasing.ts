/**
 * Products whose rows lie a multiple of 2 KiB apart, for oneDNN's AVX2 kernels.
 *
 * These kernels read B (and A where it is transposed) in place, down a few columns: with such a distance all
 * rows fall into two sets of the L1 cache and evict each other. Copying a block to rows that are one cache
 * line longer costs a tenth of what it saves: 62 to 98 GFLOP/s for 512 columns on Zen 3.
 */
import { bytesOf } from "../../../base/dtype.js";
import type { CopyRows } from "./copy.js";
import type { FullGemmSpec, GemmCall } from "./types.js";

/** Distance between rows, in bytes, whose multiples collide. */
const collidingBytes = 2048;
/** A copied row is longer by one cache line. */
const extraElements = 16;
/** A copied block stays in half of a 512 KiB L2 cache. */
const blockBytes = 256 * 1024;
/** A copy must be read by this many rows (columns) of the other operand to pay. */
const leastReuse = 40;
/** Blocks of fewer steps of k spend their time on C. */
const leastSteps = 24;

/** Scratch memory that `withCopies` uses: a block of A and one of B. */
export const copiesBytes = 2 * blockBytes;

export interface CopyPlan {
  readonly ofA: boolean;
  readonly ofB: boolean;
  /** Steps of k per block. */
  readonly steps: number;
}

/** Which operands to copy for this shape; undefined for none. */
export function planCopies(spec: FullGemmSpec): CopyPlan | undefined {
  const { m, n, k } = spec;
  const bytes = bytesOf(spec.dtype);
  const collides = (leading: number): boolean => (leading * bytes) % collidingBytes === 0;
  const ofA = spec.transA && collides(spec.lda) && n >= leastReuse;
  const ofB = !spec.transB && collides(spec.ldb) && m >= leastReuse;
  if (!ofA && !ofB) return undefined;
  const longestRow = Math.max(ofA ? m : 0, ofB ? n : 0) + extraElements;
  const mostSteps = Math.floor(blockBytes / (longestRow * bytes));
  if (mostSteps < Math.min(k, leastSteps)) return undefined;
  const blocks = Math.ceil(k / mostSteps);
  return { ofA, ofB, steps: Math.ceil(k / blocks) };
}

/** One library call on a block of k: sizes in elements, offsets in bytes. */
export type BlockCall = (
  k: number,
  a: number,
  lda: number,
  b: number,
  ldb: number,
  beta: number,
  c: number,
) => void;

/** The product as a sum over blocks of k, with the colliding operands copied block by block. */
export function withCopies(
  spec: FullGemmSpec,
  plan: CopyPlan,
  workspace: number,
  copy: CopyRows,
  call: BlockCall,
): GemmCall {
  const bytes = bytesOf(spec.dtype);
  const { m, n, k, transA, transB, lda, ldb } = spec;
  const copyOfA = workspace;
  const copyOfB = workspace + blockBytes;
  const ldaOfCopy = m + extraElements;
  const ldbOfCopy = n + extraElements;
  return (a, b, c) => {
    for (let done = 0; done < k; done += plan.steps) {
      const steps = Math.min(plan.steps, k - done);
      let blockOfA = a + done * (transA ? lda : 1) * bytes;
      let blockOfB = b + done * (transB ? 1 : ldb) * bytes;
      if (plan.ofA) {
        copy(blockOfA, lda * bytes, steps, m * bytes, copyOfA, ldaOfCopy * bytes);
        blockOfA = copyOfA;
      }
      if (plan.ofB) {
        copy(blockOfB, ldb * bytes, steps, n * bytes, copyOfB, ldbOfCopy * bytes);
        blockOfB = copyOfB;
      }
      const beta = done === 0 ? spec.beta : 1;
      call(steps, blockOfA, plan.ofA ? ldaOfCopy : lda, blockOfB, plan.ofB ? ldbOfCopy : ldb, beta, c);
    }
  };
}
