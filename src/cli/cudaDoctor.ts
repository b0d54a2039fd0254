/** What `slalom doctor` says of CUDA: libraries, devices, how they reach each other. */
import type { CudaProbe, DeviceProbe } from "../backends/cuda/probe.js";
import { formatBytes } from "../compile/explain.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

export function cudaText(probe: CudaProbe, { style }: Pick<Output, "style">): string {
  const { libraries, missing, devices, problem } = probe;
  const title = `${style.bold("CUDA")}, for training on NVIDIA GPUs`;
  const driver = missing.find(({ name }) => name === "driver");
  if (driver) return `${title}: no driver found\n${style.dim(driver.install)}`;
  const found = columns(
    libraries.map(({ name, title: library, version, path }) => [
      library,
      name === "driver" && version !== "" ? `up to CUDA ${version}` : version,
      path,
    ]),
    { header: ["library", "version", "from"], style },
  );
  const absent = missing.map(({ title: library, without, install, rejections }) => {
    const tooNew = rejections.find(({ reason }) => reason.startsWith("is for CUDA"));
    const why = tooNew ? `: ${tooNew.path} ${tooNew.reason}` : "";
    return style.dim(`${library} was not found${why}; ${without}. ${install}`);
  });
  const served = problem === undefined ? devicesText(devices, style) : style.yellow(problem);
  return [title, found, ...absent, ...routesText(libraries, style), served, ...linksText(probe, style)].join(
    "\n",
  );
}

function routesText(libraries: CudaProbe["libraries"], style: Output["style"]): string[] {
  const rivals = libraries.filter(({ name }) => name === "cublasLt" || name === "cudnn");
  if (rivals.length === 0) return [];
  const names = rivals.map(({ title }) => title).join(", ");
  return [
    style.dim(
      `products and convolutions: by ${names} or our own kernels, whichever are faster on the GPU; timed once for a shape, kept in .cache/slalom/cuda/routes`,
    ),
  ];
}

function devicesText(devices: readonly DeviceProbe[], style: Output["style"]): string {
  if (devices.length === 0) return style.yellow("no GPU is visible");
  return columns(
    devices.map(({ ordinal, name, capability, totalBytes, freeBytes, problem, mode }) => [
      String(ordinal),
      name,
      capability.join("."),
      `${formatBytes(totalBytes)}${freeBytes === undefined ? "" : `, ${formatBytes(freeBytes)} free`}`,
      problem === undefined ? stateOf[mode] : `not usable: ${problem}`,
    ]),
    { header: ["device", "name", "compute capability", "memory", "state"], style },
  );
}

const stateOf: Readonly<Record<DeviceProbe["mode"], string>> = {
  default: "works",
  exclusive: "works, for one process at a time",
  prohibited: "prohibited to everyone",
};

function linksText({ links }: CudaProbe, style: Output["style"]): string[] {
  if (links.length === 0) return [];
  const pairs = (peers: boolean): string =>
    links
      .filter((link) => link.peers === peers)
      .map(({ between }) => between.join("-"))
      .join(", ");
  const [direct, through] = [pairs(true), pairs(false)];
  return [
    style.dim(
      [
        ...(direct === "" ? [] : [`devices that reach each other's memory: ${direct}`]),
        ...(through === "" ? [] : [`through the host: ${through}`]),
      ].join("; "),
    ),
  ];
}
