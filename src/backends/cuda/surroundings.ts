/** What calls of libraries find around them: a program's memory, its kernels, its stream and those beside it. */
import type { DeviceContext, Handle, LaunchShape } from "./driver.js";
import { fork, join, type RankStream } from "./graphs.js";
import type { Handles } from "./handles.js";
import type { InBranch, LibraryKernel, Surroundings } from "./libraryCalls.js";

export interface ProgramPlace {
  readonly context: DeviceContext;
  readonly arena: Handle;
  readonly workspace: Handle;
  /** The program's own, and those beside it: as many in all as the call with the most branches wants. */
  readonly streams: readonly RankStream[];
  /** Functions by name. */
  readonly kernels: ReadonlyMap<string, Handle>;
}

export function surroundingsIn({ context, arena, workspace, streams, kernels }: ProgramPlace): Surroundings {
  const on = (stream: Handle): InBranch => ({
    stream,
    launch: (name: LibraryKernel, shape: LaunchShape, args: readonly bigint[]) =>
      context.launch(kernels.get(name)!, shape, stream, args),
  });
  return {
    arena,
    workspace,
    ...on(streams[0].stream),
    inBranches(count, put) {
      const branches = streams.slice(0, count);
      fork({ context, streams: branches });
      for (const [branch, { stream }] of branches.entries()) put(branch, on(stream));
      join({ context, streams: branches });
    },
  };
}

/** @param handles gives them back */
export const takeStreams = (context: DeviceContext, count: number, handles: Handles): RankStream[] =>
  Array.from({ length: count }, () => ({
    stream: handles.own(context.createStream(), (one) => context.destroyStream(one)),
    event: handles.own(context.createEvent(), (one) => context.destroyEvent(one)),
  }));
