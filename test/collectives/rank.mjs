/**
 * One rank of a test's world: node rank.mjs SCENARIO FOLDER [OPTIONS as JSON], started by mpirun. It leaves its process
 * id in FOLDER/started-RANK, and what it found in FOLDER/found-RANK.json.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { setTimeout } from "node:timers/promises";
import { createJiti } from "jiti";

const [scenario, folder, options = "{}"] = process.argv.slice(2);
const jiti = createJiti(import.meta.url);
const { launchedWorld, openCommunicator } = await jiti.import("../../src/collectives/index.ts");
const values = await jiti.import("./values.ts");

const { rank } = launchedWorld(env);
writeFileSync(join(folder, `started-${rank}`), `${process.pid}`);
const open = () => openCommunicator({ environment: env, ...JSON.parse(options) });
const found = (result) => writeFileSync(join(folder, `found-${rank}.json`), JSON.stringify(result));
const allReduceOnes = (world) => {
  const ones = new Float32Array(1000).fill(1);
  world.allReduce(ones);
  return ones[999];
};
/** Takes no core and never ends. */
const hang = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);

const scenarios = {
  values() {
    const world = open();
    const { size, members, library } = world;
    const cases = values.floatKinds.flatMap((kind) =>
      values.memories.flatMap((memory) => values.lengths.map((length) => [kind, memory, length])),
    );
    const filled = ([kind, memory, length]) => values.fill(values.arrayOf(kind, length, memory), rank);
    const after = (one, act) => {
      const array = filled(one);
      act(array);
      return values.digest(array);
    };
    const bytes = Uint8Array.from({ length: 11 }, (_, i) => (rank === size - 1 ? i + 1 : 0));
    world.broadcast(bytes, size - 1);
    found({
      rank: world.rank,
      size,
      members,
      library,
      sum: cases.map((one) => after(one, (array) => world.allReduce(array))),
      mean: cases.map((one) => after(one, (array) => world.allReduce(array, "mean"))),
      scattered: cases.map((one) => after(one, (array) => world.reduceScatter(array))),
      gathered: cases.map((one) => after(one, (array) => world.allGather(array))),
      sent: cases.map((one, i) => after(one, (array) => world.broadcast(array, i % size))),
      bytes: [...bytes],
    });
    world.close();
  },

  again() {
    const world = open();
    const digests = Array.from({ length: 20 }, () => {
      const array = values.fill(new Float32Array(65_537), rank);
      world.allReduce(array);
      return values.digest(array);
    });
    // Alone, the elements of a part give the bits that they give amid others.
    const part = values.fill(new Float32Array(65_537), rank).slice(40_000, 40_010);
    world.allReduce(part);
    found({ digests: [...new Set(digests)], part: values.digest(part) });
    world.close();
  },

  underway() {
    const world = open();
    const cases = values.floatKinds.flatMap((kind) => values.journeys.map((length) => [kind, length]));
    const arrays = cases.map(([kind, length]) => values.fill(values.arrayOf(kind, length, "shared"), rank));
    const [scattered, gathered] = [1, 2].map(() =>
      cases.map(([kind, length]) => values.fill(values.arrayOf(kind, length, "shared"), rank)),
    );
    const pending = cases.flatMap((_, i) => [
      world.beginAllReduce(arrays[i]),
      world.beginReduceScatter(scattered[i]),
      world.beginAllGather(gathered[i]),
    ]);
    // Some ranks look after their sums, others do not; other calls come between.
    for (let turn = 0; turn < 5 * rank; turn++) for (const one of pending) one.advance();
    const told = new Float64Array([rank === 0 ? 17 : 0]);
    world.broadcast(told);
    const one = new Float32Array([rank + 1]);
    world.allReduce(one);
    let refusal = "";
    try {
      // Others may have seen all of theirs come.
      if (rank === 0) world.close();
    } catch ({ message }) {
      refusal = message;
    }
    for (const sum of pending) sum.finish();
    const [again] = pending;
    const [digests, ...parts] = [arrays, scattered, gathered].map((all) => all.map(values.digest));
    found({ digests, parts, told: told[0], one: one[0], over: again.advance(), refusal });
    world.close();
  },

  async gradients() {
    const { cpuBackend, followCpuBackend } = await jiti.import("../../src/backends/cpu/index.ts");
    const { summedOn } = await jiti.import("./gradients.ts");
    const communicator = open();
    if (rank > 0) return followCpuBackend({ communicator });
    const backend = cpuBackend({ communicator });
    found({ digests: summedOn(backend, communicator.size).map(values.digest) });
    await backend.close();
  },

  async gradientsOfThreads() {
    const { cpuBackend, followCpuBackend } = await jiti.import("../../src/backends/cpu/index.ts");
    const { ownOn, summedOn } = await jiti.import("./gradients.ts");
    const communicator = open();
    if (rank > 0) return followCpuBackend({ communicator, ranks: 2 });
    const backend = cpuBackend({ communicator, ranks: 2 });
    const [sums, again] = [1, 2].map(() => summedOn(backend, backend.ranks));
    await backend.close();
    const alone = cpuBackend();
    const parts = Array.from({ length: backend.ranks }, (_, number) => ownOn(alone, number));
    const expected = sums.map((sum, i) =>
      sum.map((_, j) => parts.reduce((total, part) => total + part[i][j], 0)),
    );
    const largest = (array) => array.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    found({
      isSame: sums.every((sum, i) => values.digest(sum) === values.digest(again[i])),
      errors: sums.map(
        (sum, i) => largest(sum.map((value, j) => value - expected[i][j])) / largest(expected[i]),
      ),
    });
  },

  updates: () => updatesWith(1),
  updatesOfThreads: () => updatesWith(2),

  split() {
    const world = open();
    const node = world.split("node");
    const parity = world.split(world.rank % 2);
    const sum = new Float64Array([2 ** world.rank]);
    parity.allReduce(sum);
    const leaders = world.split(parity.rank === 0 ? 0 : 1);
    if (parity.rank === 0) leaders.allReduce(sum);
    parity.broadcast(sum);
    found({
      node: [node.rank, node.size],
      parity: [parity.rank, parity.size],
      processes: parity.members.map(({ processId }) => processId),
      total: sum[0],
    });
    for (const communicator of [leaders, parity, node, world]) communicator.close();
  },

  async worker() {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    const gradients = new Float32Array(memory.buffer, 65_536, 1000).fill(rank + 1);
    const flags = new Int32Array(memory.buffer, 0, 2);
    await startThread({ memory });
    // This thread waits at a barrier in memory while the other one speaks for the process.
    for (let round = 1; round <= 3; round++) {
      Atomics.store(flags, 0, round);
      Atomics.notify(flags, 0);
      while (Atomics.load(flags, 1) < round) Atomics.wait(flags, 1, round - 1);
    }
    found({ values: [gradients[0], gradients[999]] });
  },

  async threadThrowing() {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    await startThread({ memory, fails: rank === 1 });
    hang();
  },

  traps() {
    const world = open();
    // (memory 1) (func (export "f") (param i32) (result i32) (i32.load (local.get 0)))
    const sections = [
      [1, 6, 1, 96, 1, 127, 1, 127],
      [3, 2, 1, 0],
      [5, 3, 1, 0, 1],
      [7, 5, 1, 1, 102, 0, 0],
      [10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11],
    ];
    const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...sections.flat()]);
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    try {
      found({ loaded: f(0x7fffff00) });
    } catch (error) {
      found({ trap: error.message });
    }
    world.close();
  },

  unclosed() {
    found({ sum: allReduceOnes(open()) });
  },

  late() {
    const world = open();
    allReduceOnes(world);
    if (rank === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    found({ sum: allReduceOnes(world) });
    world.close();
  },

  killed: () => endless((turn) => turn === 5 && process.kill(process.pid, "SIGKILL")),
  hanging: () => endless((turn) => turn === 5 && hang()),
  stopped: () => endless((turn) => turn === 5 && process.kill(process.pid, "SIGSTOP")),
  stoppedUnderway: () => withSumsUnderway(() => process.kill(process.pid, "SIGSTOP")),
  killedUnderway: () => withSumsUnderway(() => process.kill(process.pid, "SIGKILL")),
  throwing: () =>
    endless((turn) => {
      if (turn === 5) throw new Error("this rank has had enough");
    }),
  rejecting: () => endless((turn) => turn === 5 && Promise.reject(new Error("this rank has had enough"))),
  leaving: () => endless((turn) => turn === 5 && process.exit(0)),
  forever: () => endless(() => {}),

  absent() {
    if (rank === 1) hang();
    open();
  },

  astray() {
    const world = open();
    if (rank === 1) world.barrier();
    else allReduceOnes(world);
  },

  lengths() {
    open().allReduce(new Float32Array(rank === 1 ? 90 : 100));
  },

  open() {
    open();
  },
};

