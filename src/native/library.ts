/** Opening C libraries through koffi, and the addresses of memory that they may write to. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { SlalomError } from "../base/errors.js";

/** A C function; pointers are plain numbers, so nothing is allocated per call. */
export type NativeFunction = (...args: (number | bigint | string | object | null)[]) => unknown;

export interface NativeLibrary {
  readonly path: string;
  /** The function of a C prototype such as `int f(int x)`; throws where the library has none. */
  func(prototype: string): NativeFunction;
  /** The same, or undefined where the library has none. */
  optional(prototype: string): NativeFunction | undefined;
  /** Makes prototypes know a structure of so many bytes; functions are passed it by value, as `{ bytes }`. */
  structure(name: string, bytes: number): void;
  /** Address of a variable that the library exports; undefined where it has none of the name. */
  symbol(name: string): bigint | undefined;
  /** Reads `count` 32-bit integers at a pointer that a function returned. */
  readInts(pointer: unknown, count: number): Int32Array;
  /** The text that ends with a zero byte at an address. */
  readText(address: bigint): string;
  /** Address of the first byte of a memory; it stays, as the memory never grows. */
  addressOf(memory: { readonly buffer: ArrayBufferLike }): number;
  /** Address of the first byte of an array of more than 64 bytes; smaller ones move. */
  addressOfBytes(bytes: ArrayBufferView): bigint;
}

/** What we use of koffi. */
interface Koffi {
  load(
    path: string | null,
    options: { readonly global: boolean },
  ): { func(prototype: string): NativeFunction; symbol(name: string): bigint };
  struct(name: string, members: { readonly bytes: unknown }): unknown;
  array(type: "uint8", length: number): unknown;
  decode(pointer: unknown, type: string): Int32Array;
  decode(pointer: unknown, type: "char", length: number): string;
  address(view: ArrayBufferView): bigint;
}

/**
 * Sets a variable of the environment that C libraries see, unless it is set: what JavaScript sets in a thread other than
 * the main one stays there.
 */
export function setDefaultVariable(name: string, value: string): void {
  const setenv = loadKoffi()
    .load(null, { global: false })
    .func("int setenv(str name, str value, int overwrite)");
  setenv(name, value, 0);
}

export interface OpenLibraryOptions {
  /** Whether libraries that are loaded later find the symbols of this one, as plug-ins of its own may need to. */
  readonly global?: boolean;
}

/**
 * Opens a shared library by name (found as the system's loader finds it) or by path.
 *
 * @throws Whatever koffi or the loader says, also when koffi itself is absent on this platform.
 */
export function openLibrary(path: string, { global = false }: OpenLibraryOptions = {}): NativeLibrary {
  const koffi = loadKoffi();
  const library = koffi.load(path, { global });
  return {
    path,
    func: (prototype) => library.func(prototype),
    optional: (prototype) => present(() => library.func(prototype)),
    // One that another library made known is known already.
    structure: (name, bytes) =>
      void present(() => koffi.struct(name, { bytes: koffi.array("uint8", bytes) })),
    symbol: (name) => present(() => library.symbol(name)),
    readInts: (pointer, count) => koffi.decode(pointer, `int [${count}]`),
    readText: (address) => koffi.decode(address, "char", -1),
    addressOf: (memory) => Number(koffi.address(new Uint8Array(memory.buffer))),
    addressOfBytes: (bytes) => BigInt(koffi.address(bytes)),
  };
}

/** A call of a C function; what it returns is not looked at. */
export interface TrialCall {
  readonly prototype: string;
  readonly args: readonly TrialArgument[];
}

export interface TrialOptions {
  /** Of the process; by default that of this one. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** How long it may take, ms; 10 s by default. */
  readonly patienceMs?: number;
}

/**
 * Calls C functions in a process of its own, since a library built for another processor ends the
 * process that calls it; about 0.1 s.
 *
 * @returns Why it can't be used: the error, the signal it died by, or that it took too long;
 *   undefined when it came back.
 */
export function failureInChildProcess(
  path: string,
  calls: readonly TrialCall[],
  { environment, patienceMs = 10_000 }: TrialOptions = {},
): string | undefined {
  const koffiPath = createRequire(import.meta.url).resolve("koffi");
  const settings = JSON.stringify({ koffiPath, path, calls });
  const child = spawnSync(process.execPath, ["-e", childScript, settings], {
    encoding: "utf8",
    timeout: patienceMs,
    ...(environment && { env: environment }),
  });
  if (child.status === 0) return undefined;
  if (child.signal !== null) return `it ended a trial process by ${child.signal}`;
  const message = /^\w*Error: (.*)$/m.exec(child.stderr)?.[1];
  return `a trial process failed: ${message ?? child.error?.message ?? `exit status ${child.status}`}`;
}

/** A number, or the values of an array that the function gets a pointer to. */
export type TrialArgument = number | readonly number[];

const childScript = `
const { koffiPath, path, calls } = JSON.parse(process.argv[1]);
const library = require(koffiPath).load(path, { global: true });
for (const { prototype, args } of calls) {
  library.func(prototype)(...args.map((arg) => (Array.isArray(arg) ? new Float32Array(arg) : arg)));
}
`;

/** What koffi throws an error for where the library lacks it. */
function present<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** Required lazily: importing this module must not load an addon, and must work where there is none. */
function loadKoffi(): Koffi {
  try {
    return createRequire(import.meta.url)("koffi") as Koffi;
  } catch (cause) {
    throw new SlalomError("library", `koffi, which calls C libraries, does not load: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** The first line of an error. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0];
}
