/** `slalom doctor`: what was found on this machine, what each library reaches, and what would make it faster. */
import { existsSync, readFileSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import { env } from "node:process";
import { type GemmProbe, probeGemm } from "../backends/cpu/gemm/index.js";
import { installCommand } from "../backends/cpu/gemm/select.js";
import { detectFeatures } from "../backends/cpu/wasm/index.js";
import { probeCuda } from "../backends/cuda/probe.js";
import { installCommand as installMpiCommand } from "../collectives/mpi/library.js";
import { type MpiProbe, probeMpi } from "../collectives/mpi/probe.js";
import { formatBytes } from "../compile/explain.js";
import { slalomVersion } from "../lab/index.js";
import { coreCount } from "../launch/threads.js";
import { columns } from "./columns.js";
import { cudaText } from "./cudaDoctor.js";
import type { Output } from "./output.js";

export function doctor(output: Output): void {
  const { relaxedSimd } = detectFeatures();
  const probe = probeGemm();
  const mpi = probeMpi(env);
  const cuda = probeCuda({ environment: env });
  const advice = adviceFor(probe, process.platform, readOsRelease());
  const machine = {
    slalom: slalomVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: coreCount(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    relaxedSimd,
  };
  output.result({ ...machine, ...probe, mpi, cuda, advice: advice ?? null });
  output.text(
    columns(
      [
        ["slalom", `${machine.slalom}, Node ${machine.node}, ${machine.platform}`],
        ["processor", `${machine.cpu}, ${machine.cores} ${machine.cores === 1 ? "core" : "cores"}`],
        [
          "memory",
          `${formatBytes(machine.memoryBytes)}, ${formatBytes(machine.freeMemoryBytes)} free; one thread copies ${probe.bandwidthGBs.toFixed(1)} GB/s`,
        ],
        ["WebAssembly", relaxedSimd ? "SIMD, fused multiply-add (relaxed SIMD)" : "SIMD; no relaxed SIMD"],
      ],
      { style: output.style },
    ),
  );
  output.text(`\n${output.style.bold("Matrix products")}, GFLOP/s of one thread`);
  output.text(libraryTable(probe, output));
  if (probe.rejections.length > 0 && probe.libraries.length === 1) {
    output.text(output.style.dim(`Looked for: ${probe.rejections.map(({ path }) => path).join(", ")}`));
  }
  output.text(`\n${mpiText(mpi, output)}`);
  output.text(`\n${cudaText(cuda, output)}`);
  output.text(
    advice === undefined
      ? `\n${output.style.green("Nothing to add:")} the fastest library known for this system is in use.`
      : `\n${output.style.yellow("Faster:")} ${advice.reason}\n  ${advice.command}`,
  );
}

function libraryTable({ libraries }: GemmProbe, { style }: Output): string {
  const shapes = libraries[0].rates.map(({ label }) => {
    const [, name, sizes] = /^(\D*)(\d.*)$/.exec(label) ?? ["", label, ""];
    return { name: name.trim() || "square", sizes };
  });
  const table = columns(
    libraries.map(({ title, version, path, rates }, i) => [
      `${title} ${version.split(" ")[0]}`.trim() + (i === 0 ? " (in use)" : ""),
      ...rates.map(({ gflops }) => gflops.toFixed(gflops < 10 ? 1 : 0)),
      path === "" ? "ours" : path,
    ]),
    {
      header: ["library", ...shapes.map(({ name }) => name), "from"],
      align: ["left", ...shapes.map(() => "right" as const)],
      style,
    },
  );
  return `${table}\n${style.dim(shapes.map(({ name, sizes }) => `${name} ${sizes}`).join("; "))}`;
}

/** The MPI libraries, whether each can be used, and whose mpirun there is: one of another library cannot start them. */
export function mpiText({ libraries, mpirun }: MpiProbe, { style }: Pick<Output, "style">): string {
  const title = `${style.bold("MPI")}, for ranks that are processes`;
  if (libraries.length === 0) return `${title}: none found\n${style.dim(installMpiCommand("openmpi"))}`;
  const table = columns(
    libraries.map(({ title, version, path, problem }) => [
      `${title} ${version}`.trim(),
      problem === undefined ? "works" : `not usable: ${problem}`,
      path,
    ]),
    { header: ["library", "state", "from"], style },
  );
  const started =
    mpirun === undefined
      ? "there is no mpirun"
      : `mpirun is of ${`${mpirun.title} ${mpirun.version}`.trim()}${libraries.some(({ family }) => family === mpirun.family) ? "" : ", whose library was not found"}`;
  return `${title}\n${table}\n${style.dim(started)}`;
}

export interface Advice {
  /** The one command. */
  readonly command: string;
  readonly reason: string;
}

/** What would make products faster here; undefined when there is nothing. `osRelease`: of Linux, its file. */
export function adviceFor(
  { libraries }: Pick<GemmProbe, "libraries">,
  platform: NodeJS.Platform,
  osRelease: string,
): Advice | undefined {
  const [used, ...others] = libraries;
  // In every shape: one alone may be slow because another program ran meanwhile.
  const gain = (other: (typeof libraries)[number]): number =>
    Math.min(...other.rates.map(({ gflops }, i) => gflops / used.rates[i].gflops));
  const faster = others.filter((other) => gain(other) > 1.2).sort((a, b) => gain(b) - gain(a))[0];
  if (faster) {
    return {
      reason: `${faster.title} measured at least ${gain(faster).toFixed(1)} times ${used.title} here.`,
      command: `slalom run my-study.ts --gemm ${faster.name}`,
    };
  }
  // Accelerate drives the matrix units of Apple's processors; oneDNN doesn't.
  const isServed = used.name === "onednn" || (platform === "darwin" && used.name === "cblas");
  if (isServed) return undefined;
  return {
    reason: `oneDNN is not installed; it is usually several times faster than ${used.title}.`,
    command: platform === "linux" ? linuxCommand(osRelease) : installCommand("onednn"),
  };
}

const readOsRelease = (): string =>
  existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";

/** The package by distribution: Debian and Ubuntu name it after the library's version. */
function linuxCommand(osRelease: string): string {
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)`, "m").exec(osRelease)?.[1] ?? "";
  const version = Number.parseFloat(field("VERSION_ID"));
  switch (field("ID")) {
    case "debian":
      return `sudo apt-get install ${version < 13 ? "libdnnl2" : "libdnnl3"}`;
    case "ubuntu":
      return `sudo apt-get install ${version < 24 ? "libdnnl2" : "libdnnl3"}`;
    case "fedora":
      return "sudo dnf install onednn";
    case "arch":
      return "sudo pacman -S onednn";
    default:
      return "conda install -c conda-forge onednn";
  }
}
