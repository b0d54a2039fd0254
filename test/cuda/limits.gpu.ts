/** Memory of a GPU, and mistakes that the driver does not have to find. */
import { expect, test } from "vitest";
import { add, variable } from "../../src/graph/index.js";
import { gpu } from "./gpu.js";
import { limits } from "./limits.js";

limits("cuda", () => gpu());

test("a device that is not there is named with those that are", () => {
  expect(() => gpu({ devices: [99] })).toThrow(
    expect.objectContaining({
      code: "device",
      message: expect.stringMatching(/received device 99, and \d+ (is|are) visible/),
    }),
  );
});

test("two backends share a GPU, and one that is closed leaves the other", async () => {
  const x = variable("x", [1000]);
  const program = {
    name: "adding",
    variables: { x },
    entries: { step: { updates: { x: add(x, 1) }, traces: {} } },
    traceCapacity: 20,
  };
  const [first, second] = [gpu(), gpu()];
  const executables = [first, second].map((backend) => backend.compile(program));
  for (const executable of executables) executable.run("step", 20);
  executables[0].release();
  await first.close();
  executables[1].run("step", 3);
  expect([...executables[1].read("x")]).toEqual(Array.from({ length: 1000 }, () => 23));
  executables[1].release();
  await second.close();
});
