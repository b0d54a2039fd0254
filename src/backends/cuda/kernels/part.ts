/** What a kernel of the plan becomes: pieces of CUDA C that blocks of threads run. */
import type { Kernel, PlanBuffer } from "../../../compile/plan.js";

/** Threads of every block. */
export const blockThreads = 256;

/** Blocks that a multiprocessor has registers for: while one waits for memory, another computes. */
export const blocksAtOnce = 2;

/** Device functions beyond those that every program has. */
export type DeviceLibrary =
  | "folds"
  | "random"
  | "instructions"
  | "products"
  | "convolutions"
  | "pooling"
  | "scatter";

/** Work that neither waits for other parts of its stage nor touches what they write. */
export interface Part {
  /** What it computes, for people. */
  readonly title: string;
  /**
   * Statements; they know `arena`, and as an `unsigned` each the number of their `block` and, where `threads` is given, of
   * their `thread` among those.
   */
  readonly code: string;
  readonly blocks: number;
  /** Threads of its one block that suffice, which never meet; absent: all of the block. */
  readonly threads?: number;
  /** Of a reduction whose blocks have whole rows: which ones. Parts that say the same have as many blocks. */
  readonly rows?: string;
  readonly sharedBytes: number;
  readonly libraries: readonly DeviceLibrary[];
  /** The kernel whose arithmetic and traffic are the part's; absent where it only moves or links a little. */
  readonly computes?: Kernel;
}

/** Parts that run side by side; a stage begins when the one before it is done. */
export interface Stage {
  readonly parts: readonly Part[];
  /** Buffers, scratch memory among them. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** The buffers that code may name: those of the plan, and scratch memory behind its arena. */
export interface Memory {
  readonly buffers: readonly PlanBuffer[];
  /** A buffer of `count` elements for the stages of one kernel. */
  scratch(dtype: PlanBuffer["dtype"], count: number): number;
}

/** The address of a buffer's first element. */
export const addressOf = ({ offset }: PlanBuffer, type: string): string =>
  `reinterpret_cast<${type}*>(arena + ${offset}ll)`;

/** Lines, each two spaces further in. */
export const indented = (text: string): string => text.replace(/^(?=.)/gm, "  ");

/** The statement or block of statements `body` under a head such as `if (x)`. */
export const block = (head: string, body: string): string => `${head} {\n${indented(body)}\n}`;
