/** What kernels take of a multiprocessor, as the assembler in NVRTC tells it. */

export interface KernelResources {
  /** Of each thread. */
  readonly registers: number;
  /** Bytes that a thread stores to memory and loads from it for want of registers. */
  readonly spillBytes: number;
  /** Bytes of local memory of a thread: spills, and arrays that registers can't be. */
  readonly stackBytes: number;
  /** Bytes of shared memory of a block, beside what a launch asks for. */
  readonly staticSharedBytes: number;
}

/** @param log of a compilation with `--ptxas-options=-v` */
export function resourcesIn(log: string): Map<string, KernelResources> {
  const sections = log.split(/Compiling entry function '/).slice(1);
  return new Map(
    sections.map((section) => {
      const number = (pattern: RegExp): number => Number(pattern.exec(section)?.[1] ?? 0);
      return [
        section.slice(0, section.indexOf("'")),
        {
          registers: number(/Used (\d+) registers/),
          spillBytes: number(/(\d+) bytes spill stores/) + number(/(\d+) bytes spill loads/),
          stackBytes: number(/(\d+) bytes stack frame/),
          staticSharedBytes: number(/(\d+) bytes smem/),
        },
      ];
    }),
  );
}
