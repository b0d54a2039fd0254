/**
 * GPUs that compute as the CPU does, as many as FAKE_GPUS says. Each appends a line to FAKE_GPU_LOG/<number> when it compiles
 * a program. FAKE_GPU_FAULT is the number of one and what becomes of it at its fourth call, once another GPU is at its own:
 * it "fails", or the process is "killed" as it computes.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { env, kill, pid } from "node:process";
import { cpuBackend, describeCpuBackend } from "../../dist/backends/cpu/index.js";
import { SlalomError } from "../../dist/base/errors.js";

const [faulty, fault] = env.FAKE_GPU_FAULT?.split(":") ?? [];
const faultyCall = 4;
const pause = new Int32Array(new SharedArrayBuffer(4));
const underway = () => readdirSync(env.FAKE_GPU_LOG).filter((name) => name.endsWith(".underway")).length;

export const lookAtCuda = () => ({ devices: Array.from({ length: Number(env.FAKE_GPUS) }, () => ({})) });

const saying = (devices) => ({
  name: "cuda",
  description: `cuda (Fake GPU, ${devices.length} ranks)`,
  ranks: devices.length,
  processes: 1,
  memoryOf: () => ({ workspaceBytes: 0, mostBytes: 1e9, limit: "all that is free", onDevice: true }),
});

const options = ({ length: ranks }) => ({ gemm: "wasm", ranks });

export const describeCudaBackend = ({ devices }) => ({
  ...describeCpuBackend(options(devices)),
  ...saying(devices),
});

export function cudaBackend({ devices }) {
  const backend = cpuBackend(options(devices));
  let calls = 0;
  const meetFault = () => {
    calls++;
    if (calls !== faultyCall) return;
    appendFileSync(join(env.FAKE_GPU_LOG, `${devices.join("+")}.underway`), "");
    if (!devices.map(String).includes(faulty)) return;
    while (underway() < 2) Atomics.wait(pause, 0, 0, 10);
    if (fault === "killed") kill(pid, "SIGKILL");
    throw new SlalomError("device", "an illegal memory access was encountered");
  };
  return {
    ...backend,
    ...saying(devices),
    compile(program) {
      for (const device of devices) appendFileSync(join(env.FAKE_GPU_LOG, `${device}`), `${program.name}\n`);
      const executable = backend.compile(program);
      const { run } = executable;
      executable.run = (...given) => {
        meetFault();
        return run.apply(executable, given);
      };
      return executable;
    },
  };
}
