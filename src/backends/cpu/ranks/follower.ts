/**
 * The thread of a following rank. It never returns to its event loop: it sleeps until the leader has something to do,
 * does it, says so, and sleeps again.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { failureOf, invariant } from "../../../base/errors.js";
import { selectConvolution } from "../convolution/index.js";
import { selectGemm } from "../gemm/index.js";
import { type RankLibraries, RankProgram } from "../rankProgram.js";
import { detectFeatures, type WasmMemory } from "../wasm/index.js";
import { breakMeeting, isBroken } from "./barrier.js";
import { type FollowerStart, finishedAt, type ToFollower, turnAt } from "./messages.js";

interface Bound {
  readonly program: RankProgram;
  readonly memory: WasmMemory;
  readonly meeting: number;
}

const { port, ...start } = workerData as FollowerStart & { readonly port: MessagePort };
follow(port, start);

function follow(port: MessagePort, { rank, control, gemm, searchPaths, features }: FollowerStart): void {
  const programs = new Map<number, Bound>();
  let libraries: RankLibraries | undefined;
  const ready = (): RankLibraries => {
    if (libraries) return libraries;
    detectFeatures();
    const { library } = selectGemm({ library: gemm, searchPaths });
    libraries = { gemm: library, convolution: selectConvolution(library), features };
    return libraries;
  };
  const deal = (message: ToFollower): void => {
    switch (message.kind) {
      case "compile": {
        const { plan, memory, counters, patienceMs, process } = message;
        const program = new RankProgram(plan, rank, ready(), patienceMs, process);
        program.bind(memory, counters);
        programs.set(message.program, { program, memory, meeting: plan.arenaBytes });
        return;
      }
      case "run": {
        const bound = programs.get(message.program);
        invariant(bound, "a program is compiled before it runs");
        try {
          bound.program.run(message.entry, message.steps, message.options);
        } catch (error) {
          const { memory, meeting } = bound;
          // Where the meeting was broken before, this failure only follows from another rank's.
          const isFirst = !isBroken(memory.buffer, meeting);
          breakMeeting(memory.buffer, meeting);
          if (isFirst) throw error;
        }
        return;
      }
      case "release":
        programs.get(message.program)?.program.release();
        programs.delete(message.program);
    }
  };
  for (let turn = 0; ; turn = Atomics.load(control, turnAt)) {
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
      try {
        deal(next.message as ToFollower);
      } catch (error) {
        port.postMessage(failureOf(error));
      }
      Atomics.add(control, finishedAt(rank), 1);
      Atomics.notify(control, finishedAt(rank));
    }
    Atomics.wait(control, turnAt, turn);
  }
}
