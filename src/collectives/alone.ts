/** A world of one rank: every sum is its own, nobody is waited for. */
import { hostname } from "node:os";
import { SlalomError } from "../base/errors.js";
import {
  type Communicator,
  checkMovable,
  checkReduction,
  checkRoot,
  checkSplit,
  type PendingExchange,
} from "./communicator.js";

const finished: PendingExchange = { advance: () => true, finish() {} };

/** The communicator of a process that was started by itself. */
export function aloneCommunicator(): Communicator {
  let isClosed = false;
  const open = (call: string): void => {
    if (isClosed)
      throw new SlalomError("option", `${call}: the communicator is closed; expected an open one.`);
  };
  return {
    rank: 0,
    size: 1,
    members: [{ rank: 0, node: hostname(), processId: process.pid }],
    allReduce(array, reduction = "sum") {
      open("allReduce");
      checkReduction("allReduce", array, reduction);
    },
    beginAllReduce(array, reduction = "sum") {
      open("beginAllReduce");
      checkReduction("beginAllReduce", array, reduction);
      return finished;
    },
    reduceScatter(array, reduction = "sum") {
      open("reduceScatter");
      checkReduction("reduceScatter", array, reduction);
    },
    beginReduceScatter(array, reduction = "sum") {
      open("beginReduceScatter");
      checkReduction("beginReduceScatter", array, reduction);
      return finished;
    },
    allGather(array) {
      open("allGather");
      checkMovable("allGather", array);
    },
    beginAllGather(array) {
      open("beginAllGather");
      checkMovable("beginAllGather", array);
      return finished;
    },
    broadcast(array, root = 0) {
      open("broadcast");
      checkMovable("broadcast", array);
      checkRoot("broadcast", root, 1);
    },
    barrier: () => open("barrier"),
    split(by) {
      open("split");
      checkSplit(by);
      return aloneCommunicator();
    },
    close() {
      isClosed = true;
    },
  };
}