/**
 * All trainings with updates that processes divide, and with updates that each makes whole; then one that goes on with a
 * process less from what either kept.
 */
async function updatesWith(ranks) {
  const { cpuBackend, followCpuBackend } = await jiti.import("../../src/backends/cpu/index.ts");
  const { updateCases, updatesOn } = await jiti.import("./updates.ts");
  const world = open();
  const isOne = rank < world.size - 1;
  const together = [true, false].map(() => world.split(0));
  const fewer = [true, false].map(() => world.split(isOne ? 0 : 1));
  const led = async (communicator, divideUpdates, act) => {
    if (communicator.rank > 0) return followCpuBackend({ communicator, ranks });
    const backend = cpuBackend({ communicator, ranks, divideUpdates });
    await act(backend);
    await backend.close();
  };
  const outcomes = [true, false].map(() => ({}));
  const kept = [];
  for (const [i, divideUpdates] of [true, false].entries())
    await led(together[i], divideUpdates, async (backend) => {
      for (const [name, { training }] of Object.entries(updateCases)) {
        const { digests, snapshot } = await updatesOn(backend, await training(), { snapshotAt: 3 });
        outcomes[i][name] = digests;
        if (name === "Adam") kept[i] = snapshot;
      }
    });
  for (const [i, divideUpdates] of [true, false].entries()) {
    if (!isOne) fewer[i].close();
    else
      await led(fewer[i], divideUpdates, async (backend) => {
        const training = await updateCases.Adam.training();
        const { digests } = await updatesOn(backend, training, { from: kept[i] });
        outcomes[i]["Adam, with a process less"] = digests;
      });
  }
  world.close();
  found({ divided: outcomes[0], whole: outcomes[1] });
}

