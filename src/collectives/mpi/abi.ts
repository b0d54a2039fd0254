/**
 * The two binary interfaces of MPI libraries: Open MPI's handles are addresses of variables of the library, those of
 * MPICH and its descendants (Intel MPI, MVAPICH, Cray MPICH) are numbers that the common ABI fixes.
 */
import { SlalomError } from "../../base/errors.js";
import type { NativeLibrary } from "../../native/library.js";

/** A communicator, type or operation of the library. */
export type Handle = bigint | number;

export type MpiFamily = "openmpi" | "mpich";

/** What a program in C takes from mpi.h. */
export interface Abi {
  readonly family: MpiFamily;
  /** How a handle is passed. */
  readonly handle: "uint64" | "int";
  readonly world: Handle;
  readonly float32: Handle;
  readonly float64: Handle;
  readonly byte: Handle;
  readonly sum: Handle;
  /** Errors are returned; what a library does without it is to end the process. */
  readonly errorsReturn: Handle;
  readonly noInfo: Handle;
  readonly anySource: number;
  /** Kind of split: ranks that can share memory. */
  readonly sharedMemory: number;
}

/** A level of MPI_Init_thread: any thread may call at any time. */
export const threadMultiple = 3;

/** More than sizeof(MPI_Status) and the longest texts of either. */
export const statusBytes = 64;
export const textBytes = 8192;

/** Asks the library which of the two it is. */
export function abiOf(library: NativeLibrary): Abi {
  if (library.symbol("ompi_mpi_comm_world") === undefined) return mpich;
  const handle = (name: string): bigint => {
    const address = library.symbol(`ompi_${name}`);
    if (address !== undefined) return address;
    throw new SlalomError(
      "library",
      `${library.path}: an Open MPI without ompi_${name}; expected version 3 to 5.`,
    );
  };
  return {
    family: "openmpi",
    handle: "uint64",
    world: handle("mpi_comm_world"),
    float32: handle("mpi_float"),
    float64: handle("mpi_double"),
    byte: handle("mpi_byte"),
    sum: handle("mpi_op_sum"),
    errorsReturn: handle("mpi_errors_return"),
    noInfo: handle("mpi_info_null"),
    anySource: -1,
    sharedMemory: 0,
  };
}

const mpich: Abi = {
  family: "mpich",
  handle: "int",
  world: 0x44000000,
  float32: 0x4c00040a,
  float64: 0x4c00080b,
  byte: 0x4c00010d,
  sum: 0x58000003,
  errorsReturn: 0x54000001,
  noInfo: 0x1c000000,
  anySource: -2,
  sharedMemory: 1,
};
