/**
 * What joins ranks, by the model of two numbers: a message of n bytes takes alpha + n beta. R. W. Hockney: "The
 * communication challenge for MPP: Intel Paragon and Meiko CS-2", Parallel Computing 20, 1994.
 */

export interface Link {
  readonly name: string;
  /** Seconds that any message takes. */
  readonly alphaS: number;
  /** Seconds that each byte adds, in one direction. */
  readonly betaSPerByte: number;
  /** Where the two numbers come from. */
  readonly source: string;
}

/**
 * Links with published numbers, on the careful side: newer and wider ones of each kind are faster. Bandwidths are those of
 * the link, of which programs reach a part.
 *
 * - `nvlink`: between GPUs of one machine. Three of the six links of a V100, as four GPUs of a Power9 node are joined, 25
 *   GB/s each in one direction: "NVIDIA DGX-1 with Tesla V100 system architecture", 2017,
 *   http://images.nvidia.com/content/pdf/dgx1-v100-system-architecture-whitepaper.pdf. A step of a ring takes 3.4
 *   microseconds: NCCL's own model of its costs, https://github.com/NVIDIA/nccl, src/graph/tuning.cc (ring, simple).
 * - `infiniband`: between machines with GPUs. EDR, 100 Gbit/s: "ConnectX-5 user manual",
 *   https://docs.nvidia.com/networking/display/CX5VPISD/Introduction. 9.6 microseconds: NCCL's model for networks, as above.
 * - `ethernet`: 10 Gbit/s (IEEE 802.3ae) with TCP. 20 microseconds from program to program: J. Hurwitz, W. Feng: "Initial
 *   end-to-end performance evaluation of 10-Gigabit Ethernet", Hot Interconnects 11, 2003,
 *   http://www.hoti.org/archive/Hoti11_program/abstracts/24.html.
 */
export const links: readonly Link[] = [
  {
    name: "nvlink",
    alphaS: 3.4e-6,
    betaSPerByte: 1 / 75e9,
    source: "published: NVLink 2, three links of 25 GB/s; 3.4 µs, NCCL's ring",
  },
  {
    name: "infiniband",
    alphaS: 9.6e-6,
    betaSPerByte: 1 / 12.5e9,
    source: "published: InfiniBand EDR, 12.5 GB/s; 9.6 µs, NCCL's ring over a network",
  },
  {
    name: "ethernet",
    alphaS: 20e-6,
    betaSPerByte: 1 / 1.25e9,
    source: "published: 10 Gbit/s Ethernet, 1.25 GB/s; 20 µs with TCP",
  },
];

/**
 * Seconds of an all-reduce of so many bytes on N ranks:
 *
 *     2 (N - 1) (alpha + bytes / N beta)
 *
 * A reduce-scatter and an all-gather, in each of which a rank sends N - 1 messages of 1 / N of the bytes: what a ring does,
 * and what `slalom/collectives` does over MPI. The additions are not counted. R. Thakur, R. Rabenseifner, W. Gropp:
 * "Optimization of collective communication operations in MPICH", 2005.
 */
export const allReduceSeconds = ({ alphaS, betaSPerByte }: Link, bytes: number, ranks: number): number =>
  2 * (ranks - 1) * (alphaS + (bytes / ranks) * betaSPerByte);

/**
 * The link for which all-reduces on so many ranks take these times: of hardly any bytes, and of many.
 * @param times seconds, and bytes of the large one
 */
export function linkFrom(
  times: { readonly smallS: number; readonly largeS: number; readonly bytes: number },
  ranks: number,
  source: string,
): Link {
  const messages = 2 * (ranks - 1);
  const { smallS, largeS, bytes } = times;
  return {
    name: "measured",
    alphaS: Math.max(0, smallS) / messages,
    betaSPerByte: (Math.max(0, largeS - Math.max(0, smallS)) / messages / bytes) * ranks,
    source,
  };
}