/** Two sums that have begun; `act` is what rank 1 does then. */
function withSumsUnderway(act) {
  const world = open();
  const pending = [1, 2].map(() => world.beginAllReduce(new Float32Array(1_000_000).fill(1)));
  if (rank === 1) act();
  for (const sum of pending) sum.finish();
}

/** Sums without end; `act` is what rank 1 does before each. */
async function endless(act) {
  const world = open();
  for (let turn = 1; ; turn++) {
    if (rank === 1) act(turn);
    allReduceOnes(world);
    if (turn === 10) found({ turn });
    await setTimeout(1);
  }
}

/** A thread that opens the communicator of this process; the main thread may block from then on. */
async function startThread(data) {
  const { Worker } = await import("node:worker_threads");
  const start = { ...data, env: { ...env }, jiti: import.meta.resolve("jiti"), here: import.meta.url };
  new Worker(threadProgram, { eval: true, workerData: start });
}

const threadProgram = `
const { workerData: { memory, env, jiti, here, fails } } = require("node:worker_threads");
import(jiti).then(async ({ createJiti }) => {
  const { openCommunicator } = await createJiti(here).import("../../src/collectives/index.ts");
  const world = openCommunicator({ environment: env });
  if (fails) throw new Error("this rank has had enough");
  const flags = new Int32Array(memory.buffer, 0, 2);
  const gradients = new Float32Array(memory.buffer, 65536, 1000);
  for (let round = 1; round <= 3; round++) {
    while (Atomics.load(flags, 0) < round) Atomics.wait(flags, 0, round - 1);
    world.allReduce(gradients);
    Atomics.store(flags, 1, round);
    Atomics.notify(flags, 1);
  }
  world.close();
});
`;

await scenarios[scenario]();
