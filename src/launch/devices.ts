/**
 * Which GPUs a process takes, as many as it has ranks: those that were named, or the first that it sees. Workers of one
 * process, which train other runs each, divide those that were named. Processes that see the same GPUs, as mpirun starts
 * them on a machine, share these out in the order of their ranks; those that see GPUs of their own, as Slurm gives them to
 * its tasks, have nothing to share.
 */
import { SlalomError } from "../base/errors.js";
import { counted } from "../report/words.js";

export interface DeviceRequest {
  /** GPUs by their number among the visible ones; of processes that see the same, those of all of them together. */
  readonly devices?: readonly number[] | "all";
  /** GPUs of each process; by default 1, and of a process that is alone as many as are named. */
  readonly ranks?: number;
}

/**
 * Those of a process that is alone.
 * @param visible GPUs that it sees
 * @throws SlalomError "device" for GPUs that there are not, or another number of them than of ranks
 */
export function devicesOfOne(request: DeviceRequest, visible: number): number[] {
  const named = namedIn(request, visible);
  const { ranks = named?.length || 1 } = request;
  return shared(named, { ranks, visible, place: 0, processes: 1 });
}

/** Workers of one process: how many are asked for, and else how many are of use. */
export interface WorkerWish {
  readonly count?: number;
  readonly useful: number;
}

/**
 * Those of each worker of a process that is alone: so many as it has ranks, in the order in which they are named, and none
 * of another's. Workers of one rank may be a multiple of the GPUs, and share them.
 * @param wish by default as many workers as their ranks leave GPUs for, and are of use. Where workers are asked for and
 *   ranks are not, the GPUs are divided evenly
 * @throws SlalomError "device" for GPUs that there are not, or another number of them than workers and ranks take
 */
export function devicesOfWorkers(
  request: DeviceRequest,
  visible: number,
  { count, useful }: WorkerWish,
): number[][] {
  if (count === 1) return [devicesOfOne(request, visible)];
  const named = namedIn(request, visible) ?? devicesOfOne(request, visible);
  const { ranks = Math.max(1, Math.floor(named.length / (count ?? 1))) } = request;
  const divided = named.length / ranks;
  if (divided <= 1 && count === undefined) return [devicesOfOne(request, visible)];
  const isEven = Number.isInteger(divided) && (count === undefined || count === divided);
  const isInTurns = ranks === 1 && count !== undefined && count % divided === 0;
  if (!isEven && !isInTurns) throw uneven(named.length, ranks, count);
  const workers = count ?? Math.min(divided, Math.max(1, useful));
  return Array.from({ length: workers }, (_, worker) => {
    const start = (worker % divided) * ranks;
    return named.slice(start, start + ranks);
  });
}

function uneven(gpus: number, ranks: number, count: number | undefined): SlalomError {
  const of = counted(ranks, "rank");
  return new SlalomError(
    "device",
    count === undefined
      ? `cuda: received ${counted(gpus, "GPU")} for trainings of ${of} each; expected a multiple of ${ranks}. Name as many (--devices).`
      : `cuda: ${counted(count, "worker")} of ${of} each were asked for on ${counted(gpus, "GPU")}; expected a GPU for each rank, ${count * ranks} in all. Name as many (--devices), or leave out --workers.`,
  );
}

/**
 * Those of the first process of a machine, which does not know yet how many others there are.
 * @throws SlalomError "device" where it sees fewer
 */
export function devicesOfFirst(request: DeviceRequest, visible: number): number[] {
  const { ranks = 1 } = request;
  const named = namedIn(request, visible)?.slice(0, ranks);
  return shared(named, { ranks, visible, place: 0, processes: 1 });
}

/**
 * Those of a process of a machine.
 * @param seen of each of its processes the GPUs that it sees, in its order, by names that are theirs everywhere
 * @param own which of them the process is
 * @throws SlalomError "device" for fewer GPUs than processes want, or processes that see some in common and others not
 */
export function devicesAmong(
  request: DeviceRequest,
  seen: readonly (readonly string[])[],
  own: number,
): number[] {
  const gpus = seen[own];
  const alike = [...seen.keys()].filter((other) => seen[other].join() === gpus.join());
  const twice = seen.find((others, i) => !alike.includes(i) && others.some((gpu) => gpus.includes(gpu)));
  if (twice) {
    throw new SlalomError(
      "device",
      `cuda: processes of one machine see the GPUs ${gpus.join(", ")} and ${twice.join(", ")}, some in common and others not; expected the same for all, or each its own. CUDA_VISIBLE_DEVICES says what a process sees; srun --gpus-per-task gives each task its own.`,
    );
  }
  const { ranks = 1 } = request;
  const visible = gpus.length;
  const named = namedIn(request, visible);
  return shared(named, { ranks, visible, place: alike.indexOf(own), processes: alike.length });
}

interface Share {
  readonly ranks: number;
  readonly visible: number;
  /** Of this process among those that see the same GPUs. */
  readonly place: number;
  readonly processes: number;
}

function shared(named: readonly number[] | undefined, { ranks, visible, place, processes }: Share): number[] {
  const wanted = ranks * processes;
  const who = processes === 1 ? "" : ` for ${processes} processes of one machine`;
  const gpus = named ?? Array.from({ length: visible }, (_, i) => i);
  if (gpus.length < wanted || (named !== undefined && gpus.length > wanted)) {
    const isOne = gpus.length === 1;
    const many = named === undefined ? `${isOne ? "is" : "are"} visible` : `${isOne ? "was" : "were"} named`;
    const given = gpus.length === 0 ? "none is visible" : `${gpus.length} ${many}`;
    throw new SlalomError(
      "device",
      `cuda: ${counted(wanted, "GPU is", "GPUs are")} wanted${who}, and ${given}; expected one for each rank${processes === 1 ? "" : `, ${ranks} a process`}. Take as many ranks as there are GPUs: \`slalom doctor\` lists those that CUDA_VISIBLE_DEVICES leaves.`,
    );
  }
  return gpus.slice(place * ranks, (place + 1) * ranks);
}

function namedIn({ devices }: DeviceRequest, visible: number): readonly number[] | undefined {
  if (devices === "all") return Array.from({ length: visible }, (_, i) => i);
  const unknown = devices?.find((device) => device >= visible);
  if (unknown === undefined) return devices;
  throw new SlalomError(
    "device",
    `cuda: received device ${unknown}, and ${visible === 0 ? "no GPU is visible" : `${counted(visible, "GPU is", "GPUs are")} visible; expected 0${visible === 1 ? "" : ` to ${visible - 1}`}`}. CUDA_VISIBLE_DEVICES says which are; \`slalom doctor\` lists them.`,
  );
}
