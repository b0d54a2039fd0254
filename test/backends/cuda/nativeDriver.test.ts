/** The driver's C interface as a library sees it: what lies where its pointers lead. */
import { describe, expect, test } from "vitest";
import type { DeviceContext } from "../../../src/backends/cuda/driver.js";
import { openDriver } from "../../../src/backends/cuda/nativeDriver.js";
import { type CFunction, FakeLibrary } from "./fakeLibrary.js";

/** A device of a driver with these functions; all others succeed and do nothing. */
function started(functions: (library: FakeLibrary) => Record<string, CFunction>): DeviceContext {
  const library = new FakeLibrary("libcuda.so.1", (lib) => {
    const own: Record<string, CFunction> = {
      cuDriverGetVersion: (at) => lib.setInt(at, 12_040) as undefined,
      ...functions(lib),
    };
    return new Proxy(own, { get: (known, name: string) => known[name] ?? (() => 0) });
  });
  return openDriver(library).open(0);
}

describe("the driver", () => {
  test("is handed the addresses of a launch's arguments", () => {
    const launches: unknown[] = [];
    const driver = started((lib) => ({
      cuLaunchKernel: (...args) => {
        const parameters = lib.view(args[9]);
        const values = [0, 1, 2].map((i) =>
          lib.view(parameters.getBigUint64(8 * i, true)).getBigUint64(0, true),
        );
        launches.push({ sizes: args.slice(0, 9), values, extra: args[10] });
        return 0;
      },
    }));
    const shape = { grid: 3, block: 256, sharedBytes: 1024 };
    driver.launch(11n, shape, 22n, [1n << 40n, 2n, 2n ** 64n - 1n]);
    expect(launches).toEqual([
      { sizes: [11n, 3, 1, 1, 256, 1, 1, 1024, 22n], values: [1n << 40n, 2n, 2n ** 64n - 1n], extra: 0 },
    ]);
  });

  test("copies few bytes by a place that does not move, and many from where they are", () => {
    const device = new Map<unknown, Uint8Array>();
    const order: string[] = [];
    const bytes = (view: DataView, count: number): Uint8Array =>
      new Uint8Array(view.buffer, view.byteOffset, count);
    const driver = started((lib) => ({
      cuMemcpyHtoDAsync_v2: (to, from, count) => {
        order.push("up");
        device.set(to, bytes(lib.view(from), Number(count)).slice());
        return 0;
      },
      cuMemcpyDtoHAsync_v2: (to, from, count) => {
        order.push("down");
        bytes(lib.view(to), Number(count)).set(device.get(from)!);
        return 0;
      },
      cuStreamSynchronize: () => order.push("wait") && 0,
    }));
    for (const count of [1, 64, 4096, 4097, 100_000]) {
      const values = Uint8Array.from({ length: count }, (_, i) => (i * 7 + count) % 256);
      driver.upload(5n, values, 9n);
      const back = new Uint8Array(count);
      driver.download(back, 5n, 9n);
      expect(Buffer.compare(back, values)).toBe(0);
    }
    expect(order.slice(0, 4)).toEqual(["up", "wait", "down", "wait"]);
  });

  test("gives handles of 64 bits, and asks for what is beyond the free shared memory", () => {
    const asked: unknown[] = [];
    const driver = started((lib) => ({
      cuModuleGetFunction: (at, _module, name) => {
        lib.setWord(at, name === "big" ? 2n ** 63n : 7n);
        return 0;
      },
      cuFuncSetAttribute: (...args) => asked.push(args) && 0,
    }));
    expect(driver.kernel(3n, "small", 49_152)).toBe(7n);
    expect(asked).toEqual([]);
    expect(driver.kernel(3n, "big", 49_153)).toBe(2n ** 63n);
    expect(asked).toEqual([[2n ** 63n, 8, 49_153]]);
  });

  test("is under its own context in every call, and may be asked whether it is done", () => {
    let current: unknown;
    let ready = 600;
    const library = new FakeLibrary("libcuda.so.1", (lib) => {
      const own: Record<string, CFunction> = {
        cuDriverGetVersion: (at) => lib.setInt(at, 12_040) as undefined,
        cuDeviceGet: (at, ordinal) => lib.setInt(at, Number(ordinal)) as undefined,
        cuDevicePrimaryCtxRetain: (at, device) => lib.setWord(at, 100 + Number(device)) as undefined,
        cuCtxSetCurrent: (context) => {
          current = context;
          return 0;
        },
        cuEventQuery: () => ready,
        cuGetErrorName: () => 1,
        cuGetErrorString: () => 1,
        cuEventElapsedTime: (at, from, to) => {
          lib.view(at).setFloat32(0, Number(to) - Number(from), true);
          return 0;
        },
      };
      return new Proxy(own, { get: (known, name: string) => known[name] ?? (() => 0) });
    });
    const driver = openDriver(library);
    const [first, second] = [driver.open(0), driver.open(1)];
    first.createStream();
    expect(current).toBe(100n);
    second.free(7n);
    expect(current).toBe(101n);
    expect(first.within(() => current)).toBe(100n);
    expect(second.isReached(5n)).toBe(false);
    expect(current).toBe(101n);
    ready = 0;
    expect(first.isReached(5n)).toBe(true);
    ready = 700;
    expect(() => first.isReached(5n)).toThrow("cuEventQuery failed with");
    expect(second.elapsedMs(3n, 10n)).toBe(7);
  });

  test("says what failed, also where it does not know its own error", () => {
    let code = 719;
    const driver = started((lib) => ({
      cuMemFree_v2: () => code,
      cuGetErrorName: (which, at) => {
        if (which !== 719) return 1;
        lib.setWord(at, lib.text("CUDA_ERROR_LAUNCH_FAILED"));
        return 0;
      },
      cuGetErrorString: (which, at) => {
        if (which !== 719) return 1;
        lib.setWord(at, lib.text("unspecified launch failure"));
        return 0;
      },
    }));
    expect(() => driver.free(1n)).toThrow(
      "cuMemFree failed with CUDA_ERROR_LAUNCH_FAILED (719): unspecified launch failure. The device's state is lost",
    );
    code = 12_345;
    expect(() => driver.free(1n)).toThrow(
      "cuMemFree failed with an error (12345): the driver does not say what it is. `slalom doctor` shows what was found of CUDA; nvidia-smi, what the device is doing.",
    );
  });
});
