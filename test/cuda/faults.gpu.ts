/**
 * What is said where a kernel reads memory that is not there, and where a source does not compile. The driver takes a
 * process' context away after the first, so it comes last in a file, which is a process of its own.
 */
import { expect, test } from "vitest";
import { cudaBackendOn } from "../../src/backends/cuda/backend.js";
import type { EmitCuda } from "../../src/backends/cuda/commands.js";
import { libraryPlaces, requireLibrary } from "../../src/backends/cuda/libraries.js";
import { openDriver } from "../../src/backends/cuda/nativeDriver.js";
import { openCompiler, targetFor } from "../../src/backends/cuda/nvrtc.js";
import type { Backend } from "../../src/compile/backend.js";
import { add, variable } from "../../src/graph/index.js";

/** A backend whose only kernel is this. */
function backendOf(body: string): Backend {
  const places = libraryPlaces(process.env);
  const driver = openDriver(requireLibrary("driver", places).native);
  const compiler = openCompiler(requireLibrary("nvrtc", places, { driverVersion: driver.version }));
  const facts = driver.device(0);
  const emit: EmitCuda = (plan) => ({
    source: `extern "C" __global__ void faulty(unsigned char* arena, unsigned int* step) { ${body} }`,
    arenaBytes: plan.arenaBytes,
    entries: {
      step: { commands: [{ kind: "launch", kernel: "faulty", grid: 1, block: 32, sharedBytes: 0 }] },
    },
  });
  const compile = (source: string, program: string): Uint8Array =>
    compiler.compile(source, targetFor(facts, compiler), program);
  return cudaBackendOn({ description: "a faulty kernel", driver, devices: [{ facts, compile }], emit });
}

const x = variable("x", [64]);
const program = {
  name: "faulty",
  variables: { x },
  entries: { step: { updates: { x: add(x, 1) }, traces: {} } },
  traceCapacity: 1,
};

test("a source that does not compile is an error with the compiler's log", () => {
  expect(() => backendOf("nonsense;").compile(program)).toThrow(
    /does not compile program faulty: [\s\S]*"nonsense" is undefined/,
  );
});

test("a kernel that leaves its memory is an error that names program, entry and what the driver says", () => {
  const executable = backendOf("*(volatile int*)(arena + (1ull << 46)) = 1;").compile(program);
  expect(() => executable.run("step")).toThrow(
    expect.objectContaining({
      code: "device",
      message: expect.stringMatching(
        /^program faulty, entry step: .*CUDA_ERROR_(ILLEGAL_ADDRESS|INVALID_ADDRESS_SPACE|LAUNCH_FAILED).*The device's state is lost/,
      ),
    }),
  );
  // Nothing can be given back to a device that is lost.
  expect(() => executable.release()).toThrow(expect.objectContaining({ code: "device" }));
});
